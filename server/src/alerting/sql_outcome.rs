//! A query's rows -> findings.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use barograph_alerts::{Finding, Outcome};
use barograph_model::LabelsBuilder;
use barograph_query::sql::SqlEngine;
use futures::StreamExt;

/// The column that holds a finding's value.
const VALUE: &str = "value";

/// Rows beyond this fail the evaluation: a rule that finds so much finds nothing.
const ROWS_MAX: usize = 20_000;

/// Runs a rule's query. Each row is a finding: text columns are its labels (NULL is no label), column `value` is its
/// value (NULL is NaN), other columns become evidence.
pub(super) async fn sql_outcome(sql: &SqlEngine, query: &str) -> Outcome {
    let mut stream = match sql.query(query).await {
        Ok(stream) => stream,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let mut findings = Vec::new();
    while let Some(batch) = stream.next().await {
        let result = batch
            .map_err(|error| error.to_string())
            .and_then(|batch| read(&batch, &mut findings));
        if let Err(message) = result {
            return Outcome::Failed(message);
        }
        if findings.len() > ROWS_MAX {
            return Outcome::Failed(format!(
                "the query gives more than {ROWS_MAX} rows; make it more selective"
            ));
        }
    }
    Outcome::Findings(findings)
}

fn read(batch: &RecordBatch, findings: &mut Vec<Finding>) -> Result<(), String> {
    let schema = batch.schema();
    let mut values: Option<ArrayRef> = None;
    let mut labels: Vec<(&str, ArrayRef)> = Vec::new();
    let mut evidence: Vec<(&str, ArrayRef)> = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let as_text = || cast(column, &DataType::Utf8).map_err(|e| format!("column {:?}: {e}", field.name()));
        if field.name() == VALUE {
            let cast = cast(column, &DataType::Float64);
            values = Some(cast.map_err(|e| format!("column \"value\" is not a number: {e}"))?);
        } else if is_text(field.data_type()) {
            labels.push((field.name(), as_text()?));
        } else {
            evidence.push((field.name(), as_text()?));
        }
    }
    let values = values.ok_or("the query has no column \"value\"; name one with AS value")?;
    let values = values.as_primitive::<Float64Type>();
    for row in 0..batch.num_rows() {
        let mut builder = LabelsBuilder::default();
        for (name, column) in &labels {
            if column.is_valid(row) {
                builder.push(name, column.as_string::<i32>().value(row));
            }
        }
        let shown = evidence.iter().filter(|(_, column)| column.is_valid(row));
        let shown: Vec<String> = shown
            .map(|(name, column)| format!("{name} = {}", column.as_string::<i32>().value(row)))
            .collect();
        findings.push(Finding {
            labels: builder.build().map_err(|e| format!("the row's labels: {e}"))?,
            value: if values.is_valid(row) {
                values.value(row)
            } else {
                f64::NAN
            },
            evidence: shown.join(", "),
        });
    }
    Ok(())
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

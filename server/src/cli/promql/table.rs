//! An answer as a table: a line for each sample.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use barograph_model::Labels;
use barograph_query::sql::render_table;
use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;
use serde_json::Value;

use super::PromqlFailure;

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar(Sample),
    String(Sample),
    Vector(Vec<Series>),
    Matrix(Vec<Series>),
}

/// The instant in seconds, and the value: a text, or a histogram.
type Sample = (f64, Value);

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: Option<Sample>,
    histogram: Option<Sample>,
    #[serde(default)]
    values: Vec<Sample>,
    #[serde(default)]
    histograms: Vec<Sample>,
}

/// The rows: series, instant, value.
#[derive(Default)]
struct Rows {
    series: Vec<String>,
    instants: Vec<String>,
    values: Vec<String>,
}

/// Writes `data` of an answer.
pub(super) fn render(data: Value) -> Result<String, PromqlFailure> {
    let unreadable = |reason: String| PromqlFailure::Answer { reason };
    let data: Data = serde_json::from_value(data).map_err(|error| unreadable(error.to_string()))?;
    let mut rows = Rows::default();
    match data {
        // A value alone needs no table.
        Data::Scalar((_, value)) | Data::String((_, value)) => return Ok(text_of(&value)),
        Data::Vector(series) | Data::Matrix(series) => {
            for series in series {
                let labels =
                    Labels::from_pairs(&series.metric).map_err(|error| unreadable(error.to_string()))?;
                let mut samples: Vec<Sample> = series.value.into_iter().chain(series.histogram).collect();
                samples.extend(series.values);
                samples.extend(series.histograms);
                samples.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (seconds, value) in samples {
                    rows.series.push(labels.to_string());
                    rows.instants.push(instant(seconds));
                    rows.values.push(text_of(&value));
                }
            }
        }
    }
    rows.render().map_err(|error| unreadable(error.to_string()))
}

impl Rows {
    fn render(self) -> Result<String, arrow::error::ArrowError> {
        let count = self.values.len();
        let names = ["series", "time", "value"];
        let fields: Vec<Field> = names.map(|name| Field::new(name, DataType::Utf8, false)).into();
        let schema = Arc::new(Schema::new(fields));
        let columns = [self.series, self.instants, self.values];
        let columns = columns.map(|texts| Arc::new(StringArray::from(texts)) as ArrayRef);
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into())?;
        let unit = if count == 1 { "sample" } else { "samples" };
        Ok(format!("{}({count} {unit})", render_table(&schema, &[batch])))
    }
}

/// A float as it came, a histogram as its JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn instant(seconds: f64) -> String {
    match DateTime::from_timestamp_millis((seconds * 1e3).round() as i64) {
        Some(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => seconds.to_string(),
    }
}

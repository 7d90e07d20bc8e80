//! `system.queries` and `system.top_queries`: who asks now, and what was asked lately and cost most.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::PromqlEngine;
use super::activity::Activity;
use crate::sql::SystemTable;

/// The tables of an engine's queries.
#[must_use]
pub fn promql_tables(engine: &PromqlEngine) -> Vec<SystemTable> {
    let (active, ended) = (Arc::clone(engine.activity()), Arc::clone(engine.activity()));
    vec![
        SystemTable {
            name: "system.queries".to_owned(),
            schema: queries_schema(),
            rows: Arc::new(move || queries(&active)),
        },
        SystemTable {
            name: "system.top_queries".to_owned(),
            schema: top_schema(),
            rows: Arc::new(move || top_queries(&ended)),
        },
    ]
}

fn timestamp(name: &str) -> Field {
    let instant = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Field::new(name, instant, false)
}

fn queries_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::UInt64, false),
        Field::new("query", DataType::Utf8, false),
        Field::new("client", DataType::Utf8, false),
        Field::new("is_range", DataType::Boolean, false),
        timestamp("start"),
        timestamp("end"),
        Field::new("step_seconds", DataType::Float64, false),
        timestamp("started_at"),
        Field::new("seconds", DataType::Float64, false),
        Field::new("is_running", DataType::Boolean, false),
    ]))
}

fn top_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("query", DataType::Utf8, false),
        Field::new("is_range", DataType::Boolean, false),
        Field::new("count", DataType::UInt64, false),
        Field::new("errors", DataType::UInt64, false),
        Field::new("seconds_total", DataType::Float64, false),
        Field::new("seconds_max", DataType::Float64, false),
        Field::new("samples_total", DataType::UInt64, false),
        Field::new("samples_peak", DataType::UInt64, false),
        timestamp("last_at"),
    ]))
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn instants(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
}

fn queries(activity: &Activity) -> RecordBatch {
    let rows = activity.active();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(id, ..)| *id))),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(_, q, _)| &*q.text),
        )),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(_, q, _)| &*q.client),
        )),
        Arc::new(
            rows.iter()
                .map(|(_, q, _)| Some(q.is_range))
                .collect::<BooleanArray>(),
        ),
        instants(rows.iter().map(|(_, q, _)| q.start_ms)),
        instants(rows.iter().map(|(_, q, _)| q.end_ms)),
        Arc::new(Float64Array::from_iter_values(
            rows.iter().map(|(_, q, _)| q.step_ms as f64 / 1e3),
        )),
        instants(rows.iter().map(|(_, q, _)| q.started_at.0)),
        Arc::new(Float64Array::from_iter_values(
            rows.iter().map(|(_, _, age_ns)| seconds(*age_ns)),
        )),
        Arc::new(
            rows.iter()
                .map(|(_, q, _)| Some(q.is_running))
                .collect::<BooleanArray>(),
        ),
    ];
    batch(queries_schema(), columns)
}

/// What the queries of one text cost together.
#[derive(Default)]
struct Total {
    count: u64,
    errors: u64,
    total_ns: u64,
    max_ns: u64,
    samples_total: u64,
    samples_peak: u64,
    last_at: i64,
}

fn top_queries(activity: &Activity) -> RecordBatch {
    let mut totals: HashMap<(Arc<str>, bool), Total> = HashMap::new();
    activity.ended(|record| {
        let key = (Arc::clone(&record.text), record.is_range);
        let total = totals.entry(key).or_default();
        total.count += 1;
        total.errors += u64::from(record.error.is_some());
        total.total_ns = total.total_ns.saturating_add(record.times.total_ns);
        total.max_ns = total.max_ns.max(record.times.total_ns);
        total.samples_total = total.samples_total.saturating_add(record.samples_total);
        total.samples_peak = total.samples_peak.max(record.samples_peak);
        total.last_at = total.last_at.max(record.started_at.0);
    });
    let mut rows: Vec<_> = totals.into_iter().collect();
    rows.sort_by(|(a_key, a), (b_key, b)| b.total_ns.cmp(&a.total_ns).then_with(|| a_key.cmp(b_key)));
    let counts = |of: fn(&Total) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, t)| of(t))))
    };
    let times = |of: fn(&Total) -> u64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(
            rows.iter().map(|(_, t)| seconds(of(t))),
        ))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(key, _)| &*key.0))),
        Arc::new(rows.iter().map(|(key, _)| Some(key.1)).collect::<BooleanArray>()),
        counts(|t| t.count),
        counts(|t| t.errors),
        times(|t| t.total_ns),
        times(|t| t.max_ns),
        counts(|t| t.samples_total),
        counts(|t| t.samples_peak),
        instants(rows.iter().map(|(_, t)| t.last_at)),
    ];
    batch(top_schema(), columns)
}

/// The columns were built for this schema, so they fit it; were they not, the table would be empty.
fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(Arc::clone(&schema), columns).unwrap_or_else(|error| {
        tracing::error!(%error, "a table of queries does not fit its schema");
        RecordBatch::new_empty(schema)
    })
}

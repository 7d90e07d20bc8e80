//! Alert state as SQL tables: `alerts` and `events`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use barograph_alerts::Event;
use barograph_model::{Labels, TimestampMs};
use barograph_query::sql::{SystemTable, labels_array, labels_type};

use super::AlertHub;

/// The tables over a hub's state.
#[must_use]
pub fn alert_tables(hub: &Arc<AlertHub>) -> Vec<SystemTable> {
    let (for_alerts, for_events) = (Arc::clone(hub), Arc::clone(hub));
    vec![
        SystemTable {
            name: "alerts".to_owned(),
            schema: alerts_schema(),
            rows: Arc::new(move || alerts(&for_alerts)),
        },
        SystemTable {
            name: "events".to_owned(),
            schema: events_schema(),
            rows: Arc::new(move || events(&for_events)),
        },
    ]
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn alerts_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("rule"),
        text("group"),
        Field::new("labels", labels_type(), false),
        text("severity"),
        text("state"),
        Field::new("value", DataType::Float64, false),
        Field::new("since", timestamp(), false),
        Field::new("fired_at", timestamp(), true),
        Field::new("resolved_at", timestamp(), true),
        text("evidence"),
    ]))
}

fn events_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("seq", DataType::UInt64, false),
        Field::new("ts", timestamp(), false),
        text("kind"),
        text("rule"),
        text("group"),
        text("severity"),
        Field::new("labels", labels_type(), false),
        Field::new("value", DataType::Float64, false),
        Field::new("since", timestamp(), false),
        text("evidence"),
    ]))
}

fn alerts(hub: &AlertHub) -> RecordBatch {
    hub.read(|store| {
        let rows: Vec<_> = store.active().collect();
        let columns = vec![
            texts(rows.iter().map(|a| a.rule)),
            texts(rows.iter().map(|a| a.group)),
            labels(rows.iter().map(|a| a.labels)),
            texts(rows.iter().map(|a| a.severity)),
            texts(rows.iter().map(|a| a.state.as_str())),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|a| a.value))),
            timestamps(rows.iter().map(|a| Some(a.since))),
            timestamps(rows.iter().map(|a| a.fired_at)),
            timestamps(rows.iter().map(|a| a.resolved_at)),
            texts(rows.iter().map(|a| a.evidence)),
        ];
        batch(alerts_schema(), columns)
    })
}

fn events(hub: &AlertHub) -> RecordBatch {
    // Events are shared, so the state is held only while the list is copied.
    let rows: Vec<Arc<Event>> = hub.read(|store| store.events_after(0).events.cloned().collect());
    let columns = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|e| e.seq))) as ArrayRef,
        timestamps(rows.iter().map(|e| Some(e.ts))),
        texts(rows.iter().map(|e| e.kind.as_str())),
        texts(rows.iter().map(|e| e.rule.as_str())),
        texts(rows.iter().map(|e| e.group.as_str())),
        texts(rows.iter().map(|e| e.severity.as_str())),
        labels(rows.iter().map(|e| &e.labels)),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|e| e.value))),
        timestamps(rows.iter().map(|e| Some(e.since))),
        texts(rows.iter().map(|e| e.evidence.as_str())),
    ];
    batch(events_schema(), columns)
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn labels<'a>(sets: impl Iterator<Item = &'a Labels>) -> ArrayRef {
    labels_array(sets.map(Labels::iter))
}

fn timestamps(values: impl Iterator<Item = Option<TimestampMs>>) -> ArrayRef {
    let values: TimestampMillisecondArray = values.map(|ts| ts.map(|ts| ts.0)).collect();
    Arc::new(values.with_timezone("UTC"))
}

/// The columns were built for this schema, so they fit it; were they not, the table would be empty.
fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(Arc::clone(&schema), columns).unwrap_or_else(|error| {
        tracing::error!(%error, "a table of alert state does not fit its schema");
        RecordBatch::new_empty(schema)
    })
}

//! Table `system.damage`: what was found damaged in the files of the store since the program was started.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use barograph_engine::{Damage, Engine};
use barograph_query::sql::SystemTable;

/// The table over a store's ledger.
#[must_use]
pub fn damage_table(engine: &Arc<Engine>) -> SystemTable {
    let engine = Arc::clone(engine);
    SystemTable {
        name: "system.damage".to_owned(),
        schema: schema(),
        rows: Arc::new(move || rows(&engine.stats().damages)),
    }
}

fn schema() -> SchemaRef {
    let found_at = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("kind", DataType::Utf8, false),
        Field::new("path", DataType::Utf8, false),
        Field::new("what", DataType::Utf8, false),
        Field::new("found_at", found_at, false),
    ]))
}

fn rows(damages: &[Damage]) -> RecordBatch {
    let texts = |of: fn(&Damage) -> &str| Arc::new(StringArray::from_iter_values(damages.iter().map(of)));
    let found_at = TimestampMillisecondArray::from_iter_values(damages.iter().map(|d| d.found_at.0));
    let columns: Vec<ArrayRef> = vec![
        texts(|d| d.kind.as_str()),
        texts(|d| &d.path),
        texts(|d| &d.what),
        Arc::new(found_at.with_timezone("UTC")),
    ];
    // The columns were built for this schema, so they fit it; were they not, the table would be empty.
    RecordBatch::try_new(schema(), columns).unwrap_or_else(|error| {
        tracing::error!(%error, "the table of damage does not fit its schema");
        RecordBatch::new_empty(schema())
    })
}

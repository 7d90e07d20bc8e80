//! Texts as plain `Utf8`: the views that queries compute with are unknown to many readers.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

/// Turns the batches of one schema into those that every reader of Arrow knows.
#[derive(Debug, Clone)]
pub struct PlainTexts {
    schema: SchemaRef,
}

impl PlainTexts {
    /// For batches of a schema.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let plain = |field: &Arc<Field>| match field.data_type() {
            DataType::Utf8View => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8)),
            _ => Arc::clone(field),
        };
        Self {
            schema: Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>())),
        }
    }

    /// What comes out.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The same rows.
    ///
    /// # Errors
    /// Where the batch is of another schema, or a column of texts has more than 2 GiB.
    pub fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<_, _>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

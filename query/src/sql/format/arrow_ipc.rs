//! The Arrow IPC stream format.
//!
//! Texts leave as plain `Utf8`: the views that queries compute with are unknown to many readers.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

/// Writes one answer.
pub(super) struct IpcWriter {
    writer: StreamWriter<Vec<u8>>,
    schema: SchemaRef,
}

impl IpcWriter {
    pub(super) fn new(schema: &Schema) -> Result<Self, ArrowError> {
        let plain = |field: &Arc<Field>| match field.data_type() {
            DataType::Utf8View => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8)),
            _ => Arc::clone(field),
        };
        let schema = Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()));
        Ok(Self {
            writer: StreamWriter::try_new(Vec::new(), &schema)?,
            schema,
        })
    }

    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<_, _>>()?;
        self.writer
            .write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    pub(super) fn end(&mut self) -> Result<(), ArrowError> {
        self.writer.finish()
    }

    /// What has been written since the last call.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }
}

//! The Arrow IPC stream format.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

use super::plain_texts::PlainTexts;

/// Writes one answer.
pub(super) struct IpcWriter {
    writer: StreamWriter<Vec<u8>>,
    texts: PlainTexts,
}

impl IpcWriter {
    pub(super) fn new(schema: &Schema) -> Result<Self, ArrowError> {
        let texts = PlainTexts::new(schema);
        Ok(Self {
            writer: StreamWriter::try_new(Vec::new(), &texts.schema())?,
            texts,
        })
    }

    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.writer.write(&self.texts.batch(batch)?)
    }

    pub(super) fn end(&mut self) -> Result<(), ArrowError> {
        self.writer.finish()
    }

    /// What has been written since the last call.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }
}

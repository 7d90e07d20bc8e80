//! A statement as the client carries it: its text, and the values that are bound to it.
//!
//! Protobuf: field 1 the text, field 2 one batch of one row in the Arrow IPC stream format. Clients see opaque bytes. Nothing
//! is gained by making up one: it says no more than the statement that it holds.

use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use barograph_query::sql::{ScalarValue, SqlRequest};
use bytes::Bytes;
use prost::Message;
use tonic::Status;

use super::error::arrow_status;
use super::untrusted::{check_stream, guarded};

/// Bytes of the values that are bound to one statement.
pub(super) const VALUES_BYTES_MAX: usize = 1 << 20;

/// A statement.
#[derive(Clone, PartialEq, Message)]
pub struct Handle {
    #[prost(string, tag = "1")]
    sql: String,
    #[prost(bytes = "bytes", tag = "2")]
    values: Bytes,
}

impl Handle {
    /// A statement to which nothing is bound.
    #[must_use]
    pub fn new(sql: String) -> Self {
        Self {
            sql,
            values: Bytes::new(),
        }
    }

    /// What a client has sent back.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for bytes that are no handle.
    pub fn read(bytes: Bytes) -> Result<Self, Status> {
        Self::decode(bytes).map_err(|error| {
            Status::invalid_argument(format!("the handle is not one of this server: {error}"))
        })
    }

    /// The bytes for the client.
    #[must_use]
    pub fn write(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// The same statement with the values of one row.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for more or less than a row, and for more bytes than are allowed.
    pub fn bind(self, values: &RecordBatch) -> Result<Self, Status> {
        if values.num_rows() != 1 {
            let message = format!(
                "{} rows of values are bound, a query takes one",
                values.num_rows()
            );
            return Err(Status::invalid_argument(message));
        }
        let mut writer =
            StreamWriter::try_new(Vec::new(), &values.schema()).map_err(|error| arrow_status(&error))?;
        writer.write(values).map_err(|error| arrow_status(&error))?;
        let bytes = writer.into_inner().map_err(|error| arrow_status(&error))?;
        if bytes.len() > VALUES_BYTES_MAX {
            return Err(too_long());
        }
        Ok(Self {
            values: bytes.into(),
            ..self
        })
    }

    /// What the engine is asked.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` where the values are not readable.
    pub fn request(&self) -> Result<SqlRequest, Status> {
        let parameters = match self.values.is_empty() {
            true => Vec::new(),
            false => values(&self.values).map_err(|error| {
                Status::invalid_argument(format!(
                    "the handle is not one of this server: its values: {error}"
                ))
            })?,
        };
        Ok(SqlRequest {
            parameters,
            ..SqlRequest::new(&self.sql)
        })
    }
}

/// What says that values are too long.
pub(super) fn too_long() -> Status {
    Status::invalid_argument(format!(
        "the bound values have more than {VALUES_BYTES_MAX} bytes"
    ))
}

fn values(bytes: &[u8]) -> Result<Vec<ScalarValue>, ArrowError> {
    check_stream(bytes)?;
    let batch = guarded(|| {
        let mut batches = StreamReader::try_new(Cursor::new(bytes), None)?;
        batches.next().transpose()
    })?;
    let batch = batch
        .filter(|batch| batch.num_rows() == 1)
        .ok_or_else(|| ArrowError::IpcError("they are not one row".to_owned()))?;
    let columns = batch.columns().iter();
    columns
        .map(|column| {
            ScalarValue::try_from_array(column, 0).map_err(|error| ArrowError::IpcError(error.to_string()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn row(texts: &[&str]) -> RecordBatch {
        let text: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let number: ArrayRef = Arc::new(Float64Array::from(vec![None; texts.len()]));
        let fields = vec![
            Field::new("0", DataType::Utf8, true),
            Field::new("1", DataType::Float64, true),
        ];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![text, number]).unwrap()
    }

    #[test]
    fn a_handle_is_the_statement_with_its_values() {
        let handle = Handle::new("SELECT $1, $2".to_owned())
            .bind(&row(&["a"]))
            .unwrap();
        let request = Handle::read(handle.write()).unwrap().request().unwrap();
        assert_eq!(request.sql, "SELECT $1, $2");
        assert_eq!(
            request.parameters,
            [ScalarValue::from("a"), ScalarValue::Float64(None)]
        );
        let again = handle.bind(&row(&["b"])).unwrap().request().unwrap();
        assert_eq!(again.parameters[0], ScalarValue::from("b"));
    }

    #[test]
    fn what_is_no_handle_is_refused() {
        assert!(Handle::read(Bytes::from_static(b"\xff\xff\xff")).is_err());
        let broken = Handle {
            sql: "SELECT 1".to_owned(),
            values: Bytes::from_static(b"\x10\0\0\0ARROW"),
        };
        assert!(broken.request().is_err());
        let handle = Handle::new("SELECT $1, $2".to_owned());
        assert!(handle.clone().bind(&row(&[])).is_err());
        assert!(handle.clone().bind(&row(&["a", "b"])).is_err());
        assert!(
            handle
                .bind(&row(&["x".repeat(VALUES_BYTES_MAX).as_str()]))
                .is_err()
        );
    }
}

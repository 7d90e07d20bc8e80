//! An answer as a stream of pieces of bytes.

use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::arrow_ipc::IpcWriter;
use super::{csv, json};
use crate::sql::{SqlError, SqlErrorCode, SqlStream};

/// Pieces that wait for a slow reader.
const PIECES_WAITING_MAX: usize = 2;
/// Rows of one piece.
const PIECE_ROWS: usize = 8_192;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One object with columns and rows. Timestamps are RFC 3339 in UTC with milliseconds, NaN and infinities
    /// the texts `"NaN"`, `"+Inf"`, `"-Inf"`, whole numbers exact beyond 2^53 too.
    #[default]
    Json,
    /// RFC 4180 with a header; NULL is an empty field.
    Csv,
    /// The Arrow IPC stream format.
    Arrow,
}

impl Format {
    /// The media type of the answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

impl FromStr for Format {
    type Err = SqlError;

    fn from_str(text: &str) -> Result<Self, SqlError> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "arrow" => Ok(Self::Arrow),
            other => Err(
                SqlError::new(SqlErrorCode::Unsupported, format!("there is no format {other:?}"))
                    .with_hint("formats are json, csv and arrow"),
            ),
        }
    }
}

/// An answer as bytes. Dropping it ends the query.
///
/// The first piece comes with the first rows or the end, so that what fails before is the first item and can
/// still be answered as an error. After an error the bytes given before are not a whole answer.
#[derive(Debug)]
pub struct SqlBytes {
    pieces: mpsc::Receiver<Result<Bytes, SqlError>>,
    work: AbortHandle,
}

impl SqlStream {
    /// Writes the answer in a format, on the threads of the query.
    #[must_use]
    pub fn encode(mut self, format: Format) -> SqlBytes {
        let (sender, pieces) = mpsc::channel(PIECES_WAITING_MAX);
        let runtime = self.runtime().clone();
        let work = runtime.spawn(async move {
            let mut encoder = match Encoder::new(format, &self.schema()) {
                Ok(encoder) => encoder,
                Err(error) => return drop(sender.send(Err(failed(&error))).await),
            };
            while let Some(batch) = self.next().await {
                let batch = match batch {
                    Ok(batch) => batch,
                    Err(error) => return drop(sender.send(Err(error)).await),
                };
                for start in (0..batch.num_rows()).step_by(PIECE_ROWS) {
                    let rows = batch.slice(start, PIECE_ROWS.min(batch.num_rows() - start));
                    let piece = encoder.rows(&rows).map_err(|error| failed(&error));
                    let over = piece.is_err();
                    if sender.send(piece).await.is_err() || over {
                        return;
                    }
                }
            }
            // The reader may have gone; then nobody misses the end.
            let _ = sender.send(encoder.end().map_err(|error| failed(&error))).await;
        });
        SqlBytes {
            pieces,
            work: work.abort_handle(),
        }
    }
}

fn failed(error: &ArrowError) -> SqlError {
    SqlError::new(SqlErrorCode::Execution, format!("writing the answer: {error}"))
}

impl Stream for SqlBytes {
    type Item = Result<Bytes, SqlError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_recv(cx)
    }
}

impl Drop for SqlBytes {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// Bytes not yet given away, and what is needed to go on.
pub(crate) struct Encoder {
    kind: Kind,
    out: Vec<u8>,
    first: bool,
}

enum Kind {
    Json,
    Csv,
    Arrow(Box<IpcWriter>),
}

impl Encoder {
    pub(crate) fn new(format: Format, schema: &Schema) -> Result<Self, ArrowError> {
        let (kind, out) = match format {
            Format::Json => (Kind::Json, json::begin(schema)),
            Format::Csv => (Kind::Csv, csv::begin(schema)),
            Format::Arrow => (Kind::Arrow(Box::new(IpcWriter::new(schema)?)), Vec::new()),
        };
        Ok(Self {
            kind,
            out,
            first: true,
        })
    }

    /// The next piece.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        match &mut self.kind {
            Kind::Json => json::rows(batch, self.first, &mut self.out),
            Kind::Csv => csv::rows(batch, &mut self.out),
            Kind::Arrow(writer) => {
                writer.rows(batch)?;
                self.out = writer.take();
            }
        }
        self.first = false;
        Ok(std::mem::take(&mut self.out).into())
    }

    /// The last piece.
    pub(crate) fn end(&mut self) -> Result<Bytes, ArrowError> {
        match &mut self.kind {
            Kind::Json => self.out.extend_from_slice(json::END),
            Kind::Csv => {}
            Kind::Arrow(writer) => {
                writer.end()?;
                self.out = writer.take();
            }
        }
        Ok(std::mem::take(&mut self.out).into())
    }
}

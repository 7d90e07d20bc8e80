//! Writes an answer as a table, CSV, JSON or Parquet.
//!
//! CSV and JSON are passed on as they arrive; Parquet is written batch by batch; only a table is held whole,
//! because its columns are as wide as their widest cell.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use barograph_query::sql::render_table;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::source::{Answer, AnswerBytes, Source};
use super::{OutputFormat, SqlFailure};

/// A query that runs, and how its answer is written.
#[derive(Debug)]
pub(in crate::cli) enum Rendered {
    /// Bytes that are written already.
    Bytes {
        bytes: AnswerBytes,
        /// Read ahead, because errors of a query show with its first rows.
        first: Option<Bytes>,
    },
    /// Rows to write.
    Rows {
        answer: Answer,
        /// Read ahead, for the same reason.
        first: Option<RecordBatch>,
        format: OutputFormat,
    },
}

impl Rendered {
    /// Runs a query up to its first rows, so that most errors come before anything is written.
    pub(in crate::cli) async fn start(
        source: &Source,
        query: &str,
        format: OutputFormat,
    ) -> Result<Self, SqlFailure> {
        if matches!(format, OutputFormat::Csv | OutputFormat::Json) {
            let mut bytes = source.bytes(query, format).await?;
            let first = bytes.next().await?;
            return Ok(Self::Bytes { bytes, first });
        }
        let mut answer = source.batches(query).await?;
        let first = answer.next().await?;
        Ok(Self::Rows {
            answer,
            first,
            format,
        })
    }

    /// Writes the whole answer.
    pub(in crate::cli) async fn write_to<W: Write + Send>(&mut self, out: &mut W) -> Result<(), SqlFailure> {
        let failed = |source| SqlFailure::Write { source };
        match self {
            Self::Bytes { bytes, first } => {
                let mut next = first.take();
                while let Some(piece) = next {
                    out.write_all(&piece).map_err(failed)?;
                    next = bytes.next().await?;
                }
            }
            Self::Rows {
                answer,
                first,
                format: OutputFormat::Parquet,
            } => {
                write_parquet(answer, first.take(), &mut *out).await?;
            }
            Self::Rows {
                answer,
                first,
                format: _,
            } => {
                let mut batches: Vec<_> = first.take().into_iter().collect();
                while let Some(batch) = answer.next().await? {
                    batches.push(batch);
                }
                let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
                let table = render_table(&answer.schema(), &batches);
                let unit = if rows == 1 { "row" } else { "rows" };
                writeln!(out, "{table}({rows} {unit})").map_err(failed)?;
            }
        }
        out.flush().map_err(failed)
    }
}

async fn write_parquet<W: Write + Send>(
    answer: &mut Answer,
    first: Option<RecordBatch>,
    out: W,
) -> Result<(), SqlFailure> {
    let failed = |error: ParquetError| SqlFailure::Write {
        source: io::Error::other(error),
    };
    let zstd = ZstdLevel::try_new(3).map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        .build();
    let mut writer = ArrowWriter::try_new(out, answer.schema(), Some(properties)).map_err(failed)?;
    let mut next = first;
    while let Some(batch) = next {
        writer.write(&batch).map_err(failed)?;
        next = answer.next().await?;
    }
    writer.close().map(drop).map_err(failed)
}

//! Writes an answer as a table, CSV, JSON or Parquet.
//!
//! CSV and JSON of a server are passed through as they arrive; Parquet is written batch by batch; only a table
//! is held whole, because its columns are as wide as their widest cell.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches_with_schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use reqwest::Response;

use super::remote::chunk;
use super::source::{Answer, Source};
use super::{OutputFormat, SqlFailure};

/// A query that runs, and how its answer is written.
#[derive(Debug)]
pub(in crate::cli) enum Rendered {
    /// Bytes that are written already.
    Passthrough(Response),
    /// Rows to write.
    Rows {
        answer: Answer,
        /// Read ahead, because errors of a query show with its first rows.
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
        if let (Source::Remote(remote), OutputFormat::Csv | OutputFormat::Json) = (source, format) {
            return Ok(Self::Passthrough(remote.post(query, format.name()).await?));
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
            Self::Passthrough(response) => {
                let mut ends_line = true;
                while let Some(bytes) = chunk(response).await? {
                    ends_line = bytes.ends_with(b"\n");
                    out.write_all(&bytes).map_err(failed)?;
                }
                // A shell's prompt belongs on a line of its own; a JSON answer need not end in one.
                if !ends_line {
                    out.write_all(b"\n").map_err(failed)?;
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
                write_table(answer, &batches, out).map_err(failed)?;
            }
        }
        out.flush().map_err(failed)
    }
}

fn write_table(answer: &Answer, batches: &[RecordBatch], out: &mut dyn Write) -> io::Result<()> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let table = pretty_format_batches_with_schema(answer.schema(), batches);
    writeln!(out, "{}", table.map_err(io::Error::other)?)?;
    writeln!(out, "({rows} {})", if rows == 1 { "row" } else { "rows" })
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

//! What is inside one file of a store, for people: columns and their encodings, bytes a sample by metric, records of a
//! log.
//!
//! A file is known by its first bytes and not by its name. Nothing vouches for the bytes, so nothing is trusted: counts
//! are capped by what is there, and a file that cannot be decoded is an error that says so.

mod again;
mod checkpoint;
mod columns;
mod index;
mod log;
mod manifest;
mod rollup;
mod samples;
mod series;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

pub use checkpoint::CheckpointFigures;
pub use columns::{ColumnFigures, ParquetFigures};
pub use index::IndexFigures;
pub use log::{KindFigures, LogFigures};
pub use manifest::{ManifestFigures, SegmentFigures};
pub use rollup::RollupFigures;
pub use samples::{MetricFigures, SamplesFigures};
pub use series::{LabelFigures, MetricSeries, SeriesFigures};

use crate::segment::Walk;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// What is inside a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Inspection {
    /// The samples of a segment.
    Samples(SamplesFigures),
    /// The buckets of a rollup.
    Rollup(RollupFigures),
    /// The series of a segment.
    Series(SeriesFigures),
    /// The index of a segment.
    Index(IndexFigures),
    /// Another Parquet file.
    Parquet(ParquetFigures),
    /// A file of the write-ahead log or of a journal.
    Log(LogFigures),
    /// A journal's checkpoint.
    Checkpoint(CheckpointFigures),
    /// A manifest.
    Manifest(ManifestFigures),
}

/// Looks into a file of a folder. Beside a file of samples its series file is read too, where there is one, since the
/// samples do not say which metric they are of.
///
/// # Errors
/// [`EngineError::Io`] when the file cannot be read; [`EngineError::Corrupt`] and [`EngineError::Parquet`] when it is
/// none of this program's, or damaged.
pub fn inspect(vfs: &Arc<dyn Vfs>, path: &str) -> Result<Inspection> {
    let bytes = vfs
        .read(path)
        .map_err(EngineError::io("read", vfs.root().join(path)))?;
    let series = path
        .strip_suffix(".samples.parquet")
        .and_then(|name| vfs.read(&format!("{name}.series.parquet")).ok());
    inspect_bytes(path, bytes, series)
}

/// Looks into the bytes of a file; `series` are those of the series file that belongs to a file of samples.
///
/// # Errors
/// Those of [`inspect`].
pub fn inspect_bytes(path: &str, bytes: Bytes, series: Option<Bytes>) -> Result<Inspection> {
    if bytes.starts_with(b"PAR1") {
        let walk = Walk::open(path, bytes.clone())?;
        let figures = columns::figures(path, &walk, bytes.len() as u64)?;
        let has = |name: &str| figures.columns.iter().any(|column| column.name == name);
        if has("vm") && has("ve") && has("vf") {
            return samples::figures(path, &walk, figures, series).map(Inspection::Samples);
        }
        if has("stale_ts") && has("before_resets_m") {
            return rollup::figures(&walk, figures).map(Inspection::Rollup);
        }
        if has("metric") && has("first_row") {
            return series::figures(&walk, figures).map(Inspection::Series);
        }
        return Ok(Inspection::Parquet(figures));
    }
    if bytes.starts_with(b"BAROIDX\n") {
        return index::figures(path, &bytes).map(Inspection::Index);
    }
    if bytes.starts_with(&crate::wal::FILE_MAGIC) {
        return log::figures(path, &bytes).map(Inspection::Log);
    }
    if bytes.starts_with(&crate::journal::checkpoint::MAGIC) {
        return checkpoint::figures(path, &bytes).map(Inspection::Checkpoint);
    }
    if bytes.starts_with(b"barograph-manifest ") {
        return manifest::figures(path, &bytes).map(Inspection::Manifest);
    }
    Err(EngineError::Corrupt {
        path: PathBuf::from(path),
        offset: 0,
        expected: "the first bytes of a segment, log, checkpoint or manifest".to_owned(),
        found: format!("{:?}", bytes.slice(..bytes.len().min(8))),
    })
}

/// `part` of `whole`, 0 where there is nothing.
fn ratio(part: f64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part / whole as f64 }
}

#[cfg(test)]
mod tests;

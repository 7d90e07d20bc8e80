//! The index of a segment.

use serde::Serialize;

use super::ratio;
use crate::Result;
use crate::segment::IndexWalk;

/// What an index holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IndexFigures {
    /// Length of the file.
    pub bytes: u64,
    /// Series that it finds.
    pub series: u64,
    /// `bytes` by `series`.
    pub bytes_per_series: f64,
    /// Rows of the samples file.
    pub rows: u64,
    /// Runs of series with the same metric, job and instance.
    pub groups: u64,
    /// Pairs of a label and a value.
    pub label_pairs: u64,
    /// Its parts in their order, with their bytes.
    pub sections: Vec<(&'static str, u64)>,
}

/// Reads it.
pub(super) fn figures(path: &str, bytes: &bytes::Bytes) -> Result<IndexFigures> {
    let index = IndexWalk::of_any_segment(path, bytes)?;
    let (series, rows, groups, label_pairs) = index.counts();
    Ok(IndexFigures {
        bytes: bytes.len() as u64,
        series,
        bytes_per_series: ratio(bytes.len() as f64, series),
        rows,
        groups,
        label_pairs,
        sections: index.sections(),
    })
}

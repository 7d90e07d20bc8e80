//! The buckets of a rollup: what they stand for, and what they cost.

use serde::Serialize;

use super::columns::ParquetFigures;
use super::ratio;
use crate::Result;
use crate::segment::Walk;

/// A file of buckets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RollupFigures {
    /// What the footer tells.
    pub file: ParquetFigures,
    /// Bytes of the whole file by its rows.
    pub bytes_per_bucket: f64,
    /// Runs of buckets of one series: the series of the file, where it is sound.
    pub series: u64,
    /// Samples that the buckets stand for, staleness markers apart.
    pub samples: u64,
    /// Bytes of the whole file by those.
    pub bytes_per_sample: f64,
    /// Buckets whose newest row is a staleness marker.
    pub stale_buckets: u64,
    /// Resets of counters inside buckets.
    pub resets: u64,
    /// Buckets that cannot be: their counts are negative, or their exponent is none.
    pub unreadable_buckets: u64,
}

/// Reads every row.
pub(super) fn figures(walk: &Walk, file: ParquetFigures) -> Result<RollupFigures> {
    let mut figures = RollupFigures {
        bytes_per_bucket: ratio(file.bytes as f64, file.rows),
        file,
        series: 0,
        samples: 0,
        bytes_per_sample: 0.0,
        stale_buckets: 0,
        resets: 0,
        unreadable_buckets: 0,
    };
    let mut before = None;
    let mut buckets = walk.buckets()?;
    while let Some(batch) = buckets.next()? {
        for row in 0..batch.len() {
            let id = batch.ids.value(row);
            figures.series += u64::from(before != Some(id));
            before = Some(id);
            let Ok(bucket) = batch.row(row) else {
                figures.unreadable_buckets += 1;
                continue;
            };
            figures.samples += u64::from(bucket.count);
            figures.resets += u64::from(bucket.resets);
            figures.stale_buckets += u64::from(bucket.is_stale());
        }
    }
    figures.bytes_per_sample = ratio(figures.file.bytes as f64, figures.samples);
    Ok(figures)
}

//! The buckets of a rollup: what they stand for, and what they cost.

use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;

use super::again::Again;
use super::columns::ParquetFigures;
use super::ratio;
use crate::Result;
use crate::rollup::BucketColumns;
use crate::segment::{BucketPages, Walk};

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
    /// Where queries, which have a decoder of their own, read something else or cannot read on; `None` for a file that a
    /// store has written.
    pub read_otherwise: Option<String>,
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
        read_otherwise: None,
    };
    let mut again = Again::new(walk.bucket_pages());
    let mut before = None;
    let mut buckets = walk.buckets()?;
    while let Some(batch) = buckets.next()? {
        again.next(batch.len(), |pages, rows| differing(pages, rows, &batch));
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
    figures.read_otherwise = again.found();
    Ok(figures)
}

/// The first bucket of a batch that queries read otherwise.
fn differing(
    pages: &mut BucketPages<Bytes>,
    rows: Range<usize>,
    batch: &BucketColumns,
) -> Result<Option<usize>> {
    let mut buckets = Vec::new();
    pages.read(rows, &mut buckets)?;
    Ok(
        (0..batch.len()).find(|row| match (batch.row(*row), buckets.get(*row)) {
            (Ok(bucket), Some(again)) => !bucket.is_same(again),
            _ => true,
        }),
    )
}

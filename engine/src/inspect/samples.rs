//! The samples of a segment: what they are like, and what each metric costs.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::Array;
use barograph_model::{TimeRange, is_stale};
use bytes::Bytes;
use serde::Serialize;

use super::again::Again;
use super::columns::{self, ParquetFigures, Piece};
use super::ratio;
use crate::Result;
use crate::segment::{SamplePages, SamplesBatch, Walk};

/// A file of samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SamplesFigures {
    /// What the footer tells.
    pub file: ParquetFigures,
    /// Bytes of the whole file by its rows.
    pub bytes_per_sample: f64,
    /// Runs of rows of one series: the series of the file, where it is sound.
    pub series: u64,
    /// Series whose samples are all exact decimals, staleness markers apart.
    pub decimal_series: u64,
    /// Series whose samples all have the same value, staleness markers apart.
    pub constant_series: u64,
    /// Samples that are exact decimals.
    pub decimal_samples: u64,
    /// Staleness markers.
    pub stale_samples: u64,
    /// By metric, the dearest first. `None` without the series file, which alone knows the metrics.
    pub metrics: Option<Vec<MetricFigures>>,
    /// Why `metrics` is missing.
    pub metrics_missing: Option<String>,
    /// Where queries, which have a decoder of their own, read something else or cannot read on; `None` for a file that a
    /// store has written.
    pub read_otherwise: Option<String>,
}

/// What a metric costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricFigures {
    /// Its name.
    pub metric: String,
    /// Series.
    pub series: u64,
    /// Samples.
    pub samples: u64,
    /// Its share of the pages that its rows lie in, by rows: exact where it has a page for itself, an estimate where
    /// it shares one, since nobody knows which of a page's bytes are whose.
    pub bytes: f64,
    /// `bytes` by `samples`.
    pub bytes_per_sample: f64,
}

/// Reads every row.
pub(super) fn figures(
    path: &str,
    walk: &Walk,
    file: ParquetFigures,
    series: Option<Bytes>,
) -> Result<SamplesFigures> {
    let mut runs = Runs::default();
    let mut samples = walk.samples()?;
    let mut again = Again::new(walk.pages());
    while let Some(batch) = samples.next()? {
        runs.batch(&batch);
        again.next(batch.ids.len(), |pages, rows| differing(pages, rows, &batch));
    }
    runs.end();
    let ranges = match series {
        None => Err("there is no series file beside it".to_owned()),
        Some(bytes) => {
            metric_ranges(&path.replace(".samples.", ".series."), bytes).map_err(|e| e.to_string())
        }
    };
    let (metrics, metrics_missing) = match ranges {
        Ok(ranges) => (Some(by_metric(&ranges, &columns::pieces(walk))), None),
        Err(why) => (None, Some(why)),
    };
    Ok(SamplesFigures {
        bytes_per_sample: ratio(file.bytes as f64, file.rows),
        file,
        series: runs.series,
        decimal_series: runs.decimal_series,
        constant_series: runs.constant_series,
        decimal_samples: runs.decimal_samples,
        stale_samples: runs.stale_samples,
        metrics,
        metrics_missing,
        read_otherwise: again.found(),
    })
}

/// The first row of a batch that queries read otherwise.
fn differing(
    pages: &mut SamplePages<Bytes>,
    rows: Range<usize>,
    batch: &SamplesBatch,
) -> Result<Option<usize>> {
    let (mut ts, mut values) = (Vec::new(), Vec::new());
    pages.read(rows.clone(), TimeRange::ALL, &mut ts, &mut values)?;
    Ok((0..rows.len()).find(|i| {
        let same_ts = ts.get(*i) == Some(&batch.ts.value(*i));
        !same_ts || values.get(*i).map(|value| value.to_bits()) != batch.value(*i).map(f64::to_bits)
    }))
}

/// Counts over runs of rows of one series.
#[derive(Default)]
struct Runs {
    series: u64,
    decimal_series: u64,
    constant_series: u64,
    decimal_samples: u64,
    stale_samples: u64,
    current: Option<Run>,
}

struct Run {
    id: i64,
    is_decimal: bool,
    is_constant: bool,
    /// mantissa, exponent and bits of the float of its first sample that is no staleness marker
    first: Option<(i64, i32, Option<u64>)>,
}

impl Runs {
    fn batch(&mut self, batch: &SamplesBatch) {
        for i in 0..batch.ids.len() {
            let id = batch.ids.value(i);
            if self.current.as_ref().is_none_or(|run| run.id != id) {
                self.end();
            }
            let run = self.current.get_or_insert(Run {
                id,
                is_decimal: true,
                is_constant: true,
                first: None,
            });
            let float = batch.floats.is_valid(i).then(|| batch.floats.value(i));
            if float.is_some_and(is_stale) {
                self.stale_samples += 1;
                continue;
            }
            self.decimal_samples += u64::from(float.is_none());
            run.is_decimal &= float.is_none();
            // Beside a float the mantissa means nothing.
            let value = match float {
                Some(float) => (0, 0, Some(float.to_bits())),
                None => (batch.mantissas.value(i), batch.exponents.value(i), None),
            };
            run.is_constant &= *run.first.get_or_insert(value) == value;
        }
    }

    fn end(&mut self) {
        if let Some(run) = self.current.take() {
            self.series += 1;
            self.decimal_series += u64::from(run.is_decimal);
            self.constant_series += u64::from(run.is_constant);
        }
    }
}

/// Rows of one metric that lie together.
struct MetricRange {
    metric: String,
    start: u64,
    end: u64,
    series: u64,
}

fn metric_ranges(path: &str, bytes: Bytes) -> Result<Vec<MetricRange>> {
    let mut series = Walk::open(path, bytes)?.series()?;
    let mut ranges: Vec<MetricRange> = Vec::new();
    while let Some(batch) = series.next()? {
        for entry in batch {
            let start = columns::positive(entry.first_row);
            let end = start.saturating_add(columns::positive(entry.rows));
            match ranges.last_mut() {
                Some(last) if last.metric == entry.metric && last.end == start => {
                    last.end = end;
                    last.series += 1;
                }
                _ => ranges.push(MetricRange {
                    metric: entry.metric,
                    start,
                    end,
                    series: 1,
                }),
            }
        }
    }
    Ok(ranges)
}

/// Shares out the pieces by rows.
fn by_metric(ranges: &[MetricRange], pieces: &[Piece]) -> Vec<MetricFigures> {
    let mut bytes = vec![0.0; ranges.len()];
    for piece in pieces {
        let rows = piece.end - piece.start;
        if rows == 0 {
            continue;
        }
        // Ranges ascend in a sound file; in another one the shares are wrong, and nothing else is.
        let first = ranges.partition_point(|range| range.end <= piece.start);
        for (i, range) in ranges.iter().enumerate().skip(first) {
            if range.start >= piece.end {
                break;
            }
            let shared = piece
                .end
                .min(range.end)
                .saturating_sub(piece.start.max(range.start));
            bytes[i] += piece.bytes as f64 * shared as f64 / rows as f64;
        }
    }
    let mut metrics: BTreeMap<&str, (u64, u64, f64)> = BTreeMap::new();
    for (range, bytes) in ranges.iter().zip(bytes) {
        let sum = metrics.entry(&range.metric).or_default();
        sum.0 += range.series;
        sum.1 = sum.1.saturating_add(range.end - range.start);
        sum.2 += bytes;
    }
    let mut metrics: Vec<MetricFigures> = metrics
        .into_iter()
        .map(|(metric, (series, samples, bytes))| MetricFigures {
            metric: metric.to_owned(),
            series,
            samples,
            bytes,
            bytes_per_sample: ratio(bytes, samples),
        })
        .collect();
    metrics.sort_by(|a, b| b.bytes.total_cmp(&a.bytes));
    metrics
}

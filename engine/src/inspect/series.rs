//! The series of a segment: how many of which metric, and which labels make them many.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{ParquetFigures, positive};
use super::ratio;
use crate::Result;
use crate::segment::Walk;

/// A file of series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesFigures {
    /// What the footer tells.
    pub file: ParquetFigures,
    /// Bytes of the whole file by its rows.
    pub bytes_per_series: f64,
    /// Samples in the file of samples beside it.
    pub samples: u64,
    /// By metric, those with the most series first.
    pub metrics: Vec<MetricSeries>,
    /// By label name, those with the most values first.
    pub labels: Vec<LabelFigures>,
}

/// The series of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricSeries {
    /// Its name.
    pub metric: String,
    /// Series.
    pub series: u64,
    /// Samples.
    pub samples: u64,
}

/// A label name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelFigures {
    /// The name.
    pub name: String,
    /// Series that have it.
    pub series: u64,
    /// Values that differ.
    pub values: u64,
    /// Bytes of the values as text, each as often as a series has it; in the file sets of labels stand once.
    pub text_bytes: u64,
}

/// What is known of a label name so far.
#[derive(Default)]
struct Label {
    series: u64,
    /// hashes of the values
    values: HashSet<u64>,
    text_bytes: u64,
}

/// Reads every row. Takes eight bytes of memory, and what a set needs around them, for each label value that differs.
pub(super) fn figures(walk: &Walk, file: ParquetFigures) -> Result<SeriesFigures> {
    let mut series = walk.series()?;
    let mut metrics: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut labels: BTreeMap<String, Label> = BTreeMap::new();
    let mut samples = 0u64;
    while let Some(batch) = series.next()? {
        for entry in batch {
            let rows = positive(entry.rows);
            samples = samples.saturating_add(rows);
            for (name, value) in entry.labels.iter() {
                if !labels.contains_key(name) {
                    labels.insert(name.to_owned(), Label::default());
                }
                if let Some(label) = labels.get_mut(name) {
                    label.series += 1;
                    label.text_bytes += value.len() as u64;
                    label.values.insert(xxh3_64(value.as_bytes()));
                }
            }
            let metric = metrics.entry(entry.metric).or_default();
            metric.0 += 1;
            metric.1 = metric.1.saturating_add(rows);
        }
    }
    let mut metrics: Vec<MetricSeries> = metrics
        .into_iter()
        .map(|(metric, (series, samples))| MetricSeries {
            metric,
            series,
            samples,
        })
        .collect();
    metrics.sort_by_key(|m| std::cmp::Reverse(m.series));
    let mut labels: Vec<LabelFigures> = labels
        .into_iter()
        .map(|(name, label)| LabelFigures {
            name,
            series: label.series,
            values: label.values.len() as u64,
            text_bytes: label.text_bytes,
        })
        .collect();
    labels.sort_by_key(|l| std::cmp::Reverse(l.values));
    Ok(SeriesFigures {
        bytes_per_series: ratio(file.bytes as f64, file.rows),
        file,
        samples,
        metrics,
        labels,
    })
}

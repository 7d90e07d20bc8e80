//! What has been read, and what of it must be found in the target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The samples of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    /// Distinct ones: a series and an instant count once.
    pub(super) samples: u64,
    pub(super) ts_min: i64,
    pub(super) ts_max: i64,
}

/// What has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Samples, duplicates among them.
    pub(super) samples: u64,
    /// Samples whose series and instant are those of the sample before: the later one counts.
    pub(super) duplicates: u64,
    /// Lines that were left out.
    pub(super) bad: u64,
    /// Exemplars that were left out.
    pub(super) exemplars: u64,
    /// By metric.
    pub(super) metrics: BTreeMap<String, Count>,
}

impl Tally {
    /// Counts distinct samples of a metric.
    pub(super) fn count(&mut self, metric: &str, more: Count) {
        match self.metrics.get_mut(metric) {
            Some(count) => {
                count.samples += more.samples;
                count.ts_min = count.ts_min.min(more.ts_min);
                count.ts_max = count.ts_max.max(more.ts_max);
            }
            None => {
                self.metrics.insert(metric.to_owned(), more);
            }
        }
    }

    /// Adds what another one counts.
    pub(super) fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.duplicates += other.duplicates;
        self.bad += other.bad;
        self.exemplars += other.exemplars;
        for (metric, count) in &other.metrics {
            self.count(metric, *count);
        }
    }

    /// Distinct samples.
    pub(super) fn distinct(&self) -> u64 {
        self.metrics.values().map(|count| count.samples).sum()
    }

    /// The first and the last instant; `None` without samples.
    pub(super) fn range(&self) -> Option<(i64, i64)> {
        let starts = self.metrics.values().map(|count| count.ts_min).min()?;
        let ends = self.metrics.values().map(|count| count.ts_max).max()?;
        Some((starts, ends))
    }
}

//! One tenant: its limits, its buckets, its series, what it was refused.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::TenantLimits;
use super::bucket::Bucket;
use super::refusal::{LimitRefusal, Whose};
use crate::ingest::LabelLimits;

/// Seconds of `samples_per_second` that may come at once where no burst is set.
const BURST_S: f64 = 10.0;

/// How long after the head was renewed the number of series from before still counts, since each is only found to be
/// written when it is written again: two scrapes of a minute, and some.
const RECOUNT_NS: u64 = 5 * 60_000_000_000;

/// What was refused for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RefusedCounts {
    /// Requests of which all or a part was refused.
    pub requests: u64,
    /// Samples, exemplars, histograms and metadata entries that were refused, as far as they had been counted by then.
    pub samples: u64,
}

/// A tenant, or all of them together.
#[derive(Debug)]
pub struct Account {
    whose: Whose,
    limits: TenantLimits,
    labels: LabelLimits,
    samples_rate: Option<Bucket>,
    new_series_rate: Option<Bucket>,
    series: AtomicU64,
    /// series that were admitted and have not found their numbers yet
    entering: AtomicU64,
    /// series before the head was renewed, and until when they count
    series_before: AtomicU64,
    series_before_until_ns: AtomicU64,
    samples: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, RefusedCounts>>,
}

impl Account {
    pub(super) fn new(whose: Whose, limits: TenantLimits, labels: LabelLimits, now_ns: u64) -> Self {
        let samples_rate = limits.samples_per_second.map(|rate| {
            let burst = limits
                .samples_burst
                .map_or(rate as f64 * BURST_S, |burst| burst as f64);
            Bucket::new(rate as f64, burst, now_ns)
        });
        let new_series_rate = limits
            .new_series_per_minute
            .map(|rate| Bucket::new(rate as f64 / 60.0, rate as f64, now_ns));
        Self {
            whose,
            limits,
            labels: limits.lower(labels),
            samples_rate,
            new_series_rate,
            series: AtomicU64::new(0),
            entering: AtomicU64::new(0),
            series_before: AtomicU64::new(0),
            series_before_until_ns: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            refused: Mutex::default(),
        }
    }

    /// Its name; of all together and of those beyond the bound a word in its place.
    #[must_use]
    pub fn name(&self) -> &str {
        self.whose.name()
    }

    /// What a series' labels may be.
    #[must_use]
    pub fn labels(&self) -> &LabelLimits {
        &self.labels
    }

    /// Series of the head that it wrote first and within the last hour.
    #[must_use]
    pub fn series(&self) -> u64 {
        self.series.load(Relaxed) + self.entering.load(Relaxed)
    }

    /// Samples acknowledged to it.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples.load(Relaxed)
    }

    pub(crate) fn add_samples(&self, count: u64) {
        self.samples.fetch_add(count, Relaxed);
    }

    /// What was refused to it, by reason.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<&'static str, RefusedCounts> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn count_refused(&self, reason: &'static str, samples: u64) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = refused.entry(reason).or_default();
        counts.requests += 1;
        counts.samples += samples;
    }

    /// Whether a request may be read at all: the rate has something left.
    pub(super) fn check_rate(&self, now_ns: u64) -> Result<(), LimitRefusal> {
        self.take_samples(0.0, now_ns)
    }

    /// Takes samples from the rate.
    pub(super) fn take_samples(&self, count: f64, now_ns: u64) -> Result<(), LimitRefusal> {
        let Some(bucket) = &self.samples_rate else {
            return Ok(());
        };
        let taken = if count > 0.0 {
            bucket.take(count, now_ns)
        } else {
            bucket.check(now_ns)
        };
        taken.map_err(|retry_after_s| LimitRefusal::SamplesRate {
            whose: self.whose.clone(),
            limit: self.limits.samples_per_second.unwrap_or(0),
            retry_after_s,
        })
    }

    pub(super) fn put_samples_back(&self, count: f64) {
        if let Some(bucket) = &self.samples_rate {
            bucket.put_back(count);
        }
    }

    /// Whether one more series may be entered where there are `series`, for an account that does not count them itself.
    pub(super) fn check_new_series(
        &self,
        series: u64,
        is_rated: bool,
        now_ns: u64,
    ) -> Result<(), LimitRefusal> {
        match self.limits.series_max {
            Some(limit) if series >= limit => Err(self.series_refusal(limit)),
            _ => self.take_new_series(is_rated, now_ns),
        }
    }

    fn series_refusal(&self, limit: u64) -> LimitRefusal {
        LimitRefusal::SeriesMax {
            whose: self.whose.clone(),
            limit,
        }
    }

    fn take_new_series(&self, is_rated: bool, now_ns: u64) -> Result<(), LimitRefusal> {
        match &self.new_series_rate {
            Some(bucket) if is_rated => {
                bucket
                    .take(1.0, now_ns)
                    .map_err(|retry_after_s| LimitRefusal::NewSeriesRate {
                        whose: self.whose.clone(),
                        limit: self.limits.new_series_per_minute.unwrap_or(0),
                        retry_after_s,
                    })
            }
            _ => Ok(()),
        }
    }

    /// Admits one more series and counts it; [`Account::has_entered`] takes it back. `is_rated` is whether the rate of
    /// new series counts.
    pub(super) fn add_new_series(&self, is_rated: bool, now_ns: u64) -> Result<(), LimitRefusal> {
        let limit = self.limits.series_max.unwrap_or(u64::MAX);
        let before = match now_ns < self.series_before_until_ns.load(Relaxed) {
            true => self.series_before.load(Relaxed),
            false => 0,
        };
        let series = self.series.load(Relaxed);
        let room = |entering: u64| ((series + entering).max(before) < limit).then_some(entering + 1);
        if self.entering.fetch_update(Relaxed, Relaxed, room).is_err() {
            return Err(self.series_refusal(limit));
        }
        self.take_new_series(is_rated, now_ns)
            .inspect_err(|_| self.has_entered())
    }

    /// Takes back an admission of which nothing came.
    pub(super) fn take_back_new_series(&self, is_rated: bool) {
        self.has_entered();
        if let (true, Some(bucket)) = (is_rated, &self.new_series_rate) {
            bucket.put_back(1.0);
        }
    }

    /// A series that was admitted has its number, by which it is counted, or has been given up.
    pub(super) fn has_entered(&self) {
        self.entering.fetch_sub(1, Relaxed);
    }

    /// Counts a series that is known already.
    pub(super) fn add_series(&self) {
        self.series.fetch_add(1, Relaxed);
    }

    /// Counts a series no more. Never below zero: a recount may have forgotten it already.
    pub(super) fn remove_series(&self) {
        let less = |series: u64| Some(series.saturating_sub(1));
        let _ = self.series.fetch_update(Relaxed, Relaxed, less);
    }

    /// The head has new numbers: its series are counted anew as they are written.
    pub(super) fn recount_series(&self, now_ns: u64) {
        self.series_before.store(self.series.swap(0, Relaxed), Relaxed);
        self.series_before_until_ns
            .store(now_ns.saturating_add(RECOUNT_NS), Relaxed);
    }
}

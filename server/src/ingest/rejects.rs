//! What of a request was refused while the rest of it is stored.

use std::collections::BTreeMap;
use std::ops::Range;

use barograph_model::{TimeRange, TimestampMs};
use thiserror::Error;

use super::histogram::HistogramFault;
use super::labels::{LabelFault, LabelSource};
use super::metadata::MetadataFault;
use super::written::Written;
use crate::tenants::LimitRefusal;

/// The kinds of refusal, as counted in `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectKind {
    /// Samples, histograms and exemplars of a series whose labels are not acceptable.
    Labels,
    /// Those too old or too far in the future.
    OutOfBounds,
    /// Exemplars whose own labels are not acceptable.
    Exemplar,
    /// Native histograms that are not sound.
    NativeHistogram,
    /// Metadata entries over a cap, or unreadable.
    Metadata,
    /// What a new series brought that is one too many.
    SeriesLimit,
}

impl RejectKind {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 6] = [
        Self::Labels,
        Self::OutOfBounds,
        Self::Exemplar,
        Self::NativeHistogram,
        Self::Metadata,
        Self::SeriesLimit,
    ];

    /// The value of the `reason` label in `/metrics`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::OutOfBounds => "out_of_bounds",
            Self::Exemplar => "exemplar",
            Self::NativeHistogram => "native_histogram",
            Self::Metadata => "metadata",
            Self::SeriesLimit => "series_limit",
        }
    }
}

/// What a series brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Sample,
    Histogram,
    Exemplar,
}

impl Item {
    pub(super) const ALL: [Self; 3] = [Self::Sample, Self::Histogram, Self::Exemplar];

    fn plural(self) -> &'static str {
        match self {
            Self::Sample => "samples",
            Self::Histogram => "native histograms",
            Self::Exemplar => "exemplars",
        }
    }
}

/// So many of each item.
type ItemCounts = [u64; Item::ALL.len()];

/// Why one part of a request was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub(super) enum Reason {
    #[error(transparent)]
    Labels(LabelFault),
    #[error("timestamp {} is outside what is accepted now, {} to {}", show_time(*ts), show_time(accepts.start), show_time(accepts.end))]
    OutOfBounds { ts: TimestampMs, accepts: TimeRange },
    #[error("the labels of an exemplar: {0}")]
    Exemplar(LabelFault),
    #[error(transparent)]
    Histogram(HistogramFault),
    #[error(transparent)]
    Metadata(MetadataFault),
    #[error(transparent)]
    SeriesLimit(LimitRefusal),
}

impl Reason {
    fn kind(&self) -> RejectKind {
        match self {
            Self::Labels(_) => RejectKind::Labels,
            Self::OutOfBounds { .. } => RejectKind::OutOfBounds,
            Self::Exemplar(_) => RejectKind::Exemplar,
            Self::Histogram(_) => RejectKind::NativeHistogram,
            Self::Metadata(_) => RejectKind::Metadata,
            Self::SeriesLimit(_) => RejectKind::SeriesLimit,
        }
    }
}

/// Counts of what was refused, by kind, and the first offender.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    counts: [ItemCounts; RejectKind::ALL.len()],
    metadata: u64,
    /// Series of which something was refused, and among them those refused for their labels.
    series: u64,
    series_labels: u64,
    /// Series refused for a limit, and what they brought by the limit's reason.
    series_limits: u64,
    limits: BTreeMap<&'static str, u64>,
    /// When the first of them that is only too early may be sent again.
    retry_after_s: Option<u32>,
    /// Where in the body the last series counted in `series` begins, so that it is counted once.
    last_series: Option<usize>,
    first: Option<(Option<Range<usize>>, Reason)>,
}

impl Rejects {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn count(&self, kind: RejectKind) -> u64 {
        match kind {
            RejectKind::Metadata => self.metadata,
            _ => self.counts[kind as usize].iter().sum(),
        }
    }

    /// Notes `count` items of the TimeSeries message at `series`.
    #[cold]
    pub(super) fn add(&mut self, series: Range<usize>, item: Item, count: u64, reason: Reason) {
        let mut counts = [0; Item::ALL.len()];
        counts[item as usize] = count;
        self.add_series(series, counts, reason);
    }

    /// Notes so many items of the TimeSeries message at `series`.
    #[cold]
    pub(super) fn add_series(&mut self, series: Range<usize>, counts: ItemCounts, reason: Reason) {
        let kind = reason.kind();
        for item in Item::ALL {
            self.counts[kind as usize][item as usize] += counts[item as usize];
        }
        self.series_labels += u64::from(kind == RejectKind::Labels);
        if let Reason::SeriesLimit(limit) = &reason {
            self.series_limits += 1;
            *self.limits.entry(limit.reason()).or_default() += counts.iter().sum::<u64>();
            self.retry_after_s = self.retry_after_s.or(limit.retry_after_s());
        }
        if self.last_series != Some(series.start) {
            self.last_series = Some(series.start);
            self.series += 1;
        }
        if self.first.is_none() {
            self.first = Some((Some(series), reason));
        }
    }

    /// Notes a metadata entry.
    #[cold]
    pub(super) fn add_metadata(&mut self, fault: MetadataFault) {
        self.metadata += 1;
        if self.first.is_none() {
            self.first = Some((None, Reason::Metadata(fault)));
        }
    }

    /// When the request may be sent again where a part of it was only too early.
    pub(super) fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// What was refused, by reason, without zeros.
    pub(super) fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let kinds = RejectKind::ALL
            .into_iter()
            .filter(|kind| *kind != RejectKind::SeriesLimit)
            .map(|kind| (kind.as_str(), self.count(kind)));
        let limits = self.limits.iter().map(|(reason, count)| (*reason, *count));
        kinds.filter(|(_, count)| *count > 0).chain(limits)
    }

    /// One line for the sender, `None` where nothing was refused. The rest is stored.
    pub(super) fn message(&self, source: LabelSource<'_>, stored: Written) -> Option<String> {
        let (offender, reason) = self.first.as_ref()?;
        let mut parts = Vec::new();
        let of = |kind: RejectKind| self.counts[kind as usize];
        if self.series_labels > 0 {
            let items = list(of(RejectKind::Labels), "").unwrap_or_else(|| "0 samples".to_owned());
            parts.push(format!(
                "{} series with unacceptable labels ({items})",
                self.series_labels
            ));
        }
        if self.series_limits > 0 {
            let items = list(of(RejectKind::SeriesLimit), "").unwrap_or_else(|| "0 samples".to_owned());
            parts.push(format!(
                "{} new series over a limit ({items})",
                self.series_limits
            ));
        }
        parts.extend(list(of(RejectKind::OutOfBounds), " out of bounds"));
        parts.extend(list(of(RejectKind::Exemplar), ""));
        parts.extend(list(of(RejectKind::NativeHistogram), ""));
        if self.metadata > 0 {
            parts.push(format!("{} metadata entries", self.metadata));
        }
        let parts = parts.join(", ");
        let series = self.series;
        let offender = offender
            .as_ref()
            .map(|range| source.show(range.clone()) + ": ")
            .unwrap_or_default();
        let stored = list([stored.samples, stored.histograms, stored.exemplars], "")
            .unwrap_or_else(|| "0 samples".to_owned());
        Some(format!(
            "refused {parts}, in {series} series; the other {stored} of the request are stored; first refused: \
             {offender}{reason}"
        ))
    }
}

/// `3 samples out of bounds, 1 exemplars out of bounds`; `None` where there is nothing.
fn list(counts: ItemCounts, suffix: &str) -> Option<String> {
    let items: Vec<String> = Item::ALL
        .into_iter()
        .filter(|&item| counts[item as usize] > 0)
        .map(|item| format!("{} {}{suffix}", counts[item as usize], item.plural()))
        .collect();
    (!items.is_empty()).then(|| items.join(", "))
}

/// An instant as a date, with its milliseconds where it is beyond what a calendar shows.
fn show_time(ts: TimestampMs) -> String {
    match chrono::DateTime::from_timestamp_millis(ts.0) {
        Some(date) => date.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        None => format!("{} ms", ts.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_as_dates() {
        assert_eq!(show_time(TimestampMs(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            show_time(TimestampMs(-62_167_219_200_000)),
            "0000-01-01T00:00:00.000Z"
        );
        assert_eq!(show_time(TimestampMs::MAX), "9223372036854775807 ms");
    }

    #[test]
    fn counts_series_once_and_names_the_first() {
        let mut rejects = Rejects::default();
        let stored = Written {
            samples: 5,
            exemplars: 1,
            ..Written::default()
        };
        assert_eq!(rejects.message(LabelSource::Inline(&[]), stored), None);
        let body = [
            0x0a, 0x0d, 0x0a, 8, b'_', b'_', b'n', b'a', b'm', b'e', b'_', b'_', 0x12, 1, b'm',
        ];
        let mixed = HistogramFault::Mixed {
            count: "a count of floats",
            field: "integer buckets",
        };
        rejects.add(0..15, Item::Histogram, 1, Reason::Histogram(mixed));
        rejects.add(0..15, Item::Exemplar, 2, Reason::Exemplar(LabelFault::EmptyName));
        rejects.add_series(20..30, [3, 0, 1], Reason::Labels(LabelFault::NoMetricName));
        rejects.add_metadata(MetadataFault::NoName);
        assert_eq!(rejects.count(RejectKind::Labels), 4);
        let text = rejects.message(LabelSource::Inline(&body), stored).unwrap();
        assert_eq!(
            text,
            "refused 1 series with unacceptable labels (3 samples, 1 exemplars), 2 exemplars, 1 \
             native histograms, 1 metadata entries, in 2 series; the other 5 samples, 1 exemplars of \
             the request are stored; first refused: m{}: a native histogram has a count of floats and integer \
             buckets, which do not go together"
        );
    }
}

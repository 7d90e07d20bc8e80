//! What of a request was refused while the rest of it is stored.

use std::collections::BTreeMap;
use std::ops::Range;

use barograph_model::{TimeRange, TimestampMs};
use thiserror::Error;

use super::labels::{LabelFault, show_labels};
use super::metadata::MetadataFault;
use crate::tenants::LimitRefusal;

/// The kinds of refusal, as counted in `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectKind {
    /// Samples of a series whose labels are not acceptable.
    Labels,
    /// Samples too old or too far in the future.
    OutOfBounds,
    /// Exemplars, which are not stored yet.
    Exemplar,
    /// Native histograms, which are not stored yet.
    NativeHistogram,
    /// Metadata entries over a cap, or unreadable.
    Metadata,
    /// Samples of a new series that is one too many.
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

/// Why one part of a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Reason {
    #[error(transparent)]
    Labels(LabelFault),
    #[error("timestamp {} is outside what is accepted now, {} to {}", show_time(*ts), show_time(accepts.start), show_time(accepts.end))]
    OutOfBounds { ts: TimestampMs, accepts: TimeRange },
    #[error("exemplars are not stored yet (set send_exemplars: false in the sender)")]
    Exemplar,
    #[error("native histograms are not stored yet (set send_native_histograms: false in the sender)")]
    NativeHistogram,
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
            Self::Exemplar => RejectKind::Exemplar,
            Self::NativeHistogram => RejectKind::NativeHistogram,
            Self::Metadata(_) => RejectKind::Metadata,
            Self::SeriesLimit(_) => RejectKind::SeriesLimit,
        }
    }
}

/// Counts of what was refused, by kind, and the first offender.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    counts: [u64; RejectKind::ALL.len()],
    /// Series of which something was refused, and among them those refused for their labels.
    series: u64,
    series_labels: u64,
    /// Series refused for a limit, and their samples by the limit's reason.
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
        self.counts[kind as usize]
    }

    /// Notes `count` things of the TimeSeries message at `series`.
    #[cold]
    pub(super) fn add(&mut self, series: Range<usize>, count: u64, reason: Reason) {
        self.counts[reason.kind() as usize] += count;
        self.series_labels += u64::from(reason.kind() == RejectKind::Labels);
        if let Reason::SeriesLimit(limit) = &reason {
            self.series_limits += 1;
            *self.limits.entry(limit.reason()).or_default() += count;
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
        self.counts[RejectKind::Metadata as usize] += 1;
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
            .filter(|kind| *kind != RejectKind::SeriesLimit);
        let kinds = kinds.map(|kind| (kind.as_str(), self.count(kind)));
        let limits = self.limits.iter().map(|(reason, count)| (*reason, *count));
        kinds.filter(|(_, count)| *count > 0).chain(limits)
    }

    /// One line for the sender, `None` where nothing was refused. `stored` samples were.
    pub(super) fn message(&self, body: &[u8], stored: usize) -> Option<String> {
        let (offender, reason) = self.first.as_ref()?;
        let mut parts = Vec::new();
        if self.series_labels > 0 {
            let samples = self.count(RejectKind::Labels);
            parts.push(format!(
                "{} series with unacceptable labels ({samples} samples)",
                self.series_labels
            ));
        }
        if self.series_limits > 0 {
            let samples = self.count(RejectKind::SeriesLimit);
            parts.push(format!(
                "{} new series over a limit ({samples} samples)",
                self.series_limits
            ));
        }
        for (kind, what) in [
            (RejectKind::OutOfBounds, "samples out of bounds"),
            (RejectKind::Exemplar, "exemplars"),
            (RejectKind::NativeHistogram, "native histograms"),
            (RejectKind::Metadata, "metadata entries"),
        ] {
            if self.count(kind) > 0 {
                parts.push(format!("{} {what}", self.count(kind)));
            }
        }
        let parts = parts.join(", ");
        let series = self.series;
        let offender = offender
            .as_ref()
            .map(|range| show_labels(body, range.clone()) + ": ")
            .unwrap_or_default();
        Some(format!(
            "refused {parts}, in {series} series; the other {stored} samples of the request are stored; \
             first refused: {offender}{reason}"
        ))
    }
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
        assert_eq!(rejects.message(&[], 5), None);
        let body = [
            0x0a, 0x0d, 0x0a, 8, b'_', b'_', b'n', b'a', b'm', b'e', b'_', b'_', 0x12, 1, b'm',
        ];
        rejects.add(0..15, 1, Reason::NativeHistogram);
        rejects.add(0..15, 2, Reason::Exemplar);
        rejects.add(20..30, 3, Reason::Labels(LabelFault::NoMetricName));
        rejects.add_metadata(MetadataFault::NoName);
        let text = rejects.message(&body, 5).unwrap();
        assert_eq!(
            text,
            "refused 1 series with unacceptable labels (3 samples), 2 exemplars, 1 native histograms, 1 metadata \
             entries, in 2 series; the other 5 samples of the request are stored; first refused: m{}: native \
             histograms are not stored yet (set send_native_histograms: false in the sender)"
        );
    }
}

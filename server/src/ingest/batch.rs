//! What a decoded request is, whichever message it came in: columns of samples, native histograms and exemplars.
//!
//! Invariants:
//! - `series[i]` owns the rows, histograms and exemplars from the end of `series[i - 1]` to its own ends, has at least
//!   one of them, and `fingerprints[i]` is the hash of its labels;
//! - what lies outside the accepted time range, or is not a sound histogram or exemplar, is not in the columns but in
//!   the rejects, never nowhere.

use std::ops::Range;

use barograph_model::{Exemplar, Histogram, TimeRange, TimestampMs};
use thiserror::Error;

use super::created::CreatedAt;
use super::labels::{LabelSource, LabelsError};
use super::limits::{LabelLimits, MetadataLimits};
use super::protobuf::{Reader, WireError};
use super::rejects::{Item, Reason, Rejects};
use super::{exemplar, histogram};

/// Why a body is not decoded at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum DecodeError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the symbols table does not begin with an empty text")]
    FirstSymbol,
    #[error("the request has more than {max} {what} (send smaller batches)")]
    TooMany { what: &'static str, max: usize },
}

/// A series of the request that has something to store.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesEntry {
    start: u32,
    end: u32,
    rows_end: u32,
    histograms_end: u32,
    exemplars_end: u32,
}

impl SeriesEntry {
    /// Where its message is in the body.
    pub(super) fn message(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// One past its last row.
    pub(super) fn rows_end(&self) -> usize {
        self.rows_end as usize
    }

    /// One past its last histogram.
    pub(super) fn histograms_end(&self) -> usize {
        self.histograms_end as usize
    }

    /// One past its last exemplar.
    pub(super) fn exemplars_end(&self) -> usize {
        self.exemplars_end as usize
    }
}

/// What a request is decoded with.
pub(super) struct DecodeRules<'a> {
    /// The instants that may be written now.
    pub(super) accepts: TimeRange,
    /// Samples in a request, and likewise series, histogram buckets, exemplars, symbols and metadata entries.
    pub(super) samples_max: usize,
    /// Bytes of labels that a request of 2.0 may stand for: a symbol is sent once and may be used a million times.
    pub(super) label_bytes_max: usize,
    /// For series that are checked before the store is asked.
    pub(super) labels: &'a LabelLimits,
    pub(super) exemplar_labels: &'a LabelLimits,
    pub(super) metadata: &'a MetadataLimits,
}

/// The decoded columns. Reused from request to request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) series: Vec<SeriesEntry>,
    pub(super) fingerprints: Vec<u128>,
    pub(super) ts: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// With their instants.
    pub(super) histograms: Vec<(i64, Histogram)>,
    pub(super) exemplars: Vec<Exemplar>,
    /// Counters that began lately, for which a zero may have to be written.
    pub(super) created: Vec<CreatedAt>,
    /// The label fields of a series, gathered to be hashed.
    pub(super) gathered: Vec<u8>,
    /// Buckets, spans and bounds so far.
    buckets: usize,
    /// Bytes of labels so far that the body does not bound.
    pub(super) label_bytes: usize,
    /// Rows of the request before, since senders keep to a batch size.
    rows_expected: usize,
}

/// A series in the middle of being decoded: where its things begin, and what of it was refused.
pub(super) struct OpenSeries {
    message: Range<usize>,
    rows: usize,
    histograms: usize,
    exemplars: usize,
    created: usize,
    /// Items out of bounds, by kind, and the first of their instants.
    late: [u64; Item::ALL.len()],
    late_first: Option<i64>,
    /// What was there at all.
    seen: [u64; Item::ALL.len()],
}

impl Batch {
    /// Makes it ready for a request.
    pub(super) fn begin(&mut self) {
        self.clear();
        self.ts.reserve(self.rows_expected);
        self.values.reserve(self.rows_expected);
    }

    /// Begins a series whose message is at `message`.
    #[inline]
    pub(super) fn open(&self, message: Range<usize>) -> OpenSeries {
        OpenSeries {
            message,
            rows: self.ts.len(),
            histograms: self.histograms.len(),
            exemplars: self.exemplars.len(),
            created: self.created.len(),
            late: [0; Item::ALL.len()],
            late_first: None,
            seen: [0; Item::ALL.len()],
        }
    }

    /// Adds a sample; `created` is 0 where nobody said when the counter began.
    #[inline]
    pub(super) fn push_sample(
        &mut self,
        open: &mut OpenSeries,
        (ts, value, created): (i64, f64, i64),
        rules: &DecodeRules<'_>,
    ) -> Result<(), DecodeError> {
        check_count("samples", self.ts.len(), rules.samples_max)?;
        open.seen[Item::Sample as usize] += 1;
        if !rules.accepts.contains(TimestampMs(ts)) {
            open.refuse_late(Item::Sample, ts);
            return Ok(());
        }
        self.ts.push(ts);
        self.values.push(value);
        if created != 0 {
            let entry = self.series.len() as u32;
            if let Some(created) = CreatedAt::of(entry, created, ts, rules.accepts)
                && self.created.last() != Some(&created)
            {
                self.created.push(created);
            }
        }
        Ok(())
    }

    /// Says when the counter of a series began, for those of its things that do not say it themselves.
    pub(super) fn set_created(&mut self, open: &OpenSeries, created: i64, rules: &DecodeRules<'_>) {
        let entry = self.series.len() as u32;
        let has_own = self.created.len() > open.created;
        if let (false, Some(&first)) = (has_own, self.ts.get(open.rows)) {
            self.created
                .extend(CreatedAt::of(entry, created, first, rules.accepts));
        }
        for (_, histogram) in &mut self.histograms[open.histograms..] {
            histogram.set_created_if_unknown(TimestampMs(created));
        }
    }

    /// Reads and adds a native histogram.
    pub(super) fn push_histogram(
        &mut self,
        open: &mut OpenSeries,
        message: Reader<'_>,
        rules: &DecodeRules<'_>,
        rejects: &mut Rejects,
    ) -> Result<(), DecodeError> {
        check_count("histograms", self.histograms.len(), rules.samples_max)?;
        open.seen[Item::Histogram as usize] += 1;
        let (ts, read) = histogram::read(message, &mut self.buckets, rules.samples_max)?;
        if !rules.accepts.contains(TimestampMs(ts)) {
            open.refuse_late(Item::Histogram, ts);
            return Ok(());
        }
        match read {
            Ok(histogram) => self.histograms.push((ts, histogram)),
            Err(fault) => rejects.add(open.message.clone(), Item::Histogram, 1, Reason::Histogram(fault)),
        }
        Ok(())
    }

    /// Reads and adds an exemplar.
    pub(super) fn push_exemplar(
        &mut self,
        open: &mut OpenSeries,
        message: Reader<'_>,
        source: LabelSource<'_>,
        rules: &DecodeRules<'_>,
        rejects: &mut Rejects,
    ) -> Result<(), DecodeError> {
        check_count("exemplars", self.exemplars.len(), rules.samples_max)?;
        open.seen[Item::Exemplar as usize] += 1;
        match exemplar::read(message, source, rules.exemplar_labels) {
            Ok(exemplar) if rules.accepts.contains(exemplar.ts) => {
                self.count_labels(exemplar.labels.heap_bytes(), rules)?;
                self.exemplars.push(exemplar);
            }
            Ok(exemplar) => open.refuse_late(Item::Exemplar, exemplar.ts.0),
            Err(LabelsError::Wire(error)) => return Err(error.into()),
            Err(LabelsError::Fault(fault)) => {
                rejects.add(open.message.clone(), Item::Exemplar, 1, Reason::Exemplar(fault));
            }
        }
        Ok(())
    }

    /// Counts bytes of labels that the body may hold fewer times than the request stands for.
    #[inline]
    pub(super) fn count_labels(&mut self, bytes: usize, rules: &DecodeRules<'_>) -> Result<(), DecodeError> {
        self.label_bytes += bytes;
        check_count(
            "bytes of labels",
            self.label_bytes,
            rules.label_bytes_max.saturating_add(1),
        )
    }

    /// Ends a series whose labels hash to `fingerprint`. `Err` holds it where its labels cannot be what they say: all of
    /// it is refused.
    pub(super) fn close(
        &mut self,
        open: OpenSeries,
        fingerprint: Result<impl FnOnce(&mut Self) -> u128, Reason>,
        source: LabelSource<'_>,
        rules: &DecodeRules<'_>,
        rejects: &mut Rejects,
    ) -> Result<(), DecodeError> {
        let fingerprint = match fingerprint {
            Ok(fingerprint) => fingerprint,
            Err(reason) => {
                self.drop_series(&open, reason, rejects);
                return Ok(());
            }
        };
        if let Some(ts) = open.late_first {
            for item in Item::ALL {
                let reason = Reason::OutOfBounds {
                    ts: TimestampMs(ts),
                    accepts: rules.accepts,
                };
                let late = open.late[item as usize];
                if late > 0 {
                    rejects.add(open.message.clone(), item, late, reason);
                }
            }
        }
        let is_empty = self.ts.len() == open.rows
            && self.histograms.len() == open.histograms
            && self.exemplars.len() == open.exemplars;
        if is_empty {
            let nothing_sent = open.seen.iter().all(|&count| count == 0);
            return check_unused_labels(source, open.message, nothing_sent, rules.labels, rejects);
        }
        // A sample at the very instant is the better witness.
        let rows = &self.ts[open.rows..];
        let mut place = open.created;
        while place < self.created.len() {
            if rows.contains(&self.created[place].ts) {
                self.created.remove(place);
            } else {
                place += 1;
            }
        }
        let fingerprint = fingerprint(self);
        self.fingerprints.push(fingerprint);
        self.series.push(SeriesEntry {
            start: open.message.start as u32,
            end: open.message.end as u32,
            rows_end: self.ts.len() as u32,
            histograms_end: self.histograms.len() as u32,
            exemplars_end: self.exemplars.len() as u32,
        });
        Ok(())
    }

    /// Takes out what a series brought.
    #[cold]
    fn drop_series(&mut self, open: &OpenSeries, reason: Reason, rejects: &mut Rejects) {
        self.ts.truncate(open.rows);
        self.values.truncate(open.rows);
        self.histograms.truncate(open.histograms);
        self.exemplars.truncate(open.exemplars);
        self.created.truncate(open.created);
        rejects.add_series(open.message.clone(), open.seen, reason);
    }

    /// The columns, for good. The next request reserves as much as this one had.
    pub(super) fn take_columns(&mut self) -> (Vec<i64>, Vec<f64>) {
        self.rows_expected = self.ts.len();
        (std::mem::take(&mut self.ts), std::mem::take(&mut self.values))
    }

    fn clear(&mut self) {
        self.series.clear();
        self.fingerprints.clear();
        self.ts.clear();
        self.values.clear();
        self.histograms.clear();
        self.exemplars.clear();
        self.created.clear();
        self.gathered.clear();
        (self.buckets, self.label_bytes) = (0, 0);
    }

    /// Gives memory above `entries` of each kind back, so that one large request does not hold it for ever.
    pub(super) fn shrink_to(&mut self, entries: usize) {
        self.clear();
        self.series.shrink_to(entries);
        self.fingerprints.shrink_to(entries);
        self.ts.shrink_to(entries);
        self.values.shrink_to(entries);
        self.histograms.shrink_to(entries);
        self.exemplars.shrink_to(entries);
        self.created.shrink_to(entries);
        self.gathered.shrink_to(entries);
        self.rows_expected = self.rows_expected.min(entries);
    }
}

impl OpenSeries {
    #[cold]
    fn refuse_late(&mut self, item: Item, ts: i64) {
        self.late_first.get_or_insert(ts);
        self.late[item as usize] += 1;
    }
}

/// Refuses one more of `what` than `max`.
#[inline]
pub(super) fn check_count(what: &'static str, so_far: usize, max: usize) -> Result<(), DecodeError> {
    if so_far < max {
        Ok(())
    } else {
        Err(DecodeError::TooMany { what, max })
    }
}

/// A series that has nothing to store is never defined in the store, so what is wrong with its labels is found
/// here; where its samples were refused for another reason already, that stands.
#[cold]
fn check_unused_labels(
    source: LabelSource<'_>,
    message: Range<usize>,
    nothing_sent: bool,
    limits: &LabelLimits,
    rejects: &mut Rejects,
) -> Result<(), DecodeError> {
    match source.read(message.clone(), limits) {
        Err(LabelsError::Wire(error)) => Err(error.into()),
        Err(LabelsError::Fault(fault)) if nothing_sent => {
            rejects.add_series(message, [0; Item::ALL.len()], Reason::Labels(fault));
            Ok(())
        }
        _ => Ok(()),
    }
}

//! The message of remote write 1.0, decoded in one pass and without an allocation for each series.
//!
//! ```text
//! WriteRequest     1 timeseries: TimeSeries*   3 metadata: MetricMetadata*
//! TimeSeries       1 labels: Label*   2 samples: Sample*   3 exemplars*   4 histograms*
//! Label            1 name: string     2 value: string
//! Sample           1 value: double    2 timestamp: int64, ms since the epoch
//! ```
//!
//! A series is known by a hash of its label fields exactly as they were sent, so labels are not looked into here;
//! see `labels` for the few that the store has not seen. Samples go straight into columns.
//!
//! Invariants:
//! - `series[i]` owns the rows from the end of `series[i - 1]` to its own, and `fingerprints[i]` is its hash;
//! - a row outside the accepted time range, an exemplar and a native histogram are not in the columns but in
//!   the rejects, never nowhere.

use std::ops::Range;

use barograph_model::{TimeRange, TimestampMs};
use thiserror::Error;

use super::labels::{LabelsError, read_labels};
use super::limits::LabelLimits;
use super::protobuf::{Reader, WireError, WireType};
use super::rejects::{Reason, Rejects};

/// Why a body is not decoded at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum DecodeError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the request has more than {max} {what} (send smaller batches)")]
    TooMany { what: &'static str, max: usize },
}

/// A series of the request that has rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesEntry {
    start: u32,
    end: u32,
    rows_end: u32,
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
}

/// What a request is decoded with.
pub(super) struct DecodeRules<'a> {
    /// The instants that may be written now.
    pub(super) accepts: TimeRange,
    /// Samples in a request, and likewise series and metadata entries.
    pub(super) samples_max: usize,
    /// For series that are checked here because they have no rows.
    pub(super) labels: &'a LabelLimits,
}

/// The decoded columns. Reused from request to request.
#[derive(Debug, Default)]
pub(super) struct WriteRequest {
    pub(super) series: Vec<SeriesEntry>,
    pub(super) fingerprints: Vec<u128>,
    pub(super) ts: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// Where the MetricMetadata messages are in the body.
    pub(super) metadata: Vec<Range<usize>>,
    /// The label fields of a series that do not stand side by side, gathered to be hashed.
    gathered: Vec<u8>,
    /// Rows of the request before, since senders keep to a batch size.
    rows_expected: usize,
}

impl WriteRequest {
    /// Decodes a body of less than 4 GiB, hashing each series' label fields with `fingerprint`.
    ///
    /// # Errors
    /// [`DecodeError`]; nothing of the request may be stored then.
    pub(super) fn decode(
        &mut self,
        body: &[u8],
        rules: &DecodeRules<'_>,
        fingerprint: impl Fn(&[u8]) -> u128,
        rejects: &mut Rejects,
    ) -> Result<(), DecodeError> {
        debug_assert!(
            u32::try_from(body.len()).is_ok(),
            "the cap on bodies is far below 4 GiB"
        );
        self.clear();
        self.ts.reserve(self.rows_expected);
        self.values.reserve(self.rows_expected);
        let mut series_seen = 0;
        let mut reader = Reader::new(body);
        while let Some(tag) = reader.tag()? {
            match tag.field {
                1 => {
                    tag.expect(WireType::Length, "WriteRequest.timeseries")?;
                    series_seen += 1;
                    if series_seen > rules.samples_max {
                        return Err(DecodeError::TooMany {
                            what: "series",
                            max: rules.samples_max,
                        });
                    }
                    self.decode_series(body, reader.message()?, rules, &fingerprint, rejects)?;
                }
                3 => {
                    tag.expect(WireType::Length, "WriteRequest.metadata")?;
                    if self.metadata.len() == rules.samples_max {
                        return Err(DecodeError::TooMany {
                            what: "metadata entries",
                            max: rules.samples_max,
                        });
                    }
                    let entry = reader.message()?;
                    self.metadata.push(entry.offset()..entry.end());
                }
                // To a reader of 1.0 a request of 2.0 is all unknown fields, and would be lost without a word.
                field @ (4 | 5) => {
                    let hint = "it looks like remote write 2.0; set protobuf_message: prometheus.WriteRequest in the sender";
                    return Err(WireError::ForeignField {
                        offset: tag.offset,
                        field,
                        message: "WriteRequest",
                        hint,
                    }
                    .into());
                }
                _ => reader.skip(tag)?,
            }
        }
        Ok(())
    }

    fn decode_series(
        &mut self,
        body: &[u8],
        mut series: Reader<'_>,
        rules: &DecodeRules<'_>,
        fingerprint: &impl Fn(&[u8]) -> u128,
        rejects: &mut Rejects,
    ) -> Result<(), DecodeError> {
        let message = series.offset()..series.end();
        let rows_before = self.ts.len();
        let mut labels = series.offset()..series.offset();
        self.gathered.clear();
        let (mut exemplars, mut histograms) = (0, 0);
        let (mut late, mut late_first) = (0, None);
        while let Some(tag) = series.tag()? {
            match tag.field {
                1 => {
                    tag.expect(WireType::Length, "TimeSeries.labels")?;
                    series.bytes()?;
                    if tag.offset != labels.end {
                        self.gathered.extend_from_slice(&body[labels]);
                        labels = tag.offset..tag.offset;
                    }
                    labels.end = series.offset();
                }
                2 => {
                    tag.expect(WireType::Length, "TimeSeries.samples")?;
                    let (ts, value) = read_sample(series.message()?)?;
                    if self.ts.len() == rules.samples_max {
                        return Err(DecodeError::TooMany {
                            what: "samples",
                            max: rules.samples_max,
                        });
                    }
                    if rules.accepts.contains(TimestampMs(ts)) {
                        self.ts.push(ts);
                        self.values.push(value);
                    } else {
                        late_first.get_or_insert(ts);
                        late += 1;
                    }
                }
                3 => {
                    tag.expect(WireType::Length, "TimeSeries.exemplars")?;
                    series.bytes()?;
                    exemplars += 1;
                }
                4 => {
                    tag.expect(WireType::Length, "TimeSeries.histograms")?;
                    series.bytes()?;
                    histograms += 1;
                }
                _ => series.skip(tag)?,
            }
        }
        if let Some(ts) = late_first {
            let reason = Reason::OutOfBounds {
                ts: TimestampMs(ts),
                accepts: rules.accepts,
            };
            rejects.add(message.clone(), late, reason);
        }
        if exemplars > 0 {
            rejects.add(message.clone(), exemplars, Reason::Exemplar);
        }
        if histograms > 0 {
            rejects.add(message.clone(), histograms, Reason::NativeHistogram);
        }
        if self.ts.len() == rows_before {
            let nothing_sent = late + exemplars + histograms == 0;
            return check_unused_labels(body, message, nothing_sent, rules.labels, rejects);
        }
        self.fingerprints.push(if self.gathered.is_empty() {
            fingerprint(&body[labels])
        } else {
            self.gathered.extend_from_slice(&body[labels]);
            fingerprint(&self.gathered)
        });
        self.series.push(SeriesEntry {
            start: message.start as u32,
            end: message.end as u32,
            rows_end: self.ts.len() as u32,
        });
        Ok(())
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
        self.metadata.clear();
    }

    /// Gives memory above `entries` of each kind back, so that one large request does not hold it for ever.
    pub(super) fn shrink_to(&mut self, entries: usize) {
        self.clear();
        self.series.shrink_to(entries);
        self.fingerprints.shrink_to(entries);
        self.ts.shrink_to(entries);
        self.values.shrink_to(entries);
        self.metadata.shrink_to(entries);
        self.gathered.shrink_to(entries);
        self.rows_expected = self.rows_expected.min(entries);
    }
}

/// A sample as (ms since the epoch, value); a field that is left out is 0, one that is repeated counts last.
#[inline]
fn read_sample(mut sample: Reader<'_>) -> Result<(i64, f64), WireError> {
    let (mut ts, mut value) = (0, 0.0);
    while let Some(tag) = sample.tag()? {
        match tag.field {
            1 => {
                tag.expect(WireType::Fixed64, "Sample.value")?;
                value = f64::from_bits(sample.fixed64()?);
            }
            2 => {
                tag.expect(WireType::Varint, "Sample.timestamp")?;
                ts = sample.varint()? as i64;
            }
            _ => sample.skip(tag)?,
        }
    }
    Ok((ts, value))
}

/// A series that has nothing to store is never defined in the store, so what is wrong with its labels is found
/// here; where its samples were refused for another reason already, that stands.
#[cold]
fn check_unused_labels(
    body: &[u8],
    message: Range<usize>,
    nothing_sent: bool,
    limits: &LabelLimits,
    rejects: &mut Rejects,
) -> Result<(), DecodeError> {
    match read_labels(body, message.clone(), limits) {
        Err(LabelsError::Wire(error)) => Err(error.into()),
        Err(LabelsError::Fault(fault)) if nothing_sent => {
            rejects.add(message, 0, Reason::Labels(fault));
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

//! The Histogram message: a native histogram, the same in remote write 1.0 and 2.0.
//!
//! ```text
//!  1 count_int: uint64      2 count_float: double         3 sum: double          4 schema: sint32
//!  5 zero_threshold: double 6 zero_count_int: uint64      7 zero_count_float: double
//!  8 negative_spans*        9 negative_deltas: sint64*   10 negative_counts: double*
//! 11 positive_spans*       12 positive_deltas: sint64*   13 positive_counts: double*
//! 14 reset_hint: enum      15 timestamp: int64           16 custom_values: double*
//! 17 start_timestamp: int64 (2.0 only)
//! BucketSpan  1 offset: sint32   2 length: uint32
//! ```
//!
//! Counts are floats where `count_float` is there, else integers; fields of the other kind that are there all the same
//! are a fault, because leaving them out would lose what they say.

use barograph_model::{
    Histogram, HistogramCounts, HistogramError, HistogramParts, ResetHint, Span, TimestampMs,
};
use thiserror::Error;

use super::batch::{DecodeError, check_count};
use super::packed::unzigzag;
use super::protobuf::{Reader, WireError, WireType};

/// Why a histogram was not taken.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum HistogramFault {
    /// Its fields do not make a histogram.
    #[error("a native histogram is not sound: {0}")]
    Unsound(#[from] HistogramError),
    /// Integers and floats together.
    #[error("a native histogram has {count} and {field}, which do not go together")]
    Mixed {
        /// The kind of its count.
        count: &'static str,
        /// A field of the other kind.
        field: &'static str,
    },
}

/// The counts of one kind as they come.
#[derive(Default)]
struct Fields {
    count: u64,
    zero_count: u64,
    positive_deltas: Vec<i64>,
    negative_deltas: Vec<i64>,
    count_float: Option<f64>,
    zero_count_float: f64,
    positive_counts: Vec<f64>,
    negative_counts: Vec<f64>,
}

/// Reads a histogram and its instant. `spent` counts buckets, spans and bounds of the request, of which there may be
/// `max`. The inner result is the histogram's: a fault leaves the rest of the request good.
///
/// # Errors
/// [`DecodeError`] where the message is malformed or the request has too many buckets.
pub(super) fn read(
    mut message: Reader<'_>,
    spent: &mut usize,
    max: usize,
) -> Result<(i64, Result<Histogram, HistogramFault>), DecodeError> {
    let mut parts = HistogramParts::default();
    let mut fields = Fields::default();
    let mut ts = 0;
    let mut spend = || {
        check_count("histogram buckets", *spent, max)?;
        *spent += 1;
        Ok::<_, DecodeError>(())
    };
    while let Some(tag) = message.tag()? {
        match tag.field {
            1 => {
                tag.expect(WireType::Varint, "Histogram.count_int")?;
                (fields.count, fields.count_float) = (message.varint()?, None);
            }
            2 => {
                tag.expect(WireType::Fixed64, "Histogram.count_float")?;
                fields.count_float = Some(f64::from_bits(message.fixed64()?));
            }
            3 => {
                tag.expect(WireType::Fixed64, "Histogram.sum")?;
                parts.sum = f64::from_bits(message.fixed64()?);
            }
            4 => {
                tag.expect(WireType::Varint, "Histogram.schema")?;
                parts.schema = unzigzag(message.varint()?) as i32;
            }
            5 => {
                tag.expect(WireType::Fixed64, "Histogram.zero_threshold")?;
                parts.zero_threshold = f64::from_bits(message.fixed64()?);
            }
            6 => {
                tag.expect(WireType::Varint, "Histogram.zero_count_int")?;
                fields.zero_count = message.varint()?;
            }
            7 => {
                tag.expect(WireType::Fixed64, "Histogram.zero_count_float")?;
                fields.zero_count_float = f64::from_bits(message.fixed64()?);
            }
            8 | 11 => {
                tag.expect(WireType::Length, "Histogram.positive_spans or negative_spans")?;
                spend()?;
                let span = read_span(message.message()?)?;
                match tag.field {
                    8 => parts.negative_spans.push(span),
                    _ => parts.positive_spans.push(span),
                }
            }
            9 | 12 => {
                let deltas = match tag.field {
                    9 => &mut fields.negative_deltas,
                    _ => &mut fields.positive_deltas,
                };
                message.varints(tag, "Histogram.positive_deltas or negative_deltas", |delta| {
                    deltas.push(unzigzag(delta));
                    spend()
                })?;
            }
            10 | 13 => {
                let counts = match tag.field {
                    10 => &mut fields.negative_counts,
                    _ => &mut fields.positive_counts,
                };
                message.doubles(tag, "Histogram.positive_counts or negative_counts", |count| {
                    counts.push(count);
                    spend()
                })?;
            }
            14 => {
                tag.expect(WireType::Varint, "Histogram.reset_hint")?;
                parts.reset_hint = ResetHint::from_number(message.varint()?);
            }
            15 => {
                tag.expect(WireType::Varint, "Histogram.timestamp")?;
                ts = message.varint()? as i64;
            }
            16 => message.doubles(tag, "Histogram.custom_values", |bound| {
                parts.custom_values.push(bound);
                spend()
            })?,
            17 => {
                tag.expect(WireType::Varint, "Histogram.start_timestamp")?;
                let created = message.varint()? as i64;
                // 0 is how protobuf says nothing.
                parts.created = (created != 0).then_some(TimestampMs(created));
            }
            _ => message.skip(tag)?,
        }
    }
    Ok((ts, fields.finish(parts)))
}

fn read_span(mut message: Reader<'_>) -> Result<Span, WireError> {
    let mut span = Span { offset: 0, length: 0 };
    while let Some(tag) = message.tag()? {
        match tag.field {
            1 => {
                tag.expect(WireType::Varint, "BucketSpan.offset")?;
                span.offset = unzigzag(message.varint()?) as i32;
            }
            2 => {
                tag.expect(WireType::Varint, "BucketSpan.length")?;
                span.length = message.varint()? as u32;
            }
            _ => message.skip(tag)?,
        }
    }
    Ok(span)
}

impl Fields {
    fn finish(self, mut parts: HistogramParts) -> Result<Histogram, HistogramFault> {
        let mixed = |count, field| Err(HistogramFault::Mixed { count, field });
        parts.counts = if let Some(count) = self.count_float {
            let count_kind = "a count of floats";
            if !self.positive_deltas.is_empty() || !self.negative_deltas.is_empty() {
                return mixed(count_kind, "integer buckets");
            }
            if self.zero_count != 0 {
                return mixed(count_kind, "an integer zero count");
            }
            HistogramCounts::Float {
                count,
                zero_count: self.zero_count_float,
                positive: self.positive_counts,
                negative: self.negative_counts,
            }
        } else {
            let count_kind = "a count of integers";
            if !self.positive_counts.is_empty() || !self.negative_counts.is_empty() {
                return mixed(count_kind, "float buckets");
            }
            if self.zero_count_float != 0.0 {
                return mixed(count_kind, "a float zero count");
            }
            HistogramCounts::Integer {
                count: self.count,
                zero_count: self.zero_count,
                positive: add_up("positive", &self.positive_deltas)?,
                negative: add_up("negative", &self.negative_deltas)?,
            }
        };
        Ok(Histogram::new(parts)?)
    }
}

/// The counts whose differences these are.
fn add_up(side: &str, deltas: &[i64]) -> Result<Vec<u64>, HistogramError> {
    let mut before = 0i64;
    let mut counts = Vec::with_capacity(deltas.len());
    for (i, &delta) in deltas.iter().enumerate() {
        let sum = i128::from(before) + i128::from(delta);
        before = match i64::try_from(sum) {
            Ok(count) if count >= 0 => count,
            _ => {
                return Err(HistogramError::NotACount {
                    what: format!("{side} bucket {}", i + 1),
                    count: sum.to_string(),
                });
            }
        };
        counts.push(before as u64);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests;

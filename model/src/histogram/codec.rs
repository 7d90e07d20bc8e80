//! A histogram as bytes, for the log: compact, versioned, one to one.
//!
//! ```text
//!  0         1       2
//!  | version | flags | schema | [created] | sum | zero threshold | count | zero count |
//!  | positive spans | negative spans | positive counts | negative counts | custom values |
//!
//!  flags  bit 0     counts are floats
//!         bits 1-2  reset hint
//!         bit 3     created is there
//! ```
//!
//! schema and created are zigzag varints; sum and zero threshold eight bytes, little endian, of the float's bits. Integer
//! counts are varints, those of buckets zigzag varints of the difference to the bucket before; float counts are eight
//! bytes each. Spans are a varint of how many, then for each a zigzag varint of the offset and a varint of the length.
//! The number of counts follows from the spans. Custom values are a varint of how many and eight bytes each.

use thiserror::Error;

use super::{
    HISTOGRAM_BUCKETS_MAX, Histogram, HistogramCounts, HistogramError, HistogramParts, ResetHint, Span,
};
use crate::TimestampMs;

/// The version that is written, and the only one so far.
pub const HISTOGRAM_VERSION: u8 = 1;

const FLOAT: u8 = 1;
const CREATED: u8 = 8;

/// Why bytes are not a histogram.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum HistogramCodecError {
    /// A version that this program does not know.
    #[error("version {0} of the histogram format is not known (a newer Barograph has written it)")]
    Version(u8),
    /// The bytes end early, or hold what the format does not have.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The bytes are well formed and say what no histogram can be.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
}

impl Histogram {
    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        self.write_to(&mut out);
        out
    }

    /// Appends the binary form.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let parts = self.parts();
        let mut flags = parts.reset_hint.to_number() << 1;
        flags |= if self.is_float() { FLOAT } else { 0 };
        flags |= if parts.created.is_some() { CREATED } else { 0 };
        out.extend_from_slice(&[HISTOGRAM_VERSION, flags]);
        put_signed(out, i64::from(parts.schema));
        if let Some(created) = parts.created {
            put_signed(out, created.0);
        }
        put_f64(out, parts.sum);
        put_f64(out, parts.zero_threshold);
        match &parts.counts {
            HistogramCounts::Integer {
                count, zero_count, ..
            } => {
                put(out, *count);
                put(out, *zero_count);
            }
            HistogramCounts::Float {
                count, zero_count, ..
            } => {
                put_f64(out, *count);
                put_f64(out, *zero_count);
            }
        }
        for spans in [&parts.positive_spans, &parts.negative_spans] {
            put(out, spans.len() as u64);
            for span in spans {
                put_signed(out, i64::from(span.offset));
                put(out, u64::from(span.length));
            }
        }
        match &parts.counts {
            HistogramCounts::Integer {
                positive, negative, ..
            } => {
                for counts in [positive, negative] {
                    let mut before = 0;
                    for &count in counts {
                        put_signed(out, count.wrapping_sub(before) as i64);
                        before = count;
                    }
                }
            }
            HistogramCounts::Float {
                positive, negative, ..
            } => positive
                .iter()
                .chain(negative)
                .for_each(|&count| put_f64(out, count)),
        }
        put(out, parts.custom_values.len() as u64);
        parts.custom_values.iter().for_each(|&bound| put_f64(out, bound));
    }

    /// Reads what [`Histogram::to_bytes`] wrote. Takes memory in proportion to the bytes, whatever they say.
    ///
    /// # Errors
    /// [`HistogramCodecError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HistogramCodecError> {
        let mut rest = bytes;
        let histogram = Self::read_from(&mut rest)?;
        if rest.is_empty() {
            Ok(histogram)
        } else {
            Err(HistogramCodecError::Expected("nothing behind the custom values"))
        }
    }

    /// Reads one histogram from the front.
    ///
    /// # Errors
    /// [`HistogramCodecError`].
    pub fn read_from(bytes: &mut &[u8]) -> Result<Self, HistogramCodecError> {
        let (&[version, flags], rest) = bytes
            .split_first_chunk()
            .ok_or(HistogramCodecError::Expected("a version and flags"))?;
        *bytes = rest;
        if version != HISTOGRAM_VERSION {
            return Err(HistogramCodecError::Version(version));
        }
        if flags > FLOAT | 3 << 1 | CREATED {
            return Err(HistogramCodecError::Expected("flags that are defined"));
        }
        let schema = take_signed(bytes, "a schema")?;
        let schema =
            i32::try_from(schema).map_err(|_| HistogramCodecError::Expected("a schema of 32 bits"))?;
        let created = match flags & CREATED {
            0 => None,
            _ => Some(TimestampMs(take_signed(bytes, "a created timestamp")?)),
        };
        let sum = take_f64(bytes)?;
        let zero_threshold = take_f64(bytes)?;
        let is_float = flags & FLOAT != 0;
        let (mut whole, mut floats) = ((0, 0), (0.0, 0.0));
        if is_float {
            floats = (take_f64(bytes)?, take_f64(bytes)?);
        } else {
            whole = (take(bytes, "a count")?, take(bytes, "a zero count")?);
        }
        let positive_spans = take_spans(bytes)?;
        let negative_spans = take_spans(bytes)?;
        let counts = if is_float {
            HistogramCounts::Float {
                count: floats.0,
                zero_count: floats.1,
                positive: take_floats(bytes, buckets_of(&positive_spans)?)?,
                negative: take_floats(bytes, buckets_of(&negative_spans)?)?,
            }
        } else {
            HistogramCounts::Integer {
                count: whole.0,
                zero_count: whole.1,
                positive: take_deltas(bytes, buckets_of(&positive_spans)?)?,
                negative: take_deltas(bytes, buckets_of(&negative_spans)?)?,
            }
        };
        let bounds = take(bytes, "the number of custom values")?;
        let bounds = usize::try_from(bounds).unwrap_or(usize::MAX);
        Ok(Self::new(HistogramParts {
            schema,
            reset_hint: ResetHint::from_number(u64::from(flags >> 1 & 3)),
            created,
            sum,
            zero_threshold,
            positive_spans,
            negative_spans,
            counts,
            custom_values: take_floats(bytes, bounds)?,
        })?)
    }
}

fn buckets_of(spans: &[Span]) -> Result<usize, HistogramCodecError> {
    let buckets: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if buckets > HISTOGRAM_BUCKETS_MAX as u64 {
        return Err(HistogramCodecError::Expected("fewer buckets"));
    }
    Ok(buckets as usize)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn take(bytes: &mut &[u8], what: &'static str) -> Result<u64, HistogramCodecError> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        if i == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Ok(value);
        }
    }
    Err(HistogramCodecError::Expected(what))
}

fn take_signed(bytes: &mut &[u8], what: &'static str) -> Result<i64, HistogramCodecError> {
    let value = take(bytes, what)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn take_f64(bytes: &mut &[u8]) -> Result<f64, HistogramCodecError> {
    let (bits, rest) = bytes
        .split_first_chunk()
        .ok_or(HistogramCodecError::Expected("the eight bytes of a float"))?;
    *bytes = rest;
    Ok(f64::from_bits(u64::from_le_bytes(*bits)))
}

fn take_floats(bytes: &mut &[u8], count: usize) -> Result<Vec<f64>, HistogramCodecError> {
    if count > bytes.len() / 8 {
        return Err(HistogramCodecError::Expected("as many floats as are announced"));
    }
    (0..count).map(|_| take_f64(bytes)).collect()
}

fn take_deltas(bytes: &mut &[u8], count: usize) -> Result<Vec<u64>, HistogramCodecError> {
    if count > bytes.len() {
        return Err(HistogramCodecError::Expected("as many counts as the spans hold"));
    }
    let mut before = 0u64;
    (0..count)
        .map(|_| {
            before = before.wrapping_add(take_signed(bytes, "the count of a bucket")? as u64);
            Ok(before)
        })
        .collect()
}

fn take_spans(bytes: &mut &[u8]) -> Result<Vec<Span>, HistogramCodecError> {
    let count = take(bytes, "the number of spans")?;
    // A span takes at least two bytes, which bounds what is allocated.
    if count > bytes.len() as u64 / 2 {
        return Err(HistogramCodecError::Expected("as many spans as are announced"));
    }
    (0..count)
        .map(|_| {
            let offset = take_signed(bytes, "the offset of a span")?;
            let length = take(bytes, "the length of a span")?;
            Ok(Span {
                offset: i32::try_from(offset)
                    .map_err(|_| HistogramCodecError::Expected("an offset of 32 bits"))?,
                length: u32::try_from(length)
                    .map_err(|_| HistogramCodecError::Expected("a length of 32 bits"))?,
            })
        })
        .collect()
}

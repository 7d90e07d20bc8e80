//! The payload of a samples record: three columns of one length.
//!
//! ```text
//!  0       4              8          12
//!  | count | series bytes | ts bytes | series | ts | value lengths | value bytes |
//! ```
//!
//! `series` and `ts` are zigzag varints of the distance to the one before. A value is its eight bytes, big-endian,
//! without the zeros at the end: counters, sizes and shares of two have many of those. Its length is one of the
//! nibbles in `value lengths`, low nibble first. That halves a typical scrape at a cost of about two nanoseconds a
//! sample, where lz4 over the values costs five times as much for less.

use super::record::{RecordError, take_u32};
use super::varint;
use crate::SeriesRef;

/// The most samples in one record.
pub const RECORD_SAMPLES_MAX: usize = 1 << 24;

/// Samples as columns of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleRecord {
    /// Whose sample, by the number that a series record before it has given.
    pub series: Vec<SeriesRef>,
    /// Milliseconds since the epoch.
    pub ts: Vec<i64>,
    /// Values, bit for bit.
    pub values: Vec<f64>,
}

/// Writes columns of one length, at most [`RECORD_SAMPLES_MAX`].
pub(super) fn encode(series: &[SeriesRef], ts: &[i64], values: &[f64]) -> Vec<u8> {
    assert!(
        series.len() == ts.len() && ts.len() == values.len(),
        "columns have one length"
    );
    let count = series.len();
    // Three bytes of series, one of time, half of length and four of value: what a scrape takes. More grows.
    let mut out = Vec::with_capacity(64 + count * 9);
    out.extend_from_slice(&(count as u32).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    let start = out.len();
    varint::put_deltas(&mut out, series.iter().map(|s| i64::from(s.0)));
    let series_bytes = (out.len() - start) as u32;
    let start = out.len();
    varint::put_deltas(&mut out, ts.iter().copied());
    let ts_bytes = (out.len() - start) as u32;
    out[4..8].copy_from_slice(&series_bytes.to_le_bytes());
    out[8..12].copy_from_slice(&ts_bytes.to_le_bytes());
    put_values(&mut out, values);
    out
}

/// Reads what [`encode`] wrote. Takes memory in proportion to the bytes given, whatever they say.
pub(super) fn decode(payload: &[u8]) -> Result<SampleRecord, RecordError> {
    let mut rest = payload;
    let count = take_u32(&mut rest)? as usize;
    let series_bytes = take_u32(&mut rest)? as usize;
    let ts_bytes = take_u32(&mut rest)? as usize;
    // Every sample has at least a byte in each of the first two columns, so this bounds what is allocated.
    if count > RECORD_SAMPLES_MAX || count > series_bytes || count > ts_bytes {
        return Err(RecordError(
            "a count of samples that fits the length of the columns",
        ));
    }
    let (series, rest) = rest
        .split_at_checked(series_bytes)
        .ok_or(RecordError("the whole of the series column"))?;
    let (ts, rest) = rest
        .split_at_checked(ts_bytes)
        .ok_or(RecordError("the whole of the time column"))?;
    Ok(SampleRecord {
        series: varint::take_deltas(series, count, |number| SeriesRef(number as u32))
            .ok_or(RecordError("a series column of as many numbers as samples"))?,
        ts: varint::take_deltas(ts, count, |ts| ts)
            .ok_or(RecordError("a time column of as many instants as samples"))?,
        values: take_values(rest, count).ok_or(RecordError("a value column of as many values as samples"))?,
    })
}

fn put_values(out: &mut Vec<u8>, values: &[f64]) {
    let lengths_at = out.len();
    let mut at = lengths_at + values.len().div_ceil(2);
    // Eight bytes are written for each value and those behind its length overwritten by the next: no
    // branches.
    out.resize(at + values.len() * 8, 0);
    for (i, value) in values.iter().enumerate() {
        let bits = value.to_bits();
        let length = 8 - bits.trailing_zeros() as usize / 8;
        out[at..at + 8].copy_from_slice(&bits.to_be_bytes());
        out[lengths_at + i / 2] |= (length as u8) << (i % 2 * 4);
        at += length;
    }
    out.truncate(at);
}

fn take_values(bytes: &[u8], count: usize) -> Option<Vec<f64>> {
    let (lengths, mut bytes) = bytes.split_at_checked(count.div_ceil(2))?;
    let mut values = Vec::with_capacity(count);
    for i in 0..count {
        let length = usize::from(lengths[i / 2] >> (i % 2 * 4) & 0xf);
        if length > 8 {
            return None;
        }
        let (value, rest) = bytes.split_at_checked(length)?;
        let mut whole = [0; 8];
        whole[..length].copy_from_slice(value);
        values.push(f64::from_bits(u64::from_be_bytes(whole)));
        bytes = rest;
    }
    bytes.is_empty().then_some(values)
}

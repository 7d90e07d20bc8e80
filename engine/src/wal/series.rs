//! The payload of a series record: numbers and the labels they stand for from here on, as text, compressed with lz4 where that gains.
//!
//! ```text
//!  0       4           8
//!  | count | raw bytes | body |
//! ```
//!
//! The body is lz4 unless its length is `raw bytes`. Inside, for each series: zigzag varint of the distance of its
//! number to the one before, varint number of labels, then name and value of each, a varint length before either.

use barograph_model::Labels;

use super::frame::PAYLOAD_BYTES_MAX;
use super::record::{RecordError, take_u32};
use super::varint;
use crate::SeriesRef;

/// lz4 cannot express more than this many bytes in one.
const LZ4_RATIO_MAX: usize = 255;

/// Writes series with their labels.
pub(super) fn encode<'a>(series: impl ExactSizeIterator<Item = (SeriesRef, &'a Labels)>) -> Vec<u8> {
    let count = series.len() as u32;
    let mut raw = Vec::new();
    let mut before = 0i64;
    for (number, labels) in series {
        let number = i64::from(number.0);
        varint::put(&mut raw, varint::zigzag(number.wrapping_sub(before)));
        before = number;
        varint::put(&mut raw, labels.len() as u64);
        for (name, value) in labels.iter() {
            for text in [name, value] {
                varint::put(&mut raw, text.len() as u64);
                raw.extend_from_slice(text.as_bytes());
            }
        }
    }
    let packed = lz4_flex::block::compress(&raw);
    let body = if packed.len() < raw.len() { &packed } else { &raw };
    let mut out = Vec::with_capacity(8 + body.len());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
    out
}

/// Reads what [`encode`] wrote. Takes memory in proportion to the bytes given, whatever they say.
pub(super) fn decode(payload: &[u8]) -> Result<Vec<(SeriesRef, Labels)>, RecordError> {
    let mut body = payload;
    let count = take_u32(&mut body)? as usize;
    let raw_bytes = take_u32(&mut body)? as usize;
    if body.len() == raw_bytes {
        return decode_raw(body, count);
    }
    if raw_bytes > PAYLOAD_BYTES_MAX || raw_bytes / LZ4_RATIO_MAX > body.len() {
        return Err(RecordError("a length that lz4 can unpack to"));
    }
    let mut raw = vec![0; raw_bytes];
    match lz4_flex::block::decompress_into(body, &mut raw) {
        Ok(unpacked) if unpacked == raw_bytes => decode_raw(&raw, count),
        _ => Err(RecordError("whole lz4 data")),
    }
}

fn decode_raw(mut raw: &[u8], count: usize) -> Result<Vec<(SeriesRef, Labels)>, RecordError> {
    // A series takes at least two bytes, which bounds what is allocated.
    if count > raw.len() / 2 {
        return Err(RecordError("a count of series that fits the length"));
    }
    let mut series = Vec::with_capacity(count);
    let mut before = 0i64;
    for _ in 0..count {
        let delta = varint::take(&mut raw).ok_or(RecordError("the number of a series"))?;
        before = before.wrapping_add(varint::unzigzag(delta));
        let pairs = varint::take(&mut raw).ok_or(RecordError("the number of labels"))?;
        if pairs > raw.len() as u64 / 2 {
            return Err(RecordError("a number of labels that fits the length"));
        }
        let pairs = (0..pairs)
            .map(|_| Ok((take_text(&mut raw)?, take_text(&mut raw)?)))
            .collect::<Result<Vec<(&str, &str)>, RecordError>>()?;
        let labels = Labels::from_pairs(pairs).map_err(|_| RecordError("labels with distinct names"))?;
        let number = u32::try_from(before).map_err(|_| RecordError("a number of a series below 2^32"))?;
        series.push((SeriesRef(number), labels));
    }
    if raw.is_empty() {
        Ok(series)
    } else {
        Err(RecordError("nothing behind the last series"))
    }
}

fn take_text<'a>(raw: &mut &'a [u8]) -> Result<&'a str, RecordError> {
    let length = varint::take(raw).ok_or(RecordError("the length of a label"))?;
    let length = usize::try_from(length).map_err(|_| RecordError("the length of a label"))?;
    let (text, rest) = raw
        .split_at_checked(length)
        .ok_or(RecordError("the whole of a label"))?;
    *raw = rest;
    std::str::from_utf8(text).map_err(|_| RecordError("a label in UTF-8"))
}

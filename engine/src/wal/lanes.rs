//! The payloads of the records beside series and samples: native histograms, exemplars, metadata.
//!
//! ```text
//!  0       4           8
//!  | count | raw bytes | body |
//! ```
//!
//! The body is lz4 unless its length is `raw bytes`. Inside, one after the other:
//!
//! ```text
//! histograms  zigzag varint: series - series before | zigzag varint: ts - ts before | the histogram's own binary form
//! exemplars   the same two | value, 8 bytes | varint: labels | (varint length, name, varint length, value) each
//! metadata    type, 1 byte | (varint length, text) of family, help, unit
//! ```

use barograph_model::{Exemplar, Histogram, Labels, Metadata, MetricType, TimestampMs};

use super::frame::PAYLOAD_BYTES_MAX;
use super::record::{RecordError, take_u32};
use super::varint;
use crate::SeriesRef;

/// lz4 cannot express more than this many bytes in one.
const LZ4_RATIO_MAX: usize = 255;

/// Series and instant of the row before, which the next is written as a distance to.
#[derive(Default)]
struct Before {
    series: i64,
    ts: i64,
}

impl Before {
    fn put(&mut self, out: &mut Vec<u8>, series: SeriesRef, ts: i64) {
        let series = i64::from(series.0);
        varint::put(out, varint::zigzag(series.wrapping_sub(self.series)));
        varint::put(out, varint::zigzag(ts.wrapping_sub(self.ts)));
        *self = Self { series, ts };
    }

    fn take(&mut self, raw: &mut &[u8]) -> Result<(SeriesRef, i64), RecordError> {
        let series = varint::take(raw).ok_or(RecordError("the series of a row"))?;
        let ts = varint::take(raw).ok_or(RecordError("the instant of a row"))?;
        self.series = self.series.wrapping_add(varint::unzigzag(series));
        self.ts = self.ts.wrapping_add(varint::unzigzag(ts));
        let series = u32::try_from(self.series).map_err(|_| RecordError("a series number of 32 bits"))?;
        Ok((SeriesRef(series), self.ts))
    }
}

/// Writes histograms.
pub(super) fn encode_histograms(rows: &[(SeriesRef, i64, Histogram)]) -> Vec<u8> {
    let (mut raw, mut before) = (Vec::new(), Before::default());
    for (series, ts, histogram) in rows {
        before.put(&mut raw, *series, *ts);
        histogram.write_to(&mut raw);
    }
    pack(rows.len(), &raw)
}

/// Reads what [`encode_histograms`] wrote. Takes memory in proportion to the bytes given, whatever they say.
pub(super) fn decode_histograms(payload: &[u8]) -> Result<Vec<(SeriesRef, i64, Histogram)>, RecordError> {
    let mut before = Before::default();
    unpack(payload, |raw| {
        let (series, ts) = before.take(raw)?;
        let histogram = Histogram::read_from(raw).map_err(|_| RecordError("a sound histogram"))?;
        Ok((series, ts, histogram))
    })
}

/// Writes exemplars.
pub(super) fn encode_exemplars(rows: &[(SeriesRef, i64, Exemplar)]) -> Vec<u8> {
    let (mut raw, mut before) = (Vec::new(), Before::default());
    for (series, ts, exemplar) in rows {
        before.put(&mut raw, *series, *ts);
        raw.extend_from_slice(&exemplar.value.to_bits().to_le_bytes());
        varint::put(&mut raw, exemplar.labels.len() as u64);
        for text in exemplar.labels.iter().flat_map(|(name, value)| [name, value]) {
            put_text(&mut raw, text);
        }
    }
    pack(rows.len(), &raw)
}

/// Reads what [`encode_exemplars`] wrote.
pub(super) fn decode_exemplars(payload: &[u8]) -> Result<Vec<(SeriesRef, i64, Exemplar)>, RecordError> {
    let mut before = Before::default();
    unpack(payload, |raw| {
        let (series, ts) = before.take(raw)?;
        let (bits, rest) = raw
            .split_first_chunk()
            .ok_or(RecordError("the value of an exemplar"))?;
        let value = f64::from_bits(u64::from_le_bytes(*bits));
        *raw = rest;
        let pairs = varint::take(raw).ok_or(RecordError("the number of labels"))?;
        if pairs > raw.len() as u64 / 2 {
            return Err(RecordError("a number of labels that fits the length"));
        }
        let pairs = (0..pairs)
            .map(|_| Ok((take_text(raw)?, take_text(raw)?)))
            .collect::<Result<Vec<(&str, &str)>, RecordError>>()?;
        let labels = Labels::from_pairs(pairs).map_err(|_| RecordError("labels with distinct names"))?;
        let exemplar = Exemplar {
            labels,
            value,
            ts: TimestampMs(ts),
        };
        Ok((series, ts, exemplar))
    })
}

/// Writes metadata of families.
pub(super) fn encode_metadata(families: &[(String, Metadata)]) -> Vec<u8> {
    let mut raw = Vec::new();
    for (family, metadata) in families {
        raw.push(metadata.metric_type.to_number());
        for text in [family, &metadata.help, &metadata.unit] {
            put_text(&mut raw, text);
        }
    }
    pack(families.len(), &raw)
}

/// Reads what [`encode_metadata`] wrote.
pub(super) fn decode_metadata(payload: &[u8]) -> Result<Vec<(String, Metadata)>, RecordError> {
    unpack(payload, |raw| {
        let (&metric_type, rest) = raw.split_first().ok_or(RecordError("the type of a family"))?;
        *raw = rest;
        let family = take_text(raw)?.to_owned();
        let metadata = Metadata {
            metric_type: MetricType::from_number(u64::from(metric_type)),
            help: take_text(raw)?.to_owned(),
            unit: take_text(raw)?.to_owned(),
        };
        Ok((family, metadata))
    })
}

fn pack(count: usize, raw: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::block::compress(raw);
    let body = if packed.len() < raw.len() { &packed } else { raw };
    let mut out = Vec::with_capacity(8 + body.len());
    out.extend_from_slice(&(count as u32).to_le_bytes());
    out.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
    out
}

fn unpack<T>(
    payload: &[u8],
    mut take: impl FnMut(&mut &[u8]) -> Result<T, RecordError>,
) -> Result<Vec<T>, RecordError> {
    let mut body = payload;
    let count = take_u32(&mut body)? as usize;
    let raw_bytes = take_u32(&mut body)? as usize;
    let unpacked;
    let mut raw = if body.len() == raw_bytes {
        body
    } else {
        if raw_bytes > PAYLOAD_BYTES_MAX || raw_bytes / LZ4_RATIO_MAX > body.len() {
            return Err(RecordError("a length that lz4 can unpack to"));
        }
        let mut bytes = vec![0; raw_bytes];
        match lz4_flex::block::decompress_into(body, &mut bytes) {
            Ok(length) if length == raw_bytes => {}
            _ => return Err(RecordError("whole lz4 data")),
        }
        unpacked = bytes;
        &unpacked[..]
    };
    // Each row takes at least four bytes.
    if count > raw.len() / 4 {
        return Err(RecordError("a count of rows that fits the length"));
    }
    let mut rows = Vec::new();
    for _ in 0..count {
        rows.push(take(&mut raw)?);
    }
    if raw.is_empty() {
        Ok(rows)
    } else {
        Err(RecordError("nothing behind the last row"))
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    varint::put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(raw: &mut &'a [u8]) -> Result<&'a str, RecordError> {
    let length = varint::take(raw).ok_or(RecordError("the length of a text"))?;
    let length = usize::try_from(length).map_err(|_| RecordError("the length of a text"))?;
    let (text, rest) = raw
        .split_at_checked(length)
        .ok_or(RecordError("the whole of a text"))?;
    *raw = rest;
    std::str::from_utf8(text).map_err(|_| RecordError("a text in UTF-8"))
}

#[cfg(test)]
mod tests;

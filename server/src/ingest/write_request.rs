//! The message of remote write 1.0, decoded in one pass and without an allocation for each series.
//!
//! ```text
//! WriteRequest     1 timeseries: TimeSeries*   3 metadata: MetricMetadata*
//! TimeSeries       1 labels: Label*   2 samples: Sample*   3 exemplars: Exemplar*   4 histograms: Histogram*
//! Label            1 name: string     2 value: string
//! Sample           1 value: double    2 timestamp: int64, ms since the epoch
//! Exemplar         1 labels: Label*   2 value: double      3 timestamp: int64
//! ```
//!
//! A series is known by a hash of its label fields exactly as they were sent, so labels are not looked into here;
//! see `labels` for the few that the store has not seen. Samples go straight into columns.

use super::batch::{Batch, DecodeError, DecodeRules, check_count};
use super::labels::LabelSource;
use super::metadata::{MetadataEntry, read_metadata};
use super::protobuf::{Reader, WireError, WireType};
use super::rejects::Rejects;

/// Decodes a body of less than 4 GiB into `batch`, hashing each series' label fields with `fingerprint`. Gives the
/// metadata.
///
/// # Errors
/// [`DecodeError`]; nothing of the request may be stored then.
pub(super) fn decode<'a>(
    body: &'a [u8],
    batch: &mut Batch,
    rules: &DecodeRules<'_>,
    fingerprint: &impl Fn(&[u8]) -> u128,
    rejects: &mut Rejects,
) -> Result<Vec<MetadataEntry<'a>>, DecodeError> {
    debug_assert!(
        u32::try_from(body.len()).is_ok(),
        "the cap on bodies is far below 4 GiB"
    );
    batch.begin();
    let (mut series_seen, mut metadata_seen) = (0, 0);
    let mut metadata = Vec::new();
    let mut reader = Reader::new(body);
    while let Some(tag) = reader.tag()? {
        match tag.field {
            1 => {
                tag.expect(WireType::Length, "WriteRequest.timeseries")?;
                check_count("series", series_seen, rules.samples_max)?;
                series_seen += 1;
                decode_series(body, reader.message()?, batch, rules, fingerprint, rejects)?;
            }
            3 => {
                tag.expect(WireType::Length, "WriteRequest.metadata")?;
                check_count("metadata entries", metadata_seen, rules.samples_max)?;
                metadata_seen += 1;
                match read_metadata(reader.message()?, rules.metadata)? {
                    Ok(entry) => metadata.push(entry),
                    Err(fault) => rejects.add_metadata(fault),
                }
            }
            // To a reader of 1.0 a request of 2.0 is all unknown fields, and would be lost without a word.
            field @ (4 | 5) => {
                return Err(WireError::ForeignField {
                    offset: tag.offset,
                    field,
                    message: "prometheus.WriteRequest",
                    hint: "it looks like remote write 2.0; then its Content-Type must say proto=io.prometheus.write.v2.Request",
                }
                .into());
            }
            _ => reader.skip(tag)?,
        }
    }
    Ok(metadata)
}

fn decode_series(
    body: &[u8],
    mut series: Reader<'_>,
    batch: &mut Batch,
    rules: &DecodeRules<'_>,
    fingerprint: &impl Fn(&[u8]) -> u128,
    rejects: &mut Rejects,
) -> Result<(), DecodeError> {
    let source = LabelSource::Inline(body);
    let mut open = batch.open(series.offset()..series.end());
    let mut labels = series.offset()..series.offset();
    batch.gathered.clear();
    while let Some(tag) = series.tag()? {
        match tag.field {
            1 => {
                tag.expect(WireType::Length, "TimeSeries.labels")?;
                series.bytes()?;
                if tag.offset != labels.end {
                    batch.gathered.extend_from_slice(&body[labels]);
                    labels = tag.offset..tag.offset;
                }
                labels.end = series.offset();
            }
            2 => {
                tag.expect(WireType::Length, "TimeSeries.samples")?;
                let (ts, value) = read_sample(series.message()?)?;
                batch.push_sample(&mut open, (ts, value, 0), rules)?;
            }
            3 => {
                tag.expect(WireType::Length, "TimeSeries.exemplars")?;
                batch.push_exemplar(&mut open, series.message()?, source, rules, rejects)?;
            }
            4 => {
                tag.expect(WireType::Length, "TimeSeries.histograms")?;
                batch.push_histogram(&mut open, series.message()?, rules, rejects)?;
            }
            _ => series.skip(tag)?,
        }
    }
    let hash = |batch: &mut Batch| {
        if batch.gathered.is_empty() {
            return fingerprint(&body[labels]);
        }
        batch.gathered.extend_from_slice(&body[labels]);
        fingerprint(&batch.gathered)
    };
    batch.close(open, Ok(hash), source, rules, rejects)
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

#[cfg(test)]
mod tests;

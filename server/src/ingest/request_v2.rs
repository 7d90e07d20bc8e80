//! The message of remote write 2.0, decoded without an allocation for each series.
//!
//! ```text
//! Request     4 symbols: string*        5 timeseries: TimeSeries*      1 to 3 are reserved, so that 1.0 is told apart
//! TimeSeries  1 labels_refs: uint32*    2 samples: Sample*   3 histograms: Histogram*   4 exemplars: Exemplar*
//!             5 metadata: Metadata      6 created_timestamp: int64 (until 2.0-rc.3)
//! Sample      1 value: double           2 timestamp: int64   3 start_timestamp: int64 (since 2.0-rc.4)
//! Exemplar    1 labels_refs: uint32*    2 value: double      3 timestamp: int64
//! Metadata    1 type: enum              3 help_ref: uint32   4 unit_ref: uint32
//! ```
//!
//! The symbols are collected first, wherever in the body they stand. Then the label fields that remote write 1.0 would have
//! sent are put together from them and hashed, so that a series is known by the same fingerprint whichever of the two its
//! sender speaks.
//!
//! Invariants:
//! - the table begins with the empty text, as the specification demands: index 0 says "not given";
//! - a reference that leads nowhere refuses its series, and never the request.

use barograph_model::METRIC_NAME;

use super::batch::{Batch, DecodeError, DecodeRules, check_count};
use super::inline_metadata::InlineMetadata;
use super::labels::{LabelFault, LabelSource};
use super::metadata::MetadataEntry;
use super::protobuf::{Reader, WireError, WireType};
use super::rejects::{Reason, Rejects};
use super::symbols::{Symbol, Symbols};

/// Buffers that are reused from request to request.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    references: Vec<u64>,
}

/// Finds the symbols of a body of less than 4 GiB.
///
/// # Errors
/// [`DecodeError`]; nothing of the request may be stored then.
pub(super) fn read_symbols(
    body: &[u8],
    rules: &DecodeRules<'_>,
    places: &mut Vec<Symbol>,
) -> Result<(), DecodeError> {
    debug_assert!(
        u32::try_from(body.len()).is_ok(),
        "the cap on bodies is far below 4 GiB"
    );
    places.clear();
    let (mut has_series, mut is_empty_first) = (false, false);
    let mut reader = Reader::new(body);
    while let Some(tag) = reader.tag()? {
        match tag.field {
            4 => {
                tag.expect(WireType::Length, "Request.symbols")?;
                check_count("symbols", places.len(), rules.samples_max)?;
                let symbol = Symbol::read(&mut reader)?;
                is_empty_first |= places.is_empty() && symbol.is_empty();
                places.push(symbol);
            }
            field @ 1..=3 => {
                return Err(WireError::ForeignField {
                    offset: tag.offset,
                    field,
                    message: "io.prometheus.write.v2.Request",
                    hint: "it looks like remote write 1.0; then its Content-Type must say proto=prometheus.WriteRequest",
                }
                .into());
            }
            field => {
                has_series |= field == 5;
                reader.skip(tag)?;
            }
        }
    }
    if has_series && !is_empty_first {
        return Err(DecodeError::FirstSymbol);
    }
    Ok(())
}

/// Decodes the body whose symbols these are into `batch`. Gives the metadata, each family's as often as it differs.
///
/// # Errors
/// [`DecodeError`]; nothing of the request may be stored then.
pub(super) fn decode<'a>(
    symbols: Symbols<'a>,
    batch: &mut Batch,
    scratch: &mut Scratch,
    rules: &DecodeRules<'_>,
    fingerprint: &impl Fn(&[u8]) -> u128,
    rejects: &mut Rejects,
) -> Result<Vec<MetadataEntry<'a>>, DecodeError> {
    batch.begin();
    let mut decoder = Decoder {
        symbols,
        batch,
        scratch,
        rules,
        fingerprint,
        rejects,
        metadata: InlineMetadata::new(symbols),
    };
    let mut series_seen = 0;
    let mut reader = Reader::new(symbols.body);
    while let Some(tag) = reader.tag()? {
        if tag.field != 5 {
            reader.skip(tag)?;
            continue;
        }
        tag.expect(WireType::Length, "Request.timeseries")?;
        check_count("series", series_seen, rules.samples_max)?;
        series_seen += 1;
        decoder.series(reader.message()?)?;
    }
    let (metadata, faults) = decoder.metadata.finish();
    faults.into_iter().for_each(|fault| rejects.add_metadata(fault));
    Ok(metadata)
}

struct Decoder<'a, 'b, F> {
    symbols: Symbols<'a>,
    batch: &'b mut Batch,
    scratch: &'b mut Scratch,
    rules: &'b DecodeRules<'b>,
    fingerprint: &'b F,
    rejects: &'b mut Rejects,
    metadata: InlineMetadata<'a>,
}

impl<F: Fn(&[u8]) -> u128> Decoder<'_, '_, F> {
    fn series(&mut self, mut series: Reader<'_>) -> Result<(), DecodeError> {
        let source = LabelSource::Symbols(self.symbols);
        let rules = self.rules;
        let mut open = self.batch.open(series.offset()..series.end());
        let references = &mut self.scratch.references;
        references.clear();
        let references_max = 2 * rules.labels.count_max;
        let (mut too_many, mut has_histograms) = (false, false);
        let (mut metadata, mut created) = (None, 0);
        while let Some(tag) = series.tag()? {
            match tag.field {
                1 => series.varints(tag, "TimeSeries.labels_refs", |index| {
                    if references.len() < references_max {
                        references.push(index);
                    } else {
                        too_many = true;
                    }
                    Ok::<_, WireError>(())
                })?,
                2 => {
                    tag.expect(WireType::Length, "TimeSeries.samples")?;
                    let sample = read_sample(series.message()?)?;
                    self.batch.push_sample(&mut open, sample, rules)?;
                }
                3 => {
                    tag.expect(WireType::Length, "TimeSeries.histograms")?;
                    has_histograms = true;
                    let message = series.message()?;
                    self.batch
                        .push_histogram(&mut open, message, rules, self.rejects)?;
                }
                4 => {
                    tag.expect(WireType::Length, "TimeSeries.exemplars")?;
                    let message = series.message()?;
                    self.batch
                        .push_exemplar(&mut open, message, source, rules, self.rejects)?;
                }
                5 => {
                    tag.expect(WireType::Length, "TimeSeries.metadata")?;
                    metadata = Some(series.message()?);
                }
                6 => {
                    tag.expect(WireType::Varint, "TimeSeries.created_timestamp")?;
                    created = series.varint()? as i64;
                }
                _ => series.skip(tag)?,
            }
        }
        if created != 0 {
            self.batch.set_created(&open, created, rules);
        }
        let metric = if too_many {
            Err(too_many_labels(rules))
        } else {
            self.gather()
        };
        if let Ok(metric) = metric {
            self.batch.count_labels(self.batch.gathered.len(), rules)?;
            if let (Some(metric), Some(message)) = (metric, metadata) {
                self.metadata
                    .read(metric, message, has_histograms, rules.metadata)?;
            }
        }
        let fingerprint = self.fingerprint;
        let hash = metric.map(|_| |batch: &mut Batch| fingerprint(&batch.gathered));
        self.batch.close(open, hash, source, rules, self.rejects)
    }

    /// Puts the label fields of 1.0 together. Gives the symbol of the metric's name.
    fn gather(&mut self) -> Result<Option<u64>, Reason> {
        let mut metric = None;
        let (pairs, odd) = self.scratch.references.as_chunks::<2>();
        self.batch.gathered.clear();
        if !odd.is_empty() {
            return Err(Reason::Labels(LabelFault::OddReferences));
        }
        for &[name, value] in pairs {
            if !self.symbols.write_label(name, value, &mut self.batch.gathered) {
                let is_known = self.symbols.get(name).is_some();
                return Err(Reason::Labels(LabelFault::UnknownSymbol {
                    index: if is_known { value } else { name },
                    symbols: self.symbols.places.len(),
                }));
            }
            if self.symbols.get(name) == Some(METRIC_NAME.as_bytes()) {
                metric = Some(value);
            }
        }
        Ok(metric)
    }
}

fn too_many_labels(rules: &DecodeRules<'_>) -> Reason {
    Reason::Labels(LabelFault::TooMany {
        max: rules.labels.count_max,
    })
}

/// A sample as (ms since the epoch, value, created or 0); a field that is left out is 0, one that is repeated counts last.
#[inline]
fn read_sample(mut sample: Reader<'_>) -> Result<(i64, f64, i64), WireError> {
    let (mut ts, mut value, mut created) = (0, 0.0, 0);
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
            3 => {
                tag.expect(WireType::Varint, "Sample.start_timestamp")?;
                created = sample.varint()? as i64;
            }
            _ => sample.skip(tag)?,
        }
    }
    Ok((ts, value, created))
}

#[cfg(test)]
mod tests;

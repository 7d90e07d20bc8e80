//! The metadata of remote write 2.0, which stands inside each series and names its texts by symbol.
//!
//! It repeats with every series of a family, so an entry is looked into once for each (metric, type, help, unit) of a
//! request. Metadata belongs to a family: the series `x_bucket`, `x_sum` and `x_count` of a histogram are all about `x`,
//! likewise those of a summary. A native histogram has its family's own name.

use std::collections::HashSet;

use barograph_model::MetricType;

use super::limits::MetadataLimits;
use super::metadata::{MetadataEntry, MetadataFault, RawMetadata};
use super::protobuf::{Reader, WireError, WireType};
use super::symbols::Symbols;

/// What tells one entry from another: metric and type, help, unit.
type Key = (u64, u64, u64, u64);

/// The metadata of one request as it is read.
pub(super) struct InlineMetadata<'a> {
    symbols: Symbols<'a>,
    last: Option<Key>,
    seen: HashSet<Key>,
    entries: Vec<MetadataEntry<'a>>,
    faults: Vec<MetadataFault>,
}

impl<'a> InlineMetadata<'a> {
    pub(super) fn new(symbols: Symbols<'a>) -> Self {
        Self {
            symbols,
            last: None,
            seen: HashSet::new(),
            entries: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Reads the Metadata message of a series whose metric's name is the symbol `metric`.
    ///
    /// # Errors
    /// [`WireError`] where the message is malformed.
    pub(super) fn read(
        &mut self,
        metric: u64,
        mut message: Reader<'_>,
        is_native: bool,
        limits: &MetadataLimits,
    ) -> Result<(), WireError> {
        let (mut metric_type, mut help, mut unit) = (0, 0, 0);
        while let Some(tag) = message.tag()? {
            match tag.field {
                1 => {
                    tag.expect(WireType::Varint, "Metadata.type")?;
                    metric_type = message.varint()?;
                }
                3 => {
                    tag.expect(WireType::Varint, "Metadata.help_ref")?;
                    help = message.varint()?;
                }
                4 => {
                    tag.expect(WireType::Varint, "Metadata.unit_ref")?;
                    unit = message.varint()?;
                }
                _ => message.skip(tag)?,
            }
        }
        let says_nothing = (metric_type, help, unit) == (0, 0, 0);
        let key = (metric, metric_type << 1 | u64::from(is_native), help, unit);
        if says_nothing || self.last == Some(key) {
            return Ok(());
        }
        self.last = Some(key);
        if self.seen.insert(key) {
            match self.entry(metric, metric_type, help, unit, is_native, limits) {
                Ok(entry) => self.entries.push(entry),
                Err(fault) => self.faults.push(fault),
            }
        }
        Ok(())
    }

    /// The entries, and what was wrong with others.
    pub(super) fn finish(self) -> (Vec<MetadataEntry<'a>>, Vec<MetadataFault>) {
        (self.entries, self.faults)
    }

    fn entry(
        &self,
        metric: u64,
        metric_type: u64,
        help: u64,
        unit: u64,
        is_native: bool,
        limits: &MetadataLimits,
    ) -> Result<MetadataEntry<'a>, MetadataFault> {
        let metric = self.symbols.get(metric).unwrap_or_default();
        let text = |part: &'static str, index: u64| {
            self.symbols
                .get(index)
                .ok_or_else(|| MetadataFault::UnknownSymbol {
                    metric: String::from_utf8_lossy(&metric[..metric.len().min(100)]).into_owned(),
                    part,
                    index,
                    symbols: self.symbols.places.len(),
                })
        };
        let metric_type = MetricType::from_number(metric_type);
        RawMetadata {
            name: if is_native {
                metric
            } else {
                family_of(metric, metric_type)
            },
            metric_type,
            help: text("help", help)?,
            unit: text("unit", unit)?,
        }
        .check(limits)
    }
}

/// The family that a series of this name and type belongs to.
fn family_of(metric: &[u8], metric_type: MetricType) -> &[u8] {
    let suffixes: &[&[u8]] = match metric_type {
        MetricType::Histogram | MetricType::GaugeHistogram => &[b"_bucket", b"_sum", b"_count"],
        MetricType::Summary => &[b"_sum", b"_count"],
        _ => &[],
    };
    let family = suffixes.iter().find_map(|suffix| metric.strip_suffix(*suffix));
    family.filter(|family| !family.is_empty()).unwrap_or(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_family_share_its_metadata() {
        for (metric, metric_type, family) in [
            ("x_bucket", MetricType::Histogram, "x"),
            ("x_sum", MetricType::GaugeHistogram, "x"),
            ("x_count", MetricType::Summary, "x"),
            ("x_bucket", MetricType::Summary, "x_bucket"),
            ("x_total", MetricType::Counter, "x_total"),
            ("x_count", MetricType::Gauge, "x_count"),
            ("_sum", MetricType::Summary, "_sum"),
        ] {
            assert_eq!(family_of(metric.as_bytes(), metric_type), family.as_bytes());
        }
    }
}

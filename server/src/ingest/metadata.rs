//! What senders say about metric families: type, help, unit.

use std::collections::HashMap;

use barograph_engine::MetadataTable;
use barograph_model::{Metadata, MetricType};
use thiserror::Error;

use super::limits::MetadataLimits;
use super::protobuf::{Reader, WireError, WireType};
use super::rejects::Rejects;

/// Why an entry was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetadataFault {
    /// It does not say of which metric family.
    #[error("a metadata entry has no metric family name")]
    NoName,
    /// A text that is not UTF-8.
    #[error("metadata of {metric:?}: the {part} is not valid UTF-8")]
    NotUtf8 {
        /// Of which family; shown with a mark for what cannot be read.
        metric: String,
        /// Which text.
        part: &'static str,
    },
    /// A text that is too long.
    #[error("metadata of {metric:?}: the {part} has {bytes} bytes, more than {max}")]
    TooLong {
        /// Of which family, its beginning.
        metric: String,
        /// Which text.
        part: &'static str,
        /// Its length.
        bytes: usize,
        /// The cap.
        max: usize,
    },
    /// A reference behind the end of the symbols table.
    #[error("metadata of {metric:?}: the {part} refers to symbol {index} of {symbols}")]
    UnknownSymbol {
        /// Of which family; shown with a mark for what cannot be read.
        metric: String,
        /// Which text.
        part: &'static str,
        /// The index, from 0.
        index: u64,
        /// How many symbols the request has.
        symbols: usize,
    },
    /// The registry holds as many families as it may.
    #[error(
        "metadata of {metric:?}: {max} metric families are known already, which is the most that are kept"
    )]
    Full {
        /// Of which family.
        metric: String,
        /// The cap.
        max: usize,
    },
}

/// A decoded entry, borrowed from the body.
#[derive(Debug)]
pub(super) struct MetadataEntry<'a> {
    name: &'a str,
    metric_type: MetricType,
    help: &'a str,
    unit: &'a str,
}

/// Reads a MetricMetadata message. The outer result is the message's, the inner one the entry's: a fault leaves the
/// rest of the request good.
///
/// # Errors
/// [`WireError`] where the message is malformed.
pub(super) fn read_metadata<'a>(
    mut message: Reader<'a>,
    limits: &MetadataLimits,
) -> Result<Result<MetadataEntry<'a>, MetadataFault>, WireError> {
    let mut raw = RawMetadata::default();
    while let Some(tag) = message.tag()? {
        match tag.field {
            1 => {
                tag.expect(WireType::Varint, "MetricMetadata.type")?;
                raw.metric_type = MetricType::from_number(message.varint()?);
            }
            2 => {
                tag.expect(WireType::Length, "MetricMetadata.metric_family_name")?;
                raw.name = message.bytes()?;
            }
            4 => {
                tag.expect(WireType::Length, "MetricMetadata.help")?;
                raw.help = message.bytes()?;
            }
            5 => {
                tag.expect(WireType::Length, "MetricMetadata.unit")?;
                raw.unit = message.bytes()?;
            }
            _ => message.skip(tag)?,
        }
    }
    Ok(raw.check(limits))
}

/// An entry whose texts are not checked yet.
#[derive(Debug, Default)]
pub(super) struct RawMetadata<'a> {
    pub(super) name: &'a [u8],
    pub(super) metric_type: MetricType,
    pub(super) help: &'a [u8],
    pub(super) unit: &'a [u8],
}

impl<'a> RawMetadata<'a> {
    /// Checks that there is a name, and the texts against the caps.
    pub(super) fn check(self, limits: &MetadataLimits) -> Result<MetadataEntry<'a>, MetadataFault> {
        if self.name.is_empty() {
            return Err(MetadataFault::NoName);
        }
        let metric = || String::from_utf8_lossy(&self.name[..self.name.len().min(100)]).into_owned();
        let text = |part: &'static str, bytes: &'a [u8], max: usize| {
            if bytes.len() > max {
                return Err(MetadataFault::TooLong {
                    metric: metric(),
                    part,
                    bytes: bytes.len(),
                    max,
                });
            }
            str::from_utf8(bytes).map_err(|_| MetadataFault::NotUtf8 {
                metric: metric(),
                part,
            })
        };
        Ok(MetadataEntry {
            name: text("name", self.name, limits.name_bytes_max)?,
            metric_type: self.metric_type,
            help: text("help", self.help, limits.text_bytes_max)?,
            unit: text("unit", self.unit, limits.text_bytes_max)?,
        })
    }
}

/// What a request says of metric families that is not known yet.
#[derive(Debug, Default)]
pub(super) struct News {
    /// In place of what is known.
    pub(super) families: Vec<(String, Metadata)>,
    /// Entries that were acceptable, known or not.
    pub(super) taken: u64,
}

impl News {
    /// Looks at each entry: senders repeat them every minute, or with every series, and only what differs is worth a place
    /// in the log. New families beyond `families_max` are refused.
    pub(super) fn of(
        known: &MetadataTable,
        entries: &[MetadataEntry<'_>],
        families_max: usize,
        rejects: &mut Rejects,
    ) -> Self {
        let mut news = Self::default();
        // Of a family that is said twice, the later word.
        let mut said: HashMap<&str, usize> = HashMap::new();
        let mut fresh = 0;
        for entry in entries {
            let before = match said.get(entry.name) {
                Some(&place) => Some(&news.families[place].1),
                None => known.get(entry.name),
            };
            if before.is_some_and(|metadata| entry.says(metadata)) {
                news.taken += 1;
                continue;
            }
            if before.is_none() {
                if known.len() + fresh >= families_max {
                    rejects.add_metadata(MetadataFault::Full {
                        metric: entry.name.to_owned(),
                        max: families_max,
                    });
                    continue;
                }
                fresh += 1;
            }
            news.taken += 1;
            let metadata = Metadata {
                metric_type: entry.metric_type,
                help: entry.help.to_owned(),
                unit: entry.unit.to_owned(),
            };
            match said.get(entry.name) {
                Some(&place) => news.families[place].1 = metadata,
                None => {
                    said.insert(entry.name, news.families.len());
                    news.families.push((entry.name.to_owned(), metadata));
                }
            }
        }
        news
    }
}

impl MetadataEntry<'_> {
    fn says(&self, metadata: &Metadata) -> bool {
        metadata.metric_type == self.metric_type && metadata.help == self.help && metadata.unit == self.unit
    }
}

#[cfg(test)]
mod tests {
    use super::super::rejects::RejectKind;
    use super::*;

    fn read(body: &[u8]) -> Result<Result<MetadataEntry<'_>, MetadataFault>, WireError> {
        let limits = MetadataLimits {
            metrics_max: 2,
            name_bytes_max: 8,
            text_bytes_max: 5,
        };
        read_metadata(Reader::new(body), &limits)
    }

    fn entry<'a>(name: &'a str, help: &'a str) -> MetadataEntry<'a> {
        MetadataEntry {
            name,
            metric_type: MetricType::Gauge,
            help,
            unit: "",
        }
    }

    #[test]
    fn reads_an_entry() {
        let body = b"\x08\x01\x12\x02up\x22\x04help\x2a\x01s\x7a\x01x";
        let entry = read(body).unwrap().unwrap();
        assert_eq!((entry.name, entry.help, entry.unit), ("up", "help", "s"));
        assert_eq!(entry.metric_type.as_str(), "counter");
    }

    #[test]
    fn faults_name_the_family() {
        assert_eq!(read(b"\x08\x63").unwrap().unwrap_err(), MetadataFault::NoName);
        let long = read(b"\x12\x02up\x22\x06helper").unwrap().unwrap_err();
        assert_eq!(
            long.to_string(),
            "metadata of \"up\": the help has 6 bytes, more than 5"
        );
        let garbled = read(b"\x12\x02up\x2a\x01\xff").unwrap().unwrap_err();
        assert_eq!(
            garbled,
            MetadataFault::NotUtf8 {
                metric: "up".into(),
                part: "unit"
            }
        );
        assert!(read(b"\x12\x09too_long_").unwrap().is_err());
        assert!(
            read(b"\x0a\x02up").is_err(),
            "a type that is a text is a malformed message"
        );
    }

    #[test]
    fn only_what_differs_is_news_and_no_more_than_its_bound() {
        let mut rejects = Rejects::default();
        let known = MetadataTable::default();
        let entries = [
            entry("b", "old"),
            entry("b", "old"),
            entry("b", "new"),
            entry("a", ""),
            entry("c", ""),
        ];
        let news = News::of(&known, &entries, 2, &mut rejects);
        let families: Vec<_> = news
            .families
            .iter()
            .map(|(family, m)| (family.as_str(), m.help.as_str()))
            .collect();
        assert_eq!((families, news.taken), (vec![("b", "new"), ("a", "")], 4));
        assert_eq!(rejects.count(RejectKind::Metadata), 1);
    }
}

//! What senders say about metric families: type, help, unit. Kept in memory; senders repeat it every minute.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use barograph_model::{Metadata, MetricType};
use thiserror::Error;

use super::limits::MetadataLimits;
use super::protobuf::{Reader, WireError, WireType};

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

/// The metadata of all metric families, the latest word of each. Bounded; shared between threads.
#[derive(Debug)]
pub struct MetadataRegistry {
    limits: MetadataLimits,
    families: Mutex<HashMap<String, Metadata>>,
}

impl MetadataRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new(limits: MetadataLimits) -> Self {
        Self {
            limits,
            families: Mutex::default(),
        }
    }

    /// What is known of one family.
    #[must_use]
    pub fn get(&self, family: &str) -> Option<Metadata> {
        self.lock().get(family).cloned()
    }

    /// Everything, sorted by family. O(n log n), a copy.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Metadata)> {
        let mut all: Vec<_> = self
            .lock()
            .iter()
            .map(|(name, entry)| (name.clone(), entry.clone()))
            .collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The number of families known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Keeps an entry in place of what was known of its family.
    ///
    /// # Errors
    /// [`MetadataFault::Full`] for a new family where there is no room.
    pub(super) fn set(&self, entry: &MetadataEntry<'_>) -> Result<(), MetadataFault> {
        let mut families = self.lock();
        let metadata = || Metadata {
            metric_type: entry.metric_type,
            help: entry.help.to_owned(),
            unit: entry.unit.to_owned(),
        };
        if let Some(known) = families.get_mut(entry.name) {
            if known.metric_type != entry.metric_type || known.help != entry.help || known.unit != entry.unit
            {
                *known = metadata();
            }
            return Ok(());
        }
        if families.len() >= self.limits.metrics_max {
            return Err(MetadataFault::Full {
                metric: entry.name.to_owned(),
                max: self.limits.metrics_max,
            });
        }
        families.insert(entry.name.to_owned(), metadata());
        Ok(())
    }

    /// The map stays whole whatever a thread did while it held it, so a poisoned lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Metadata>> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
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
    fn keeps_the_latest_word_and_no_more_than_its_bound() {
        let registry = MetadataRegistry::new(MetadataLimits {
            metrics_max: 2,
            ..MetadataLimits::default()
        });
        registry.set(&entry("b", "old")).unwrap();
        registry.set(&entry("b", "new")).unwrap();
        registry.set(&entry("a", "")).unwrap();
        let full = registry.set(&entry("c", "")).unwrap_err();
        assert_eq!(
            full,
            MetadataFault::Full {
                metric: "c".into(),
                max: 2
            }
        );
        registry.set(&entry("a", "again")).unwrap();
        assert_eq!(registry.get("a").unwrap().help, "again");
        assert_eq!(registry.get("c"), None);
        let names: Vec<String> = registry.all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}

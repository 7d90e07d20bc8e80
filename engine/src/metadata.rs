//! What is known of metric families, the newest word of each.
//!
//! What a batch says about families is in the log with it, and everything that is known is in the manifest, which is written
//! before the log is cut. So nothing that was acknowledged is forgotten, and a store of thousands of families pays some
//! hundred kilobytes of manifest for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::Metadata;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Metric families by name. Cheap to clone; a clone does not change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataTable(Arc<BTreeMap<String, Metadata>>);

impl MetadataTable {
    /// What is known of a family.
    #[must_use]
    pub fn get(&self, family: &str) -> Option<&Metadata> {
        self.0.get(family)
    }

    /// All families, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Metadata)> {
        self.0
            .iter()
            .map(|(family, metadata)| (family.as_str(), metadata))
    }

    /// How many families are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts families in place of what was known of them.
    pub(crate) fn extend(&mut self, families: Vec<(String, Metadata)>) {
        if !families.is_empty() {
            Arc::make_mut(&mut self.0).extend(families);
        }
    }
}

impl Serialize for MetadataTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MetadataTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|families| Self(Arc::new(families)))
    }
}

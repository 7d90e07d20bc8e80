//! One state of the store's files.

use serde::{Deserialize, Serialize};

use crate::metadata::MetadataTable;
use crate::segment::SegmentMeta;
use crate::tombstone::Tombstone;

/// What the manifest holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Frames of the log below this number are in segments.
    pub(crate) wal_floor: u64,
    /// Keys the ids of series; drawn when the store is made.
    pub(crate) store_key: u64,
    /// The number of the next segment or delete.
    pub(crate) next_sequence: u64,
    /// The segments, in the order in which they were written.
    pub(crate) segments: Vec<SegmentMeta>,
    /// Deletes that some of the segments still need, oldest first.
    #[serde(default)]
    pub(crate) tombstones: Vec<Tombstone>,
    /// What the records of metadata below the floor have said.
    #[serde(default, skip_serializing_if = "MetadataTable::is_empty")]
    pub(crate) metadata: MetadataTable,
}

impl Version {
    /// The state of a store without samples.
    pub(crate) fn new(store_key: u64) -> Self {
        Self {
            wal_floor: 0,
            store_key,
            next_sequence: 1,
            segments: Vec::new(),
            tombstones: Vec::new(),
            metadata: MetadataTable::default(),
        }
    }
}

//! One state of the store's files.

use serde::{Deserialize, Serialize};

use crate::segment::SegmentMeta;
use crate::tombstone::Tombstone;

/// What the manifest holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Frames of the log below this number are in segments.
    pub(crate) wal_floor: u64,
    /// No series below this id will be named again.
    pub(crate) next_series_id: i64,
    /// The number of the next segment or delete.
    pub(crate) next_sequence: u64,
    /// The segments, in the order in which they were written.
    pub(crate) segments: Vec<SegmentMeta>,
    /// Deletes that some of the segments still need, oldest first.
    #[serde(default)]
    pub(crate) tombstones: Vec<Tombstone>,
}

impl Default for Version {
    fn default() -> Self {
        Self {
            wal_floor: 0,
            next_series_id: 1,
            next_sequence: 1,
            segments: Vec::new(),
            tombstones: Vec::new(),
        }
    }
}

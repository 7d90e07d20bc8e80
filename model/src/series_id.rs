//! The stable name of a series on disk.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A series' identity in files and in SQL: a hash of its labels, keyed by a number of the store; never negative.
///
/// Stable across restarts, backups and compactions of one store; two stores give the same labels different ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesId(pub i64);

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

//! The name of a series in memory.

/// A series of one open store: dense, counting from 0, valid until the store is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesRef(pub u32);

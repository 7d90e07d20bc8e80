//! The store: every acknowledged sample is in the write-ahead log, then in the memtable, then in a Parquet
//! segment, and a [`Snapshot`] reads all of them as one.
//!
//! Invariants:
//! - synchronous: threads and blocking calls, no async runtime, no query engine;
//! - a sample is visible only after the log that holds it is on disk;
//! - a segment is on disk before the manifest names it, and the manifest is on disk before the log is cut;
//! - of two samples with the same series and instant, the one written later is the one that is read.

mod error;
mod options;
mod scan;
mod series;
pub mod vfs;

pub use error::{EngineError, Result};
pub use options::Options;
pub use scan::{SampleBlock, ScanStats, SeriesRun};
pub use series::SeriesRef;

//! The store: every acknowledged sample is in the write-ahead log, then in the memtable, then in a Parquet
//! segment, and a [`Snapshot`] reads all of them as one.
//!
//! Invariants:
//! - synchronous: threads and blocking calls, no async runtime, no query engine;
//! - a sample is visible only after the log that holds it is on disk, or with [`Fsync::Interval`] is written;
//! - a segment is on disk before the manifest names it, and the manifest is on disk before the log is cut;
//! - of two samples with the same series and instant, the one written later is the one that is read.

pub mod backup;
pub mod check;
mod columns;
mod damage;
mod delete;
mod engine;
mod error;
pub mod inspect;
pub mod journal;
mod lanes;
mod metadata;
mod options;
mod retention;
mod rollup;
mod scan;
mod series;
mod series_scan;
mod series_set;
mod snapshot;
mod stats;

mod commit;
mod compaction;
mod disk_guard;
mod files;
mod label_cache;
mod log;
mod maintenance;
mod memory;
mod merge;
mod quarantine;
mod recovery;
mod replay_progress;
mod sorting;
mod tombstone;
mod worker;

mod index;
mod manifest;
mod memtable;
mod segment;
pub mod vfs;
pub mod wal;

pub use columns::SampleColumns;
pub use commit::Done;
pub use compaction::Compaction;
pub use damage::{Damage, DamageKind, DamageTotals};
pub use delete::DeleteReport;
pub use engine::Engine;
pub use error::{EngineError, Result};
pub use index::Head;
pub use lanes::{ExemplarScan, HistogramScan, LaneBatch, LaneBatches, LaneKind};
pub use metadata::MetadataTable;
pub use options::{Fsync, Options};
pub use retention::RetentionRule;
pub use rollup::{
    Bucket, BucketBlock, BucketParts, RollupKeep, RollupOptions, RollupPartition, RollupScan, RollupWidth,
};
pub use scan::{Pruned, SampleBlock, Scan, ScanFile, ScanPartition, ScanStats, SeriesRun};
pub use series::SeriesRef;
pub use series_scan::{SeriesReader, SeriesRows, SeriesScan};
pub use series_set::SeriesSet;
pub use snapshot::Snapshot;
pub use stats::{CompactionStats, EngineStats};

#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod sim_tests;
#[cfg(test)]
mod tests;

//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use barograph_model::MemoryBudget;

use crate::{RetentionRule, RollupOptions};

/// When the write-ahead log is synced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Before each acknowledgement: what was acknowledged survives a power cut.
    #[default]
    Always,
    /// An acknowledgement follows the write, and the sync comes within this time. The end of the process loses nothing; a
    /// power cut or a crash of the kernel loses at most what was acknowledged in this time before it, from some instant
    /// on: never a sample with later ones kept.
    Interval(Duration),
}

/// Settings of a store. [`Options::default`] fits a machine with a few cores and a few GiB.
#[derive(Debug, Clone)]
pub struct Options {
    /// Samples older than this are not read any more and dropped from disk; `None` keeps everything.
    pub retention_ms: Option<i64>,
    /// Series that are kept for another time than that, shorter or longer: the first rule that a series passes counts.
    pub retention_rules: Vec<RetentionRule>,
    /// Which rollups are made of whole days, and how long they are kept.
    pub rollup: RollupOptions,
    /// Samples further in the future than this are refused.
    pub future_ms_max: i64,
    /// Rows in memory at which the memtable is written to segments, however few bytes they take: for tests. Otherwise
    /// the memtable's share of `memory` decides.
    pub flush_rows: usize,
    /// Series that may be known and silent, beyond as many as are written to, before the head is renewed without
    /// them.
    pub silent_series_max: u64,
    /// When the log is synced.
    pub fsync: Fsync,
    /// Bytes of the disk that writes leave free, so that flushes and merges stay possible; 0 does not look.
    pub free_bytes_min: u64,
    /// The length of a write-ahead log file before a new one is begun.
    pub wal_file_bytes: u64,
    /// Rows of a Parquet row group.
    pub row_group_rows: usize,
    /// Rows at which a merge begins another segment, between two series.
    pub segment_rows_max: u64,
    /// Memory that a merge of segments may take beside the mapped files. One runs at a time.
    pub compaction_memory_bytes: usize,
    /// The account of memory, which the store shares with the rest of the process. The memtable is written to segments
    /// at half of its share, and appends are refused as overload when all of it is taken, or all of the commit queue's.
    pub memory: Arc<MemoryBudget>,
    /// What keys the ids of series in a new store; `None` draws a number that nobody knows.
    pub store_key: Option<u64>,
    /// Whether the store has threads of its own. Without them each append commits, and flushes where memory is full, on the
    /// calling thread, and merges are asked for with [`Engine::compact_once`](crate::Engine::compact_once): for
    /// simulations, which must be repeatable.
    pub background: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention_ms: Some(15 * 86_400_000),
            retention_rules: Vec::new(),
            rollup: RollupOptions::default(),
            future_ms_max: 10 * 60_000,
            flush_rows: usize::MAX,
            silent_series_max: 100_000,
            fsync: Fsync::Always,
            free_bytes_min: 0,
            wal_file_bytes: 128 << 20,
            row_group_rows: 1 << 20,
            segment_rows_max: 1 << 26,
            compaction_memory_bytes: 128 << 20,
            memory: Arc::new(MemoryBudget::unlimited()),
            store_key: None,
            background: true,
        }
    }
}

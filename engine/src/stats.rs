//! Figures about an open store.

use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use barograph_model::MemoryShare;

use crate::Compaction;
use crate::damage::{Damage, DamageLedger, DamageTotals};
use crate::engine::Shared;
use crate::segment::SegmentKind;

/// What the threads count.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) samples: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
    pub(crate) flushes: AtomicU64,
    pub(crate) failed_flushes: AtomicU64,
    pub(crate) flushed_bytes: AtomicU64,
    /// rows in the memtable and in those being flushed
    pub(crate) memory_rows: AtomicUsize,
    pub(crate) wal_bytes: AtomicU64,
    pub(crate) compaction: CompactionCounters,
    pub(crate) closing: AtomicBool,
    /// whether deletes are carried out without waiting for an ordinary merge
    pub(crate) purges_at_once: AtomicBool,
    /// monotonic time before which a failed flush is not tried again
    pub(crate) flush_not_before_ns: AtomicU64,
    poison: OnceLock<String>,
    pub(crate) damages: DamageLedger,
}

impl Counters {
    /// Why writes have stopped, if they have.
    pub(crate) fn poison(&self) -> Option<String> {
        self.poison.get().cloned()
    }

    /// Stops writes; the first reason stays.
    pub(crate) fn set_poison(&self, reason: &str) {
        self.poison.get_or_init(|| reason.to_owned());
    }
}

/// What merges count.
#[derive(Default)]
pub(crate) struct CompactionCounters {
    jobs: AtomicU64,
    pub(crate) failures: AtomicU64,
    rows_read: AtomicU64,
    rows_written: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    pub(crate) ns: AtomicU64,
}

impl CompactionCounters {
    /// Enters a merge that was carried out.
    pub(crate) fn add(&self, done: &Compaction) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.rows_read.fetch_add(done.rows_in, Ordering::Relaxed);
        self.rows_written.fetch_add(done.rows_out, Ordering::Relaxed);
        self.bytes_read.fetch_add(done.bytes_in, Ordering::Relaxed);
        self.bytes_written.fetch_add(done.bytes_out, Ordering::Relaxed);
    }

    fn stats(&self) -> CompactionStats {
        CompactionStats {
            jobs: self.jobs.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            rows_read: self.rows_read.load(Ordering::Relaxed),
            rows_written: self.rows_written.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
            ns: self.ns.load(Ordering::Relaxed),
        }
    }
}

/// What merges of segments have done since the store was opened; rollups count as merges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompactionStats {
    /// Merges carried out.
    pub jobs: u64,
    /// Merges that failed and were or will be tried again.
    pub failures: u64,
    /// Rows read.
    pub rows_read: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Bytes of the segments read.
    pub bytes_read: u64,
    /// Bytes of the segments written.
    pub bytes_written: u64,
    /// Time that merges took, failed ones included, in nanoseconds.
    pub ns: u64,
}

/// Figures about a store at one moment.
#[derive(Debug, Clone, Default)]
pub struct EngineStats {
    /// Series in memory: those written to, and some that have fallen silent.
    pub head_series: usize,
    /// Memory that these take, about.
    pub head_bytes: usize,
    /// Samples committed since the store was opened.
    pub samples_committed: u64,
    /// Syncs of the log that succeeded.
    pub commits: u64,
    /// Commits that the disk refused.
    pub commits_failed: u64,
    /// Memtables written to segments.
    pub flushes: u64,
    /// Flushes that failed and were or will be tried again.
    pub flushes_failed: u64,
    /// Bytes of segments that flushes wrote: with [`CompactionStats::bytes_written`] how often a byte is written.
    pub flushed_bytes: u64,
    /// Merges of segments.
    pub compaction: CompactionStats,
    /// Deletes that hide samples which no merge has removed yet.
    pub tombstones: usize,
    /// Rows that are only in memory and in the log.
    pub memory_rows: usize,
    /// Bytes that those rows take.
    pub memory_bytes: usize,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Bytes free on the disk when a write last asked, which is at most once a second; `None` before that and where
    /// nobody asks.
    pub disk_free_bytes: Option<u64>,
    /// Segments, rollups among them.
    pub segments: usize,
    /// Rows in segments.
    pub segment_rows: u64,
    /// Native histograms in segments.
    pub segment_histograms: u64,
    /// Exemplars in segments.
    pub segment_exemplars: u64,
    /// Buckets of five minutes in rollups.
    pub segment_buckets_5m: u64,
    /// Buckets of one hour in rollups.
    pub segment_buckets_1h: u64,
    /// Bytes of rollups on disk, series files and indexes included.
    pub rollup_bytes: u64,
    /// Bytes of all segments on disk, those of rollups among them, series files and indexes included.
    pub segment_bytes: u64,
    /// Bytes of the indexes among them.
    pub index_bytes: u64,
    /// Why writes have stopped, if they have.
    pub poisoned: Option<String>,
    /// What was found damaged since the store was opened: the first of it.
    pub damages: Vec<Damage>,
    /// How much of it there is.
    pub damage_totals: DamageTotals,
}

impl EngineStats {
    pub(crate) fn of(shared: &Shared) -> Self {
        let counters = &shared.counters;
        let (segments, tombstones, head) = {
            let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
            (
                std::sync::Arc::clone(&state.segments),
                state.tombstones.len(),
                state.memtable.head().clone(),
            )
        };
        let (damages, damage_totals) = counters.damages.read();
        let rows_of = |kind: SegmentKind| {
            let of_kind = segments.iter().filter(|s| s.meta.kind == kind);
            of_kind.map(|s| s.meta.rows).sum()
        };
        Self {
            head_series: head.len(),
            head_bytes: head.heap_bytes(),
            samples_committed: counters.samples.load(Ordering::Relaxed),
            commits: counters.commits.load(Ordering::Relaxed),
            commits_failed: counters.failed_commits.load(Ordering::Relaxed),
            flushes: counters.flushes.load(Ordering::Relaxed),
            flushes_failed: counters.failed_flushes.load(Ordering::Relaxed),
            flushed_bytes: counters.flushed_bytes.load(Ordering::Relaxed),
            compaction: counters.compaction.stats(),
            tombstones,
            memory_rows: counters.memory_rows.load(Ordering::Relaxed),
            memory_bytes: shared.options.memory.used_bytes(MemoryShare::Memtable),
            wal_bytes: counters.wal_bytes.load(Ordering::Relaxed),
            disk_free_bytes: shared.disk.free_bytes(),
            segments: segments.len(),
            segment_rows: rows_of(SegmentKind::Samples),
            segment_histograms: rows_of(SegmentKind::Histograms),
            segment_exemplars: rows_of(SegmentKind::Exemplars),
            segment_buckets_5m: rows_of(SegmentKind::FiveMinutes),
            segment_buckets_1h: rows_of(SegmentKind::OneHour),
            rollup_bytes: {
                let rollups = segments.iter().filter(|s| s.meta.kind.width().is_some());
                rollups.map(|s| s.meta.bytes()).sum()
            },
            segment_bytes: segments.iter().map(|s| s.meta.bytes()).sum(),
            index_bytes: segments.iter().map(|s| s.meta.sidecar_bytes).sum(),
            poisoned: counters.poison(),
            damages,
            damage_totals,
        }
    }
}

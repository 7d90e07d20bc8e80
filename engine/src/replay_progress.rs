//! How far the replay of the log is, for the log of the program and for the memory budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barograph_model::{MemoryReservation, MemoryShare};

use crate::engine::Shared;
use crate::wal::Recovery;

/// How often it is told.
const EVERY_NS: u64 = 3_000_000_000;

/// What a decoded row takes: series, instant, value.
const ROW_BYTES: usize = 24;

/// One replay under way. A short one says nothing until it is over.
pub(crate) struct ReplayProgress<'s> {
    shared: &'s Shared,
    passed: Arc<AtomicU64>,
    total_bytes: u64,
    samples: u64,
    begun_ns: u64,
    told_ns: u64,
    /// the record in hand
    held: MemoryReservation,
}

impl<'s> ReplayProgress<'s> {
    pub(crate) fn new(shared: &'s Shared, recovery: &Recovery) -> Self {
        let now_ns = shared.clock.monotonic_ns();
        Self {
            shared,
            passed: recovery.passed(),
            total_bytes: recovery.bytes(),
            samples: 0,
            begun_ns: now_ns,
            told_ns: now_ns,
            held: MemoryReservation::empty(&shared.options.memory, MemoryShare::Replay),
        }
    }

    /// Counts a record of so many rows, and tells where it is time.
    pub(crate) fn record(&mut self, rows: usize) {
        self.samples += rows as u64;
        self.held.shrink(usize::MAX);
        self.held.grow(rows * ROW_BYTES);
        let now_ns = self.shared.clock.monotonic_ns();
        if now_ns.saturating_sub(self.told_ns) >= EVERY_NS {
            self.told_ns = now_ns;
            let bytes = self.passed.load(Ordering::Relaxed);
            tracing::info!(
                bytes,
                total_bytes = self.total_bytes,
                percent = bytes * 100 / self.total_bytes.max(1),
                samples = self.samples,
                samples_per_second = self.rate(now_ns),
                "replaying the write-ahead log"
            );
        }
    }

    /// Tells what it came to.
    pub(crate) fn finish(self) {
        self.shared.account_memory();
        if self.samples == 0 {
            return;
        }
        let now_ns = self.shared.clock.monotonic_ns();
        tracing::info!(
            bytes = self.total_bytes,
            samples = self.samples,
            seconds = now_ns.saturating_sub(self.begun_ns) as f64 / 1e9,
            samples_per_second = self.rate(now_ns),
            flushes = self.shared.counters.flushes.load(Ordering::Relaxed),
            "replayed the write-ahead log"
        );
    }

    fn rate(&self, now_ns: u64) -> u64 {
        let ns = now_ns.saturating_sub(self.begun_ns).max(1);
        u64::try_from(u128::from(self.samples) * 1_000_000_000 / u128::from(ns)).unwrap_or(u64::MAX)
    }
}

//! Refuses writes while there is still room for flushes and merges, which are what makes room again.
//!
//! A disk that is full to the last byte takes no segment any more, so the log can never be cut. Writes stop earlier: when
//! less is free than `free_bytes_min` and a quarter of what is in memory, the most that its segments can take.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use barograph_model::MemoryShare;

use crate::engine::Shared;
use crate::{EngineError, Result};

/// How often the disk is asked, at most.
const EVERY_NS: u64 = 1_000_000_000;

/// What the disk said when it was last asked.
#[derive(Debug, Default)]
pub(crate) struct DiskGuard {
    /// monotonic time of the next question
    next_ns: AtomicU64,
    /// one more than the bytes that were free; 0 where nobody has asked, or nothing limits them
    free: AtomicU64,
}

impl DiskGuard {
    /// What was free when it was last asked.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        self.free.load(Relaxed).checked_sub(1)
    }

    /// Whether there is room for a write.
    ///
    /// # Errors
    /// [`EngineError::DiskLow`] with figures.
    pub(crate) fn check(&self, shared: &Shared) -> Result<()> {
        let least = shared.options.free_bytes_min;
        if least == 0 {
            return Ok(());
        }
        self.ask(shared);
        let in_memory = shared.options.memory.used_bytes(MemoryShare::Memtable) as u64;
        let kept_bytes = least.saturating_add(in_memory / 4);
        match self.free_bytes() {
            Some(free_bytes) if free_bytes < kept_bytes => Err(EngineError::DiskLow {
                free_bytes,
                kept_bytes,
            }),
            _ => Ok(()),
        }
    }

    fn ask(&self, shared: &Shared) {
        let now_ns = shared.clock.monotonic_ns();
        let next_ns = self.next_ns.load(Relaxed);
        let is_mine = now_ns >= next_ns
            && self
                .next_ns
                .compare_exchange(next_ns, now_ns + EVERY_NS, Relaxed, Relaxed)
                .is_ok();
        if !is_mine {
            return;
        }
        match shared.vfs.free_bytes() {
            Ok(free) => self
                .free
                .store(free.map_or(0, |free| free.saturating_add(1)), Relaxed),
            // What it said before stays; a disk that cannot be asked will say more to the write itself.
            Err(error) => tracing::warn!(%error, "the disk does not say how much is free"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use barograph_model::{Clock, Labels, ManualClock, TimestampMs};

    use super::*;
    use crate::vfs::SimVfs;
    use crate::{Engine, Options, SampleColumns};

    #[test]
    fn writes_stop_before_a_flush_becomes_impossible() {
        let (vfs, clock) = (SimVfs::new(1), Arc::new(ManualClock::new(TimestampMs(0))));
        let options = Options {
            free_bytes_min: 50_000,
            retention_ms: None,
            wal_file_bytes: 10_000,
            background: false,
            ..Options::default()
        };
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let engine = Engine::open(Arc::new(vfs.clone()), shared, options).unwrap();
        vfs.set_capacity(Some(vfs.used_bytes() + 200_000));
        let head = engine.head();
        let series = head.series(&Labels::from_pairs([("__name__", "up")]).unwrap());
        let append = |ts: i64| {
            clock.advance_ms(1000);
            let mut columns = SampleColumns::with_capacity(&head, 500);
            // Noise, so that a row takes as much as one can.
            (0..500).for_each(|i| columns.push(series, ts * 500 + i, ((ts * 500 + i) as f64).sin()));
            engine.append_blocking(columns)
        };
        let mut taken = 0;
        let refusal = loop {
            match append(taken) {
                Ok(()) => taken += 1,
                Err(error) => break error,
            }
            assert!(taken < 1000, "nothing was ever refused");
        };
        assert!(matches!(refusal, EngineError::DiskLow { .. }), "{refusal}");
        assert!(
            refusal.to_string().contains("are kept for flushes and merges"),
            "{refusal}"
        );
        assert!(taken > 10);
        engine.flush().unwrap();
        assert_eq!(
            engine.stats().segment_rows,
            taken as u64 * 500,
            "there was room for it"
        );
        append(taken).unwrap();
    }
}

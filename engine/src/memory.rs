//! How the store uses the memory budget of the process.
//!
//! What is admitted to the commit queue becomes memtable, and what is memtable becomes a segment: the first step is
//! refused when the last one lags. A memtable is set aside at half of its share, so that as much can come in while it
//! is written; while the process holds more than its budget, at an eighth, since writing it is what gives memory back.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use barograph_model::MemoryShare;

use crate::engine::Shared;
use crate::index::Head;
use crate::{EngineError, Options, Result};

/// What a series takes in the head, about, as long as there are too few to tell.
const SERIES_BYTES: usize = 400;

/// Series from which on their size is told from what they take.
const SERIES_TOLD_FROM: usize = 1000;

/// What a segment's writer holds for each row of a row group: compressed pages of it, until the group is whole.
const ROW_GROUP_ROW_BYTES: usize = 8;

/// What a segment's writer gathers before it encodes, twice: 65,536 rows of 44 bytes.
const GATHERED_BYTES: usize = 6 << 20;

/// What writing one segment takes beside the rows themselves.
pub(crate) fn writer_bytes(options: &Options) -> usize {
    GATHERED_BYTES + options.row_group_rows.min(1 << 20) * ROW_GROUP_ROW_BYTES
}

/// The part of its share at which a memtable is written to segments.
const PART: usize = 2;

/// The same while the process holds more than its budget. Not all of it, or each batch would become a segment.
const PRESSED_PART: usize = 8;

/// How large a series of the head is. The head's size can only be had by walking over it, so it is taken again when the
/// head has grown by an eighth, or has become another.
#[derive(Debug, Default)]
pub(crate) struct HeadSize {
    measured_series: AtomicUsize,
    series_bytes: AtomicUsize,
}

impl HeadSize {
    /// What a series takes, about.
    fn series_bytes(&self) -> usize {
        match self.series_bytes.load(Relaxed) {
            0 => SERIES_BYTES,
            bytes => bytes,
        }
    }

    /// What the head takes, about.
    fn of(&self, head: &Head) -> usize {
        let series = head.len();
        let measured = self.measured_series.load(Relaxed);
        let is_told = measured > 0 && series < measured + measured / 8 && series > measured / 2;
        if !is_told && series >= SERIES_TOLD_FROM {
            self.series_bytes.store(head.heap_bytes() / series + 1, Relaxed);
            self.measured_series.store(series, Relaxed);
        }
        series * self.series_bytes()
    }
}

impl Shared {
    /// Rows of the memtable that is written to.
    pub(crate) fn memory_rows(&self) -> usize {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .memtable
            .rows()
    }

    /// Whether it is time to write the memtable to segments, those that a failed flush has left included.
    pub(crate) fn memtable_is_full(&self) -> bool {
        let memory = &self.options.memory;
        let part = if memory.is_pressed() { PRESSED_PART } else { PART };
        memory.used_bytes(MemoryShare::Memtable) >= memory.max_bytes(MemoryShare::Memtable) / part
            || self.memory_rows() >= self.options.flush_rows
    }

    /// Whether more may come in.
    ///
    /// # Errors
    /// [`EngineError::DiskLow`]; [`EngineError::Overloaded`] while the memtable cannot be written out as fast as it fills, and while the process
    /// as a whole holds more than its budget.
    pub(crate) fn admit(&self) -> Result<()> {
        self.disk.check(self)?;
        // Without threads a flush follows each append, so there is nothing to wait for.
        if !self.options.background {
            return Ok(());
        }
        let memory = &self.options.memory;
        let what = if memory.is_full(MemoryShare::Memtable) {
            format!(
                "{} bytes of samples wait in memory to be written to segments, the limit is {}",
                memory.used_bytes(MemoryShare::Memtable),
                memory.max_bytes(MemoryShare::Memtable)
            )
        } else if memory.is_pressed() {
            format!(
                "the process holds {} bytes of memory, more than its budget of {}",
                memory.resident_bytes(),
                memory.total_bytes()
            )
        } else {
            return Ok(());
        };
        self.wake.notify();
        Err(EngineError::Overloaded { what })
    }

    /// How many more series the head has room for.
    pub(crate) fn series_room(&self) -> usize {
        let series = self
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .memtable
            .head()
            .len();
        let most = self.options.memory.max_bytes(MemoryShare::Head) / self.head_size.series_bytes();
        most.saturating_sub(series)
    }

    /// Tells the budget what the memtables and the series hold by now.
    pub(crate) fn account_memory(&self) {
        let memory = &self.options.memory;
        // Under the lock, so that of two threads the later one also says the later figure.
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let frozen: usize = state.frozen.iter().map(|memtable| memtable.heap_bytes()).sum();
        memory.set(MemoryShare::Memtable, state.memtable.heap_bytes() + frozen);
        memory.set(MemoryShare::Head, self.head_size.of(state.memtable.head()));
    }
}

#[cfg(test)]
mod tests;

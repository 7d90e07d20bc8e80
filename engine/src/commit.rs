//! Group commit: whatever waits is written and synced together, then becomes visible, then is acknowledged.
//!
//! The queue is bounded by its share of the memory budget; when that is taken an append is refused at once. A batch
//! counts until its columns are in the memtable. One thread drains it. Each batch was
//! already encoded by the thread that brought it, so the draining thread only writes, syncs and moves columns.
//!
//! Senders that wait for their acknowledgement come back together, a moment after it. Whoever syncs for the first of
//! them lets the others wait for the next sync: two syncs for what one could do. So a commit waits a little for as
//! many as the last one has seen, see [`Company`].

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barograph_model::{MemoryBudget, MemoryShare};

use crate::index::Head;
use crate::wal::Frame;
use crate::{EngineError, Result, SampleColumns};

/// Called once, after the sync, from the committing thread: it must not block.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// An encoded batch on its way to the log.
pub(crate) struct Pending {
    pub(crate) columns: SampleColumns,
    pub(crate) frames: Vec<Frame>,
    pub(crate) done: Done,
    /// what it holds of the commit queue's share, until the commit gives it back
    pub(crate) bytes: usize,
}

impl Pending {
    /// A batch with its encoded form. The log copies the frame once more before it writes it.
    pub(crate) fn new(columns: SampleColumns, frames: Vec<Frame>, done: Done) -> Self {
        let bytes = columns.heap_bytes() + 2 * frames.iter().map(Frame::bytes).sum::<usize>();
        Self {
            columns,
            frames,
            done,
            bytes,
        }
    }

    /// Names the series by another head: the one that was in force when the batch was made has been renewed.
    pub(crate) fn rebase(&mut self, head: &Head) -> Result<()> {
        if !self.columns.head().is(head) {
            self.columns.rebase(head);
            self.frames = self.columns.frames()?;
        }
        Ok(())
    }
}

/// What the committing thread is asked to do.
pub(crate) enum Work {
    /// Write these, in this order.
    Batches(Vec<Pending>),
    /// The queue is closed and empty.
    Finished,
}

/// The shortest sync that is worth waiting for others before it.
const SYNC_NS_MIN: u64 = 200_000;

/// The part of a sync that others are waited for at most.
const PATIENCE_PART: u64 = 4;

/// How many write at the same time, as the last commit has seen it.
///
/// A commit that finds fewer batches waits for the rest, at most a quarter of what the last commit took. Where they
/// do not come, the next one knows: it waits for as many as there were.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Company {
    /// batches that were answered, and those that were waiting at that moment
    pub(crate) batches: usize,
    /// what writing and syncing took
    pub(crate) took_ns: u64,
}

impl Company {
    /// How long a commit of `batches` may wait for others; `None` where nobody is missing, or a sync costs less than to
    /// wait.
    fn patience(&self, batches: usize) -> Option<Duration> {
        let is_alone = batches >= self.batches || self.took_ns < SYNC_NS_MIN;
        (!is_alone).then(|| Duration::from_nanos(self.took_ns / PATIENCE_PART))
    }
}

/// The queue between appending threads and the committing one.
#[derive(Default)]
pub(crate) struct CommitQueue {
    inner: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Default)]
struct Queue {
    batches: Vec<Pending>,
    closed: bool,
}

impl CommitQueue {
    /// Adds a batch, or gives it back with the reason: the queue is closed, or its share is taken.
    /// A batch that is larger than the whole share still passes when nothing else waits.
    pub(crate) fn push(
        &self,
        pending: Pending,
        memory: &MemoryBudget,
    ) -> std::result::Result<(), (Pending, EngineError)> {
        let mut queue = self.lock();
        if queue.closed {
            return Err((pending, EngineError::Closing));
        }
        if memory.used_bytes(MemoryShare::CommitQueue) == 0 {
            memory.grow(MemoryShare::CommitQueue, pending.bytes);
        } else if let Err(refusal) = memory.try_grow(MemoryShare::CommitQueue, pending.bytes) {
            let what = format!("too much waits for the write-ahead log ({refusal})");
            return Err((pending, EngineError::Overloaded { what }));
        }
        queue.batches.push(pending);
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes all that waits; blocks until there is something, the queue is closed, or `patience` is over, where nothing is
    /// taken.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Work {
        let queue = self.lock();
        let is_idle = |queue: &mut Queue| queue.batches.is_empty() && !queue.closed;
        let mut queue = match patience {
            None => self
                .filled
                .wait_while(queue, is_idle)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.filled.wait_timeout_while(queue, patience, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        Self::drain(&mut queue)
    }

    /// Adds what comes in as long as the company that is expected is not complete, and its patience lasts.
    pub(crate) fn gather(&self, batches: &mut Vec<Pending>, company: &Company) {
        let Some(patience) = company.patience(batches.len()) else {
            return;
        };
        let missing = company.batches - batches.len();
        let is_short = |queue: &mut Queue| queue.batches.len() < missing && !queue.closed;
        let waited = self.filled.wait_timeout_while(self.lock(), patience, is_short);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        batches.append(&mut queue.batches);
    }

    /// Batches that wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().batches.len()
    }

    /// Takes all that waits without blocking.
    pub(crate) fn take_now(&self) -> Vec<Pending> {
        match Self::drain(&mut self.lock()) {
            Work::Batches(batches) => batches,
            Work::Finished => Vec::new(),
        }
    }

    /// Refuses further batches; those that wait are still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn drain(queue: &mut Queue) -> Work {
        match std::mem::take(&mut queue.batches) {
            batches if batches.is_empty() && queue.closed => Work::Finished,
            batches => Work::Batches(batches),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

//! Group commit: whatever waits is written and synced together, then becomes visible, then is acknowledged.
//!
//! The queue is bounded in bytes; when it is full an append is refused at once. One thread drains it. Each batch was
//! already encoded by the thread that brought it, so the draining thread only writes, syncs and moves columns.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
}

impl Pending {
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

/// The queue between appending threads and the committing one.
#[derive(Default)]
pub(crate) struct CommitQueue {
    inner: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Default)]
struct Queue {
    batches: Vec<Pending>,
    bytes: usize,
    closed: bool,
}

impl CommitQueue {
    /// Adds a batch, or gives it back with the reason: the queue is closed, or the batch would pass the limit.
    pub(crate) fn push(
        &self,
        pending: Pending,
        bytes_max: usize,
    ) -> std::result::Result<(), (Pending, EngineError)> {
        let mut queue = self.lock();
        if queue.closed {
            return Err((pending, EngineError::Closing));
        }
        let bytes = pending.frames.iter().map(Frame::bytes).sum::<usize>();
        // A batch larger than the whole limit still passes when it is alone.
        if !queue.batches.is_empty() && queue.bytes + bytes > bytes_max {
            let what = format!(
                "{} bytes wait for the write-ahead log, the limit is {bytes_max}",
                queue.bytes
            );
            return Err((pending, EngineError::Overloaded { what }));
        }
        queue.bytes += bytes;
        queue.batches.push(pending);
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes all that waits; blocks until there is something or the queue is closed.
    pub(crate) fn take(&self) -> Work {
        let mut queue = self.lock();
        while queue.batches.is_empty() && !queue.closed {
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Self::drain(&mut queue)
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
        queue.bytes = 0;
        match std::mem::take(&mut queue.batches) {
            batches if batches.is_empty() && queue.closed => Work::Finished,
            batches => Work::Batches(batches),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

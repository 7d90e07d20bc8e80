//! A small durable log of opaque records with checkpoints, for state that is kept in memory: alerts and their
//! events.
//!
//! A journal is a write-ahead log in a folder of its own (same files, same frames, records of kind 3) and
//! beside it two files, `checkpoint` and `checkpoint.copy`, with the state before a sequence number.
//! `docs/format/journal.md` shows every byte.
//!
//! Invariants:
//! - a record is durable when [`Journal::append`] returns; several threads that append share one sync;
//! - a power cut at any moment leaves the old checkpoint with every record since, or the new one with every
//!   record since: each new file is written, synced and renamed over the old one, the folder is synced, and
//!   only then are records dropped;
//! - a damaged checkpoint costs nothing, since its copy serves; a damaged record costs itself.

pub(crate) mod checkpoint;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::backup::SnapshotFolder;
use crate::quarantine::copy_aside;
use crate::vfs::Vfs;
use crate::wal::{Damage, Frame, Wal};
use crate::{EngineError, Result};

pub(crate) const KIND_ENTRY: u8 = 3;
/// Checkpoints come long before a file is full.
const FILE_BYTES: u64 = 256 << 10;

/// A journal that is open. Shared by threads.
#[derive(Debug)]
pub struct Journal {
    vfs: Arc<dyn Vfs>,
    dir: String,
    log: Mutex<Wal>,
    queue: Mutex<Queue>,
    /// Told whenever a batch is done.
    done: Condvar,
    bytes_since_checkpoint: AtomicU64,
}

/// What a journal held when it was opened.
#[derive(Debug, Default)]
pub struct JournalContents {
    /// The state of the last checkpoint.
    pub checkpoint: Option<Vec<u8>>,
    /// The records since then, oldest first.
    pub records: Vec<Vec<u8>>,
    /// There was a checkpoint, and neither of its files can be read: `records` mean nothing then, and are empty.
    pub is_checkpoint_lost: bool,
    /// What can no longer be read; empty on a sound disk. Also what has cost nothing is here.
    pub damage: Vec<Damage>,
}

/// Records that wait for the next sync. The thread that finds nobody writing writes them all.
#[derive(Debug, Default)]
struct Queue {
    frames: Vec<Frame>,
    outcome: Arc<OnceLock<Outcome>>,
    is_writing: bool,
}

/// How a batch went, for each thread that waits for it.
type Outcome = std::result::Result<(), Failure>;

#[derive(Debug, Clone)]
enum Failure {
    Unwritable(String),
    Poisoned(String),
}

impl Journal {
    /// Opens the journal in a folder, which is created when it is missing, and reads all of it.
    ///
    /// # Errors
    /// [`EngineError::Io`]; [`EngineError::Newer`] and [`EngineError::Corrupt`] for what a newer version has written.
    /// Damage is no error, it stands in the contents.
    pub fn open(vfs: Arc<dyn Vfs>, dir: &str) -> Result<(Self, JournalContents)> {
        let (mut log, mut recovery) = Wal::open(Arc::clone(&vfs), dir, FILE_BYTES)?;
        let loaded = checkpoint::load(vfs.as_ref(), dir)?;
        let from_seq = loaded.checkpoint.as_ref().map_or(1, |(seq, _)| *seq);
        log.skip_to(from_seq);
        let mut contents = JournalContents {
            checkpoint: loaded.checkpoint.map(|(_, state)| state),
            is_checkpoint_lost: loaded.is_lost,
            ..Default::default()
        };
        let mut bytes = 0;
        let report = recovery.replay_frames(from_seq, &mut |path, frame| {
            if frame.seq < from_seq {
                return Ok(()); // in the checkpoint
            }
            if frame.kind != KIND_ENTRY {
                return Err(EngineError::Corrupt {
                    path: path.to_owned(),
                    offset: frame.at as u64,
                    expected: format!("a record of kind {KIND_ENTRY} (journal entry)"),
                    found: format!(
                        "kind {}, which a newer Barograph has written (start that one)",
                        frame.kind
                    ),
                });
            }
            bytes += (frame.end() - frame.at) as u64;
            contents.records.push(frame.payload.to_vec());
            Ok(())
        })?;
        contents.damage = loaded.damage;
        if contents.is_checkpoint_lost {
            // Which numbers are missing depends on where the checkpoint was.
            contents.records.clear();
        }
        contents.damage.extend(report.damage);
        let journal = Self {
            vfs,
            dir: dir.to_owned(),
            log: Mutex::new(log),
            queue: Mutex::default(),
            done: Condvar::new(),
            bytes_since_checkpoint: AtomicU64::new(bytes),
        };
        Ok((journal, contents))
    }

    /// Adds a record. It is durable on return, and blocks until it is.
    ///
    /// # Errors
    /// [`EngineError::Unwritable`]: it is not in the journal, try again later. [`EngineError::Poisoned`]: a
    /// sync has failed, nobody knows whether it is in the journal, and no other will be until a restart.
    pub fn append(&self, record: &[u8]) -> Result<()> {
        let frame = Frame::new(KIND_ENTRY, record.to_vec())?;
        let mut queue = held(&self.queue);
        queue.frames.push(frame);
        let outcome = Arc::clone(&queue.outcome);
        loop {
            if let Some(outcome) = outcome.get() {
                return outcome.clone().map_err(EngineError::from);
            }
            if queue.is_writing {
                queue = self.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let batch = std::mem::take(&mut *queue);
            queue.is_writing = true;
            drop(queue);
            // Always set: this thread alone has taken the batch out of the queue.
            let _ = batch.outcome.set(self.write(&batch.frames));
            queue = held(&self.queue);
            queue.is_writing = false;
            self.done.notify_all();
        }
    }

    /// From now on recovery starts with this state, which holds every record that was appended. Nothing may
    /// be appended between taking the state and the return of this call.
    ///
    /// # Errors
    /// [`EngineError::Io`], [`EngineError::Unwritable`] or [`EngineError::Poisoned`]: nothing is lost,
    /// recovery starts with this checkpoint or with the one before and all records since.
    pub fn checkpoint(&self, state: &[u8]) -> Result<()> {
        let mut log = held(&self.log);
        let seq = log.next_seq();
        checkpoint::replace(self.vfs.as_ref(), &self.dir, seq, state)?;
        self.bytes_since_checkpoint.store(0, Ordering::Relaxed);
        log.rotate()?;
        log.cut(seq)
    }

    /// Copies the journal as it lies there into `quarantine/`, for a person to look at; gives the new paths. To be
    /// called before a checkpoint that leaves out what could not be read.
    ///
    /// # Errors
    /// [`EngineError::Io`]; some files may have been copied then.
    pub fn copy_to_quarantine(&self) -> Result<Vec<String>> {
        let log = held(&self.log); // nothing is appended meanwhile
        let names = self
            .vfs
            .list(&self.dir)
            .map_err(EngineError::io("list", &self.dir))?;
        let copied = names.iter().map(|name| {
            let path = format!("{}/{name}", self.dir);
            copy_aside(self.vfs.as_ref(), &path).map_err(EngineError::io("copy to quarantine", path))
        });
        let copied = copied.collect();
        drop(log);
        copied
    }

    /// Links the last checkpoint into a snapshot: there it is a journal that holds that state and nothing else. Call it
    /// after [`Journal::checkpoint`], with nothing appended in between, or the snapshot lacks the records since.
    ///
    /// # Errors
    /// Those of [`SnapshotFolder::link`]; there must have been a checkpoint.
    pub fn link_checkpoint(&self, folder: &mut SnapshotFolder<'_>) -> Result<()> {
        // A checkpoint is replaced and never written to, so that the snapshot's name keeps its bytes.
        let [path, _] = checkpoint::paths(&self.dir);
        folder.link(&path)
    }

    /// Bytes of the records since the last checkpoint: what a restart has to replay.
    #[must_use]
    pub fn bytes_since_checkpoint(&self) -> u64 {
        self.bytes_since_checkpoint.load(Ordering::Relaxed)
    }

    fn write(&self, frames: &[Frame]) -> Outcome {
        let mut log = held(&self.log);
        for frame in frames {
            log.push(frame);
        }
        log.commit().map_err(|error| match error {
            EngineError::Poisoned { reason } => Failure::Poisoned(reason),
            EngineError::Unwritable { reason } => Failure::Unwritable(reason),
            other => Failure::Unwritable(other.to_string()),
        })?;
        let bytes: usize = frames.iter().map(Frame::bytes).sum();
        self.bytes_since_checkpoint
            .fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(())
    }
}

impl From<Failure> for EngineError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unwritable(reason) => Self::Unwritable { reason },
            Failure::Poisoned(reason) => Self::Poisoned { reason },
        }
    }
}

/// A lock that another thread panicked with is still in order: every change under it is a single assignment,
/// or is undone by the log itself.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

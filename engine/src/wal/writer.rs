//! The end of the log that is written to. One thread owns it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::frame::Frame;
use super::header;
use super::reader::{LogFile, MAGIC, file_path};
use crate::quarantine::set_aside;
use crate::vfs::{Vfs, VfsFile};
use crate::{EngineError, Result};

/// Memory for frames that is kept from one commit to the next.
const BUFFER_BYTES_KEPT: usize = 8 << 20;

/// A write-ahead log that is open for writing; see the module's header for its promises.
#[derive(Debug)]
pub struct Wal {
    vfs: Arc<dyn Vfs>,
    dir: String,
    file_bytes: u64,
    next_number: u64,
    /// Files that are not written to any more, oldest first.
    sealed: VecDeque<Sealed>,
    current: Option<Current>,
    /// The number that the next pushed frame gets.
    next_seq: u64,
    /// The number behind the last frame that is durable.
    committed_seq: u64,
    buffer: Vec<u8>,
    poison: Option<String>,
    /// Whether a commit leaves the sync to [`Wal::sync`].
    is_lazy: bool,
    /// The number behind the last frame that was synced, where commits are lazy.
    synced_seq: u64,
    /// What the last mark of the current file says; 0 where it has none.
    marked_seq: u64,
}

/// A file that is not written to any more.
#[derive(Debug)]
pub(super) struct Sealed {
    path: String,
    end_seq: u64,
    bytes: u64,
    is_damaged: bool,
}

impl From<&LogFile> for Sealed {
    fn from(file: &LogFile) -> Self {
        Self {
            path: file.path.clone(),
            end_seq: file.end_seq.unwrap_or(0),
            bytes: file.valid_bytes,
            is_damaged: file.is_damaged(),
        }
    }
}

/// The file that is written to. It holds at least one durable frame.
#[derive(Debug)]
struct Current {
    path: String,
    file: Box<dyn VfsFile>,
}

impl Wal {
    pub(super) fn new(
        vfs: Arc<dyn Vfs>,
        dir: &str,
        file_bytes: u64,
        next_number: u64,
        next_seq: u64,
        sealed: VecDeque<Sealed>,
    ) -> Self {
        Self {
            vfs,
            dir: dir.to_owned(),
            file_bytes,
            next_number,
            sealed,
            current: None,
            next_seq,
            committed_seq: next_seq,
            buffer: Vec::new(),
            poison: None,
            is_lazy: false,
            synced_seq: next_seq,
            marked_seq: 0,
        }
    }

    /// From now on a commit only writes, and [`Wal::sync`] makes durable what was written. To be called before anything is
    /// pushed.
    pub fn sync_at_intervals(&mut self) {
        assert!(
            self.buffer.is_empty(),
            "how the log is synced is settled before anything is pushed"
        );
        self.is_lazy = true;
        self.synced_seq = self.next_seq;
    }

    /// Whether something was committed that no sync has covered.
    #[must_use]
    pub fn has_unsynced(&self) -> bool {
        self.is_lazy && self.synced_seq < self.committed_seq
    }

    /// Makes durable what was committed. Does nothing where everything is.
    ///
    /// # Errors
    /// [`EngineError::Poisoned`]: the sync failed, now or before, and nobody knows what is on disk.
    pub fn sync(&mut self) -> Result<()> {
        self.check_poison()?;
        if !self.has_unsynced() {
            return Ok(());
        }
        if let Some(Current { file, .. }) = &mut self.current {
            let synced = file.sync();
            synced.map_err(|error| self.poison(&error))?;
        }
        self.synced_seq = self.committed_seq;
        Ok(())
    }

    /// The number that the next pushed frame gets; numbers begin at 1.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Bytes of all files, without what is reserved.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sealed.iter().map(|file| file.bytes).sum::<u64>()
            + self.current.as_ref().map_or(0, |c| c.file.len())
    }

    /// Bytes pushed and not committed.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Makes sure that numbers below `seq` are not given out (again). For a store whose manifest knows of
    /// higher numbers than its log, because the log was cut whole or somebody has emptied the folder. To be called before anything is
    /// pushed.
    pub fn skip_to(&mut self, seq: u64) {
        assert!(
            self.buffer.is_empty(),
            "numbers are skipped before anything is pushed"
        );
        self.next_seq = self.next_seq.max(seq);
        self.committed_seq = self.next_seq;
        self.synced_seq = self.next_seq;
    }

    /// Takes a frame into the next commit and gives its number. A commit that fails takes the numbers of its
    /// frames back, and they are given out again.
    pub fn push(&mut self, frame: &Frame) -> u64 {
        let seq = self.next_seq;
        frame.write_to(seq, &mut self.buffer);
        self.next_seq += 1;
        seq
    }

    /// Makes everything that was pushed durable: one write and one sync; at intervals only the write.
    ///
    /// # Errors
    /// [`EngineError::Unwritable`] when the disk took not all of it: nothing of it remains, the numbers are
    /// taken back, a later commit may succeed. [`EngineError::Poisoned`] when the sync failed, and for ever
    /// after.
    pub fn commit(&mut self) -> Result<()> {
        let result = self
            .rotate_if_full()
            .and_then(|()| self.mark())
            .and_then(|()| self.write());
        match &result {
            Ok(()) => {
                self.committed_seq = self.next_seq;
                if !self.is_lazy {
                    self.synced_seq = self.committed_seq;
                }
            }
            Err(_) => self.next_seq = self.committed_seq,
        }
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        result
    }

    /// Ends the current file, so that [`Wal::cut`] can remove it. What was pushed and not committed goes into
    /// the next.
    ///
    /// # Errors
    /// [`EngineError::Poisoned`] when the file could not be finished: then nobody knows how it ends on disk.
    pub fn rotate(&mut self) -> Result<()> {
        self.check_poison()?;
        let Some(Current { path, mut file }) = self.current.take() else {
            return Ok(());
        };
        let bytes = file.len();
        // Without this an end that was taken back after a failed write could come back with a power cut.
        if let Err(error) = file.truncate(bytes).and_then(|()| file.sync()) {
            return Err(self.poison(&error));
        }
        self.sealed.push_back(Sealed {
            path,
            end_seq: self.committed_seq,
            bytes,
            is_damaged: false,
        });
        self.synced_seq = self.committed_seq;
        self.marked_seq = 0;
        Ok(())
    }

    /// Removes the files that hold only frames below `below_seq`, except the newest file of the log. Damaged
    /// ones are moved to `quarantine/` instead. Call it when a durable manifest says that those frames are in
    /// segments.
    ///
    /// # Errors
    /// [`EngineError::Io`]; the remaining files are removed by the next cut.
    pub fn cut(&mut self, below_seq: u64) -> Result<()> {
        let keeps = usize::from(self.current.is_none());
        self.remove_sealed(below_seq, keeps)
    }

    /// As [`Wal::cut`], the newest file included. For a store whose durable manifest says `below_seq`, so that its next
    /// start can [`Wal::skip_to`] it.
    ///
    /// # Errors
    /// As [`Wal::cut`].
    pub fn cut_all(&mut self, below_seq: u64) -> Result<()> {
        self.remove_sealed(below_seq, 0)
    }

    fn remove_sealed(&mut self, below_seq: u64, keeps: usize) -> Result<()> {
        let mut removed = false;
        while let Some(oldest) = self.sealed.front() {
            if oldest.end_seq > below_seq || self.sealed.len() <= keeps {
                break;
            }
            let full = self.vfs.root().join(&oldest.path);
            if oldest.is_damaged {
                set_aside(self.vfs.as_ref(), &oldest.path)
                    .map_err(EngineError::io("move to quarantine", full))?;
            } else {
                match self.vfs.remove(&oldest.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(EngineError::io("remove", full)(error));
                    }
                    _ => {}
                }
            }
            self.sealed.pop_front();
            removed = true;
        }
        if removed {
            let full = self.vfs.root().join(&self.dir);
            self.vfs
                .sync_dir(&self.dir)
                .map_err(EngineError::io("sync", full))?;
        }
        Ok(())
    }

    /// Ends the current file where the buffer would make it too long.
    fn rotate_if_full(&mut self) -> Result<()> {
        let buffered = self.buffer.len() as u64;
        let is_full = |c: &Current| c.file.len().saturating_add(buffered) > self.file_bytes;
        if buffered > 0 && self.current.as_ref().is_some_and(is_full) {
            return self.rotate();
        }
        Ok(())
    }

    /// Puts a mark behind what is buffered where commits are lazy: in each new file, and in the first commit after a sync.
    fn mark(&mut self) -> Result<()> {
        if self.is_lazy && !self.buffer.is_empty() && self.marked_seq < self.synced_seq {
            let mark = Frame::synced(self.synced_seq)?;
            self.push(&mark);
        }
        Ok(())
    }

    /// Appends the buffer to the current file, or to a new one.
    fn write(&mut self) -> Result<()> {
        self.check_poison()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let Some(Current { file, .. }) = &mut self.current else {
            return self.write_new_file();
        };
        let before = file.len();
        if let Err(error) = file.append(&self.buffer) {
            return match file.truncate(before) {
                Ok(()) => Err(EngineError::Unwritable {
                    reason: error.to_string(),
                }),
                // What is behind `before` may hold whole frames, and they would come back with a restart.
                Err(_) => Err(self.poison(&error)),
            };
        }
        if self.is_lazy {
            self.marked_seq = self.synced_seq;
            return Ok(());
        }
        let synced = file.sync();
        synced.map_err(|error| self.poison(&error))
    }

    /// Begins a file with the buffer in it.
    fn write_new_file(&mut self) -> Result<()> {
        let path = file_path(&self.dir, self.next_number);
        let file = match self.create(&path) {
            Ok(file) => file,
            Err(error) => {
                // The name is used again by the next attempt. If that never comes, the next start removes
                // what is left: a file without a durable frame.
                let _ = self.vfs.remove(&path);
                return Err(EngineError::Unwritable {
                    reason: error.to_string(),
                });
            }
        };
        let file = self.current.insert(Current { path, file });
        let synced = file.file.sync().and_then(|()| self.vfs.sync_dir(&self.dir));
        self.next_number += 1;
        synced.map_err(|error| self.poison(&error))?;
        // The first commit of a file is synced in any case: with its name, without which no later one would be there.
        self.marked_seq = self.synced_seq;
        self.synced_seq = self.next_seq;
        Ok(())
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn VfsFile>> {
        let mut file = self.vfs.create(path)?;
        // Reserving only saves time. A disk that is nearly full may still have room for the frames.
        let _ = file.preallocate(self.file_bytes);
        file.append(&header::encode(&MAGIC, self.committed_seq))?;
        file.append(&self.buffer)?;
        Ok(file)
    }

    fn check_poison(&self) -> Result<()> {
        match &self.poison {
            Some(reason) => Err(EngineError::Poisoned {
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }

    fn poison(&mut self, error: &io::Error) -> EngineError {
        let reason = error.to_string();
        self.poison = Some(reason.clone());
        EngineError::Poisoned { reason }
    }
}

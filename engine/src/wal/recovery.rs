//! What the log still holds when the store is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::frame::FrameRef;
use super::header::FILE_HEADER_BYTES;
use super::reader::{Damage, LogFile, file_number};
use super::record::Record;
use super::sync_mark::KIND_SYNCED;
use super::writer::{Sealed, Wal};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// The records of a log that was opened, to be replayed before it is written to again.
#[derive(Debug)]
pub struct Recovery {
    vfs: Arc<dyn Vfs>,
    files: Vec<LogFile>,
    torn: Option<Damage>,
    /// bytes of the log that a replay has passed, shared with whoever shows how far it is
    passed: Arc<AtomicU64>,
}

/// What a replay met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Frames given to the caller.
    pub frames: u64,
    /// Frames stepped over because one with their number, or a later one, came before.
    pub repeated: u64,
    /// Bytes of all files, without what is reserved.
    pub bytes: u64,
    /// The unfinished write at the end of the last file, which was cut off: what a power cut leaves of a
    /// commit that nobody was told had succeeded.
    pub torn: Option<Damage>,
    /// What can no longer be read although it may have been acknowledged. The files stay, and are moved to
    /// `quarantine/` when nothing else in them is needed any more.
    pub damage: Vec<Damage>,
}

impl Wal {
    /// Opens the log in a folder, which is created when it is missing, and cuts off an unfinished write. No
    /// file is made before the first commit, so a full disk does not prevent it.
    ///
    /// `file_bytes` is the length at which a file is full; a commit that is longer gets a longer file.
    ///
    /// # Errors
    /// [`EngineError::Io`]; [`EngineError::Corrupt`] for a file that a newer version has written.
    pub fn open(vfs: Arc<dyn Vfs>, dir: &str, file_bytes: u64) -> Result<(Self, Recovery)> {
        let io = |action| EngineError::io(action, vfs.root().join(dir));
        vfs.create_dir_all(dir).map_err(io("create"))?;
        let names = vfs.list(dir).map_err(io("list"))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| file_number(name)).collect();
        numbers.sort_unstable();
        let next_number = numbers.last().map_or(1, |last| last + 1);
        let mut files = Vec::with_capacity(numbers.len());
        for number in numbers {
            files.push(LogFile::scan(&vfs, dir, number)?);
        }
        let mut torn = None;
        if let Some((last, earlier)) = files.split_last_mut() {
            torn = last.tail.take();
            // Each file of a log that is synced at intervals begins with a mark: one without was never synced.
            let is_lazy = earlier.iter().any(LogFile::is_marked);
            torn = last.end_at_unsynced_hole(is_lazy).or(torn);
            if !finish(&vfs, last)? {
                files.pop();
            }
            // Also for a name that was there already: a process that was killed may not have come to it.
            vfs.sync_dir(dir).map_err(io("sync"))?;
        }
        for file in &mut files {
            // Only the last file can be unfinished; an unreadable end of another was whole once.
            file.holes.extend(file.tail.take());
        }
        let next_seq = files.iter().filter_map(|file| file.end_seq).max().unwrap_or(1);
        let sealed = files.iter().map(Sealed::from).collect();
        let wal = Self::new(Arc::clone(&vfs), dir, file_bytes, next_number, next_seq, sealed);
        let recovery = Recovery {
            vfs,
            files,
            torn,
            passed: Arc::default(),
        };
        Ok((wal, recovery))
    }
}

/// Cuts the last file to its whole frames and makes that durable: the next file must not begin before, or its
/// beginning would make this end look damaged. Gives false when no frame was in the file and it is gone.
fn finish(vfs: &Arc<dyn Vfs>, last: &mut LogFile) -> Result<bool> {
    let full = vfs.root().join(&last.path);
    if last.valid_bytes == 0 {
        vfs.remove(&last.path).map_err(EngineError::io("remove", &full))?;
        return Ok(false);
    }
    let mut file = vfs
        .open_append(&last.path)
        .map_err(EngineError::io("open", &full))?;
    if last.file_bytes > last.valid_bytes {
        file.truncate(last.valid_bytes)
            .map_err(EngineError::io("cut", &full))?;
        last.file_bytes = last.valid_bytes;
    }
    // Synced even when nothing was cut: a process that was killed leaves whole frames that no disk has seen
    // yet.
    file.sync().map_err(EngineError::io("sync", &full))?;
    Ok(true)
}

impl Recovery {
    /// Bytes of all files, without what is reserved.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.valid_bytes).sum()
    }

    /// Bytes of the log that the replay that runs has passed.
    pub(crate) fn passed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.passed)
    }

    /// Gives every record that the log still has to `each`, oldest first, one at a time. May be called again.
    ///
    /// Damage is stepped over and reported, as are records that are missing from number `needed_from` on. Where the
    /// beginning of a generation may have been among them, [`Record::Generation`] is given in its place.
    /// Older ones are given as far as they are there, since they may define series.
    ///
    /// # Errors
    /// What `each` says; [`EngineError::Io`]; [`EngineError::Corrupt`] for a whole frame that this program
    /// cannot read, such as one of an unknown kind: it was written by another version and must not be
    /// dropped.
    pub fn replay(
        &mut self,
        needed_from: u64,
        each: &mut dyn FnMut(u64, Record) -> Result<()>,
    ) -> Result<ReplayReport> {
        let mut starts = Starts::default();
        self.replay_frames(needed_from, &mut |path, frame| {
            if starts.may_hide_a_generation(path, frame.at) {
                each(frame.seq, Record::Generation)?;
            }
            // Marks are for the opening of the log alone.
            if frame.kind == KIND_SYNCED {
                return Ok(());
            }
            let record = Record::decode(frame.kind, frame.payload)
                .map_err(|error| unreadable(path, frame.at, frame.seq, frame.kind, &error.to_string()))?;
            each(frame.seq, record)
        })
    }

    /// [`Recovery::replay`] without a look into the frames.
    pub(crate) fn replay_frames(
        &mut self,
        needed_from: u64,
        each: &mut dyn FnMut(&Path, FrameRef<'_>) -> Result<()>,
    ) -> Result<ReplayReport> {
        let mut report = ReplayReport {
            torn: self.torn.clone(),
            ..ReplayReport::default()
        };
        // Sequence numbers begin at 1.
        let mut expected = needed_from.max(1);
        let mut last = 0;
        for file in &self.files {
            let before = report.bytes;
            report.bytes += file.valid_bytes;
            report.damage.extend_from_slice(&file.holes);
            file.frames(&self.vfs, &mut |path, frame| {
                self.passed.store(before + frame.end() as u64, Ordering::Relaxed);
                if frame.seq <= last {
                    report.repeated += 1;
                    return Ok(());
                }
                if frame.seq > expected {
                    report.damage.push(missing(path, frame.at, expected, frame.seq));
                }
                report.frames += 1;
                last = frame.seq;
                expected = expected.max(frame.seq.saturating_add(1));
                each(path, frame)
            })?;
        }
        Ok(report)
    }
}

/// The starts of files, where generations begin.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    file: Option<PathBuf>,
}

impl Starts {
    /// Whether the record that begins a generation may be missing before a frame: the first frame of a file is not where
    /// it should be, or no frame of the file before is left. To be asked of every frame, in their order.
    pub(crate) fn may_hide_a_generation(&mut self, path: &Path, at: usize) -> bool {
        if self.file.as_deref() == Some(path) {
            return false;
        }
        let number = |path: &Path| path.file_name()?.to_str().and_then(file_number);
        let before = self.file.replace(path.to_owned());
        let follows = before.is_none_or(|before| number(&before).map(|n| n + 1) == number(path));
        at > FILE_HEADER_BYTES || !follows
    }
}

fn missing(path: &Path, at: usize, from: u64, to: u64) -> Damage {
    let what = match to - from {
        1 => format!("record {from} is missing before this one"),
        _ => format!("records {from} to {} are missing before this one", to - 1),
    };
    Damage {
        path: path.to_owned(),
        offset: at as u64,
        bytes: 0,
        what,
    }
}

fn unreadable(path: &Path, at: usize, seq: u64, kind: u8, error: &str) -> EngineError {
    EngineError::Corrupt {
        path: path.to_owned(),
        offset: at as u64,
        expected: error.strip_prefix("expected ").unwrap_or(error).to_owned(),
        found: format!("record {seq} of kind {kind} without it (start the version that wrote it)"),
    }
}

//! One file of the log, read from its first byte to its last.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{FrameRef, Frames, Item};
use super::header::{self, FILE_HEADER_BYTES};
use super::sync_mark;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// The first bytes of every file of the log.
pub(crate) const MAGIC: [u8; 8] = *b"BAROWAL\n";

/// Bytes of the log that could not be read. What they held is lost; the rest was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What is wrong, for people.
    pub what: String,
}

/// What a file of the log was found to hold.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) path: String,
    /// From the header, or else from the first frame; `None` when neither is whole.
    pub(crate) first_seq: Option<u64>,
    /// One past the last frame; the header's number where there is none.
    pub(crate) end_seq: Option<u64>,
    /// One past the last whole frame, in bytes; the header's end where there is none.
    pub(crate) valid_bytes: u64,
    pub(crate) file_bytes: u64,
    pub(crate) holes: Vec<Damage>,
    /// What the last mark says, in a file that was synced at intervals.
    synced_seq: Option<u64>,
    /// Where each of `holes` between frames begins, and the number of the frame that should be there.
    hole_starts: Vec<(u64, u64)>,
    /// Bytes behind the last whole frame that are not zeros.
    pub(crate) tail: Option<Damage>,
}

/// `wal/00000001.wal`
pub(crate) fn file_path(dir: &str, number: u64) -> String {
    format!("{dir}/{number:08}.wal")
}

/// The number of a file of the log, from its name.
pub(crate) fn file_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal").filter(|digits| digits.len() >= 8)?;
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        None
    }
}

impl LogFile {
    /// Walks over a whole file.
    pub(crate) fn scan(vfs: &Arc<dyn Vfs>, dir: &str, number: u64) -> Result<Self> {
        let path = file_path(dir, number);
        let full = vfs.root().join(&path);
        let bytes = vfs.read(&path).map_err(EngineError::io("read", &full))?;
        let header = header::decode(&MAGIC, &bytes, &full)?;
        let damage = |at: usize, end: usize, what: &str| Damage {
            path: full.clone(),
            offset: at as u64,
            bytes: (end - at) as u64,
            what: what.to_owned(),
        };
        let mut file = Self {
            path,
            first_seq: header,
            end_seq: header,
            valid_bytes: if header.is_some() {
                FILE_HEADER_BYTES as u64
            } else {
                0
            },
            file_bytes: bytes.len() as u64,
            holes: Vec::new(),
            synced_seq: None,
            hole_starts: Vec::new(),
            tail: None,
        };
        for item in Frames::new(&bytes, FILE_HEADER_BYTES) {
            match item {
                Item::Frame(frame) => {
                    file.first_seq.get_or_insert(frame.seq);
                    file.end_seq = file.end_seq.max(Some(frame.seq.saturating_add(1)));
                    file.valid_bytes = frame.end() as u64;
                    file.synced_seq = file.synced_seq.max(sync_mark::decode(frame.kind, frame.payload));
                }
                Item::Hole { at, end } => {
                    file.hole_starts.push((at as u64, file.end_seq.unwrap_or(0)));
                    file.holes
                        .push(damage(at, end, "unreadable bytes between frames"));
                }
                Item::Tail { at, end } => file.tail = Some(damage(at, end, "unreadable bytes at the end")),
            }
        }
        if header.is_none() && file.first_seq.is_some() {
            file.holes
                .insert(0, damage(0, FILE_HEADER_BYTES, "unreadable file header"));
            // Where nothing in the file is durable for certain, its header need not be either.
            if let Some(synced_seq) = file.synced_seq.filter(|seq| file.first_seq >= Some(*seq)) {
                file.hole_starts.insert(0, (0, synced_seq));
            }
        }
        Ok(file)
    }

    /// Ends the file, which is the last of a log, at the first hole behind what its last mark says is durable: what was
    /// written behind the last sync counts up to where it is whole. Gives what is lost with it.
    pub(crate) fn end_at_unsynced_hole(&mut self) -> Option<Damage> {
        let synced_seq = self.synced_seq?;
        let is_unsynced = |&&(_, seq): &&(u64, u64)| seq >= synced_seq;
        let &(at, seq) = self.hole_starts.iter().find(is_unsynced)?;
        let first = self.holes.iter().find(|hole| hole.offset == at)?;
        let lost = Damage {
            path: first.path.clone(),
            offset: at,
            bytes: self.valid_bytes - at,
            what: "an end that was written after the last sync and did not survive whole".to_owned(),
        };
        self.holes.retain(|hole| hole.offset < at);
        self.hole_starts.retain(|(start, _)| *start < at);
        self.valid_bytes = at;
        self.end_seq = Some(seq);
        Some(lost)
    }

    /// Whether anything that may have been acknowledged is missing.
    pub(super) fn is_damaged(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Gives every whole frame to `each`, with the file as it is called in messages.
    pub(crate) fn frames(
        &self,
        vfs: &Arc<dyn Vfs>,
        each: &mut dyn FnMut(&Path, FrameRef<'_>) -> Result<()>,
    ) -> Result<()> {
        let full = vfs.root().join(&self.path);
        let bytes = vfs.read(&self.path).map_err(EngineError::io("read", &full))?;
        for item in Frames::new(&bytes, FILE_HEADER_BYTES) {
            if let Item::Frame(frame) = item {
                each(&full, frame)?;
            }
        }
        Ok(())
    }
}

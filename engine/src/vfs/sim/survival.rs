//! What a power cut leaves on the simulated disk.

use std::collections::BTreeSet;

use super::names::NameChange;
use super::random::Random;
use super::state::{Change, Inode, State, overwrite};

/// Disks write at least this much at once, or nothing of it.
const SECTOR_BYTES: usize = 512;

/// How one power cut treats what was not synced.
#[derive(Debug, Clone, Copy)]
enum Mood {
    /// Everything is lost.
    Harsh,
    /// Everything is there: it stopped a moment after the last write had reached the disk.
    Kind,
    /// Each change on its own.
    Mixed,
}

impl State {
    /// A power cut and what is there afterwards.
    pub(super) fn restart(&mut self) {
        let mood = match self.random.below(6) {
            0 => Mood::Harsh,
            1 => Mood::Kind,
            _ => Mood::Mixed,
        };
        for inode in self.inodes.values_mut() {
            inode.survive(mood, &mut self.random);
        }
        for (_, change) in std::mem::take(&mut self.pending_names) {
            let survives = match mood {
                Mood::Harsh => false,
                Mood::Kind => true,
                Mood::Mixed => self.random.flip(),
            };
            if survives {
                change.apply(&mut self.durable_names);
            } else if let (Mood::Mixed, NameChange::RemoveDir { dir }) = (mood, &change) {
                // A folder is emptied file by file.
                for path in self.durable_names.files_below(dir) {
                    if self.random.flip() {
                        self.durable_names.files.remove(&path);
                    }
                }
            }
        }
        self.names = self.durable_names.clone();
        let named: BTreeSet<u64> = self.names.files.values().copied().collect();
        self.inodes.retain(|inode, _| named.contains(inode));
        self.begin_life();
    }

    /// The process dies, the machine lives.
    pub(super) fn restart_process(&mut self) {
        self.begin_life();
    }

    fn begin_life(&mut self) {
        self.epoch += 1;
        self.is_crashed = false;
        self.locked.clear();
        self.crash_at = None;
        self.sync_fails_in = None;
    }
}

impl Inode {
    fn survive(&mut self, mood: Mood, random: &mut Random) {
        for change in std::mem::take(&mut self.pending) {
            match (mood, &change) {
                (Mood::Harsh, _) => {}
                (Mood::Kind, _) => change.apply(&mut self.durable),
                (Mood::Mixed, Change::Write { at, bytes }) => {
                    survive_write(&mut self.durable, *at as usize, bytes, random);
                }
                (Mood::Mixed, _) => {
                    if random.flip() {
                        change.apply(&mut self.durable);
                    }
                }
            }
        }
        self.data.clone_from(&self.durable);
    }
}

/// A write that was not synced: lost, whole, without its end, or only some of its sectors.
fn survive_write(durable: &mut Vec<u8>, at: usize, bytes: &[u8], random: &mut Random) {
    match random.below(4) {
        0 => {}
        1 => overwrite(durable, at, bytes),
        2 => {
            let kept = random.below(bytes.len() as u64 + 1) as usize;
            overwrite(durable, at, &bytes[..kept]);
        }
        _ => {
            // The length is on disk before the bytes: a lost sector reads as what was there before, or as
            // zeros.
            durable.resize(durable.len().max(at + bytes.len()), 0);
            let mut start = 0;
            while start < bytes.len() {
                let sector_end = (at + start) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;
                let end = (sector_end - at).min(bytes.len());
                if random.flip() {
                    overwrite(durable, at + start, &bytes[start..end]);
                }
                start = end;
            }
        }
    }
}

//! A journal: its checkpoint and the records since.

use std::sync::Arc;

use super::finding::FileFindings;
use super::log;
use super::store::Part;
use crate::Result;
use crate::journal::{JournalContents, KIND_ENTRY, checkpoint};
use crate::vfs::Vfs;

/// The contents of a journal that nobody has open, without changing anything: as [`Journal::open`](crate::journal::Journal::open)
/// gives them, but that damage is stepped over in silence, since [`super::check_store`] tells of it.
///
/// # Errors
/// [`crate::EngineError::Io`] when the folder cannot be read, [`crate::EngineError::Newer`] for what a newer version wrote.
pub fn read_journal(vfs: &Arc<dyn Vfs>, dir: &str) -> Result<JournalContents> {
    let loaded = checkpoint::read(vfs.as_ref(), dir)?;
    let from = loaded.checkpoint.as_ref().map_or(1, |(seq, _)| *seq);
    let mut contents = JournalContents {
        checkpoint: loaded.checkpoint.map(|(_, state)| state),
        is_checkpoint_lost: loaded.is_lost,
        ..JournalContents::default()
    };
    log::walk(vfs, dir, from, &mut Part::default(), &mut |frame, _| {
        if frame.seq >= from && frame.kind == KIND_ENTRY && !loaded.is_lost {
            contents.records.push(frame.payload.to_vec());
        }
    })?;
    Ok(contents)
}

/// Looks at the journal in a folder, if there is one.
pub(super) fn check(vfs: &Arc<dyn Vfs>, dir: &str) -> Result<Part> {
    let mut part = Part::default();
    let [path, copy_path] = checkpoint::paths(dir);
    let mut findings = FileFindings::new(&path);
    let mut copy_findings = FileFindings::new(&copy_path);
    let from = match checkpoint::read(vfs.as_ref(), dir) {
        Ok(loaded) => {
            let remedy = match loaded.is_lost {
                true => {
                    "the next start copies the journal to quarantine/ and goes on without its state; restore the folder from a backup before that, if there is one"
                }
                false => "the next start uses the other of the two copies, which is whole, and loses nothing",
            };
            for damage in &loaded.damage {
                let is_copy = damage.path.ends_with(&copy_path);
                let findings = if is_copy {
                    &mut copy_findings
                } else {
                    &mut findings
                };
                findings.damage_at(damage.offset, damage.what.as_str(), remedy);
            }
            part.checked.bytes += loaded
                .checkpoint
                .as_ref()
                .map_or(0, |(_, state)| state.len() as u64);
            let start = if loaded.is_lost { None } else { Some(1) };
            loaded.checkpoint.map_or(start, |(seq, _)| Some(seq))
        }
        Err(error) => {
            findings.error(&error, "");
            None
        }
    };
    part.take(findings);
    part.take(copy_findings);
    // Without a checkpoint nobody knows which numbers are needed.
    let needed_from = from.unwrap_or(u64::MAX);
    let mut records = 0;
    let walked = log::walk(vfs, dir, needed_from, &mut part, &mut |frame, findings| {
        records += u64::from(frame.seq >= from.unwrap_or(0));
        if frame.kind != KIND_ENTRY {
            let what = format!("record {} is of kind {}, not {KIND_ENTRY}", frame.seq, frame.kind);
            findings.damage_at(
                frame.at as u64,
                what,
                "its checksum is right, so another version wrote it: start that one",
            );
        }
    })?;
    part.checked.bytes += walked.bytes;
    part.checked.journal_records = records;
    Ok(part)
}

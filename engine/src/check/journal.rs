//! A journal: its checkpoint and the records since.

use std::sync::Arc;

use super::log;
use super::finding::FileFindings;
use super::store::Part;
use crate::Result;
use crate::journal::{self, JournalContents, KIND_ENTRY};
use crate::vfs::Vfs;

/// The contents of a journal that nobody has open, without changing anything: as [`Journal::open`](crate::journal::Journal::open)
/// gives them, but that damage is stepped over in silence, since [`super::check_store`] tells of it.
///
/// # Errors
/// [`crate::EngineError::Corrupt`] when the checkpoint cannot be read, [`crate::EngineError::Io`] when the folder cannot.
pub fn read_journal(vfs: &Arc<dyn Vfs>, dir: &str) -> Result<JournalContents> {
    let checkpoint = journal::read_checkpoint(vfs.as_ref(), dir)?;
    let from = checkpoint.as_ref().map_or(1, |(seq, _)| *seq);
    let mut contents = JournalContents {
        checkpoint: checkpoint.map(|(_, state)| state),
        ..JournalContents::default()
    };
    log::walk(vfs, dir, from, &mut Part::default(), &mut |frame, _| {
        if frame.seq >= from && frame.kind == KIND_ENTRY {
            contents.records.push(frame.payload.to_vec());
        }
    })?;
    Ok(contents)
}

/// Looks at the journal in a folder, if there is one.
pub(super) fn check(vfs: &Arc<dyn Vfs>, dir: &str) -> Result<Part> {
    let mut part = Part::default();
    let mut findings = FileFindings::new(journal::checkpoint_path(dir));
    let checkpoint = journal::read_checkpoint(vfs.as_ref(), dir);
    let from = match &checkpoint {
        Ok(Some((seq, state))) => {
            part.checked.bytes += state.len() as u64;
            Some(*seq)
        }
        Ok(None) => Some(1),
        Err(error) => {
            findings.error(error, "the records since then mean nothing without it");
            None
        }
    };
    part.take(findings);
    // Without a checkpoint nobody knows which numbers are needed.
    let needed_from = from.unwrap_or(u64::MAX);
    let mut records = 0;
    let walked = log::walk(vfs, dir, needed_from, &mut part, &mut |frame, findings| {
        records += u64::from(frame.seq >= from.unwrap_or(0));
        if frame.kind != KIND_ENTRY {
            let what = format!("record {} is of kind {}, not {KIND_ENTRY}", frame.seq, frame.kind);
            findings.damage_at(frame.at as u64, what, "its checksum is right, so another version wrote it: start that one");
        }
    })?;
    part.checked.bytes += walked.bytes;
    part.checked.journal_records = records;
    Ok(part)
}

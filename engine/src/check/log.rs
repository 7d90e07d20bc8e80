//! The write-ahead log: every frame, and what its records refer to.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::finding::FileFindings;
use super::store::{Part, Progress};
use crate::vfs::Vfs;
use crate::wal::frame::FrameRef;
use crate::wal::{Damage, KIND_SYNCED, LogFile, Record, Starts, file_number};
use crate::{EngineError, Result, SeriesRef};

/// The folder of the log.
const WAL: &str = "wal";

/// What becomes of unreadable bytes in the middle.
const STEPPED_OVER: &str = "what was there is lost; the next start goes on without it, reports it, and moves the file to quarantine/ when nothing else in it is needed";

/// Looks at the log. Samples below `floor` are in segments, so what they refer to does not matter; without a manifest
/// nobody knows the floor, and nothing is said about that.
pub(super) fn check(vfs: &Arc<dyn Vfs>, floor: Option<u64>, progress: &Progress<'_>) -> Result<Part> {
    let mut part = Part::default();
    let mut references = References {
        floor,
        defined: HashSet::new(),
    };
    let (mut samples, mut starts) = (0, Starts::default());
    let needed_from = floor.unwrap_or(u64::MAX);
    let log = walk(vfs, WAL, needed_from, &mut part, &mut |frame, findings| {
        if starts.may_hide_a_generation(Path::new(findings.path()), frame.at) {
            references.defined.clear();
        }
        if frame.kind == KIND_SYNCED {
            return;
        }
        match Record::decode(frame.kind, frame.payload) {
            Ok(record) => samples += references.see(frame, record, findings),
            Err(error) => {
                let what = format!("record {} of kind {}: {error}", frame.seq, frame.kind);
                let remedy = "its checksum is right, so another version wrote it: start that one";
                findings.damage_at(frame.at as u64, what, remedy);
            }
        }
    })?;
    progress.add(log.bytes);
    part.checked.bytes += log.bytes;
    part.checked.wal_files = log.files;
    part.checked.wal_frames = log.frames;
    part.checked.wal_samples = samples;
    Ok(part)
}

/// What a walk has met.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) files: u64,
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

/// Walks over all files of a log in a folder: reports holes, an unfinished end, and numbers that are missing from
/// `needed_from` on, and gives each whole frame that is not a repetition to `each`.
pub(super) fn walk(
    vfs: &Arc<dyn Vfs>,
    dir: &str,
    needed_from: u64,
    part: &mut Part,
    each: &mut dyn FnMut(FrameRef<'_>, &mut FileFindings),
) -> Result<Walked> {
    let names = vfs
        .list(dir)
        .map_err(EngineError::io("list", vfs.root().join(dir)))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| file_number(name)).collect();
    numbers.sort_unstable();
    let mut walked = Walked::default();
    let (mut expected, mut last) = (needed_from.max(1), 0);
    for (i, number) in numbers.iter().enumerate() {
        let path = crate::wal::file_path(dir, *number);
        let mut findings = FileFindings::new(&path);
        walked.files += 1;
        match LogFile::scan(vfs, dir, *number) {
            Err(error) => findings.error(&error, "the store does not start with it"),
            Ok(mut file) => {
                walked.bytes += file.file_bytes;
                let is_last = i + 1 == numbers.len();
                if let Some(lost) = is_last.then(|| file.end_at_unsynced_hole()).flatten() {
                    findings.note_at(
                        lost.offset,
                        format!("{} bytes: {}", lost.bytes, lost.what),
                        "nothing to do: the log was synced at intervals, and the next start cuts them off",
                    );
                }
                torn_and_holes(&file, is_last, &mut findings);
                let read = file.frames(vfs, &mut |_: &Path, frame| {
                    if frame.at as u64 >= file.valid_bytes {
                        return Ok(()); // behind the end that the next start makes
                    }
                    if frame.seq <= last {
                        return Ok(()); // written again after a commit that had failed
                    }
                    if frame.seq > expected {
                        let what = format!(
                            "records {expected} to {} are missing before record {}",
                            frame.seq - 1,
                            frame.seq
                        );
                        findings.damage_at(
                            frame.at as u64,
                            what,
                            "they are lost; the next start goes on without them and reports it",
                        );
                    }
                    walked.frames += 1;
                    last = frame.seq;
                    expected = expected.max(frame.seq.saturating_add(1));
                    each(frame, &mut findings);
                    Ok(())
                });
                if let Err(error) = read {
                    findings.error(&error, "");
                }
            }
        }
        part.take(findings);
    }
    Ok(walked)
}

fn torn_and_holes(file: &LogFile, is_last: bool, findings: &mut FileFindings) {
    let told = |damage: &Damage| format!("{} bytes: {}", damage.bytes, damage.what);
    for hole in &file.holes {
        findings.damage_at(hole.offset, told(hole), STEPPED_OVER);
    }
    match &file.tail {
        Some(tail) if is_last => findings.note_at(
            tail.offset,
            format!(
                "{} bytes behind the last whole record: a write that was never finished or acknowledged",
                tail.bytes
            ),
            "nothing to do: the next start cuts them off",
        ),
        Some(tail) => findings.damage_at(tail.offset, told(tail), STEPPED_OVER),
        None => {}
    }
    if file.first_seq.is_none() {
        let what = "no whole header and no whole record";
        if is_last {
            findings.note(
                what,
                "nothing to do: a file that was never finished, which the next start removes",
            );
        } else {
            findings.damage(what, STEPPED_OVER);
        }
    }
}

/// What samples refer to: series that a record before them defines.
struct References {
    floor: Option<u64>,
    defined: HashSet<SeriesRef>,
}

impl References {
    /// Gives how many samples the record has.
    fn see(&mut self, frame: FrameRef<'_>, record: Record, findings: &mut FileFindings) -> u64 {
        let series: Vec<SeriesRef> = match record {
            Record::Series(series) => {
                self.defined.extend(series.iter().map(|(number, _)| *number));
                return 0;
            }
            Record::Generation => {
                self.defined.clear();
                return 0;
            }
            Record::Metadata(_) => return 0,
            _ if self.floor.is_some_and(|floor| frame.seq < floor) => return 0,
            Record::Samples(samples) => samples.series,
            Record::Histograms(rows) => rows.iter().map(|(series, ..)| *series).collect(),
            Record::Exemplars(rows) => rows.iter().map(|(series, ..)| *series).collect(),
        };
        let is_lost = |number: &&SeriesRef| !self.defined.contains(number);
        let lost = series.iter().filter(is_lost).count();
        if lost > 0 && self.floor.is_some() {
            let what = format!(
                "record {}: {lost} samples of series that no record defines",
                frame.seq
            );
            let remedy = "they are lost: the record that named their series is damaged";
            findings.damage_at(frame.at as u64, what, remedy);
        }
        series.len() as u64
    }
}

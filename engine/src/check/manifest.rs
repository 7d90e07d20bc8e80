//! The manifest: whether it can be read, and whether what it says can be.

use std::collections::HashMap;
use std::sync::Arc;

use super::finding::FileFindings;
use super::store::Part;
use crate::manifest::{self, Version};
use crate::memtable::WINDOW_MS;
use crate::segment::{DAY_MS, SegmentMeta};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// What the manifest says about the store cannot be.
const WRITTEN_SO: &str =
    "the checksum is right, so it was written so: keep the file and report a bug of Barograph";

/// Looks at the manifest and gives what it says, from its copy where the file itself is damaged; `None` where neither
/// can be read.
pub(super) fn check(vfs: &Arc<dyn Vfs>, all: &mut Part) -> Result<Option<Version>> {
    let mut findings = FileFindings::new(manifest::PATH);
    let mut copy_findings = FileFindings::new(manifest::COPY_PATH);
    let main = read(vfs, manifest::PATH, &mut all.checked.bytes);
    let copy = read(vfs, manifest::COPY_PATH, &mut all.checked.bytes);
    let has_segments = !vfs
        .list("segments")
        .map_err(EngineError::io("list", "segments"))?
        .is_empty();
    let version = match (main, copy) {
        (Ok(Some(version)), copy) => {
            match copy {
                Ok(Some(copy)) if copy == version => {}
                Ok(Some(_) | None) => copy_findings.note(
                    "is not the same as MANIFEST: the program was stopped between writing the two",
                    "nothing to do: the next start writes it anew",
                ),
                Err(error) => {
                    copy_findings.error(&error, "MANIFEST is whole; the next start writes the copy anew")
                }
            }
            Some(version)
        }
        (main, Ok(Some(copy))) => {
            let remedy = "the next start uses MANIFEST.copy, which is whole, and loses nothing";
            match main {
                Err(error) => findings.error(&error, remedy),
                _ => findings.damage("it is missing", remedy),
            }
            Some(copy)
        }
        (Ok(None), Ok(None)) if has_segments => {
            findings.damage(
                "it is missing, and so is its copy, while there are segments",
                "restore it from a backup, or run this command with --repair, which makes a new one from the segments",
            );
            None
        }
        (Ok(None), Ok(None)) => {
            let remedy = "the next start makes a new one, and loses nothing, since there are no segments";
            findings.warning("it is missing", remedy);
            None
        }
        (main, copy) => {
            let remedy = "restore it from a backup, or run this command with --repair, which makes a new one from the segments; until then the store does not start";
            match main {
                Err(error) => findings.error(&error, remedy),
                Ok(_) => findings.damage("it is missing", remedy),
            }
            if let Err(error) = copy {
                copy_findings.error(&error, "");
            }
            None
        }
    };
    if let Some(version) = &version {
        rules(version, &mut findings);
    }
    all.take(findings);
    all.take(copy_findings);
    Ok(version)
}

fn read(vfs: &Arc<dyn Vfs>, path: &str, bytes_read: &mut u64) -> Result<Option<Version>> {
    let bytes = match vfs.read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EngineError::io("read", path)(error)),
    };
    *bytes_read += bytes.len() as u64;
    manifest::decode(path, &bytes).map(Some)
}

/// What holds in every manifest that this program writes.
fn rules(version: &Version, findings: &mut FileFindings) {
    let mut names: HashMap<&str, u64> = HashMap::new();
    for segment in &version.segments {
        let name = segment.name.as_str();
        let mut wrong = |what: String| findings.damage(format!("segment {name}: {what}"), WRITTEN_SO);
        if let Some(earlier) = names.insert(name, segment.sequence) {
            wrong(format!(
                "is named twice, with sequence {earlier} and {}",
                segment.sequence
            ));
        }
        if segment.sequence >= version.next_sequence {
            wrong(format!(
                "sequence {} is not below next_sequence {}",
                segment.sequence, version.next_sequence
            ));
        }
        if segment.store_key != version.store_key {
            wrong("it is of another store".to_owned());
        }
        if segment.ts_min > segment.ts_max {
            wrong(format!("instants {} to {}", segment.ts_min, segment.ts_max));
        }
        if segment.rows == 0 || segment.series == 0 || segment.series > segment.rows {
            wrong(format!("{} rows of {} series", segment.rows, segment.series));
        }
        let width = if segment.level >= 2 { DAY_MS } else { WINDOW_MS };
        if segment.kind.width().is_some() && segment.level < 2 {
            wrong(format!("a rollup of level {}", segment.level));
        }
        if segment.window.rem_euclid(width) != 0 {
            wrong(format!("window {} of level {}", segment.window, segment.level));
        }
        if segment.purged >= version.next_sequence {
            wrong(format!(
                "deletes up to {} are not below next_sequence",
                segment.purged
            ));
        }
    }
    // Segments of one age come from one merge, which has split its result; since then each may have been written anew
    // by itself, for the sake of deletes. A rollup has the age of its rows.
    let mut by_age: Vec<&SegmentMeta> = version.segments.iter().collect();
    let age = |segment: &SegmentMeta| (segment.kind.as_str(), segment.sequence);
    by_age.sort_by_key(|segment| age(segment));
    for pair in by_age.windows(2).filter(|pair| age(pair[0]) == age(pair[1])) {
        let of = |meta: &SegmentMeta| (meta.level, meta.window);
        if of(pair[0]) != of(pair[1]) {
            let is =
                |meta: &SegmentMeta| format!("{} (level {}, window {})", meta.name, meta.level, meta.window);
            let what = format!("segments {} and {} have one age", is(pair[0]), is(pair[1]));
            findings.damage(what, WRITTEN_SO);
        }
    }
    for tombstone in &version.tombstones {
        if tombstone.sequence >= version.next_sequence || tombstone.start > tombstone.end {
            let what = format!(
                "delete {} from {} to {}, while next_sequence is {}",
                tombstone.sequence, tombstone.start, tombstone.end, version.next_sequence
            );
            findings.damage(what, WRITTEN_SO);
        }
    }
}

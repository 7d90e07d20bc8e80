//! A manifest that is lost in both its copies is made again from the segments.
//!
//! Each series file says all that the manifest knew of its segment, the index beside it has its checksum, and the log
//! says where it begins. What cannot be known again is said in the plan:
//! - deletes that no merge has carried out stood in the manifest alone, so what they hid comes back;
//! - a segment whose index is lost as well is only decoded, and no checksum vouches for it.
//!
//! Everything that can be read is taken in, also what was left over from work that was cut short: the inputs of a merge
//! beside its result hold the same samples, and of two segments with one instant the newer counts as always. Records of
//! the log that are in segments already are replayed on top, in their order, which changes nothing.
//!
//! Nothing is removed: what cannot be read is moved to quarantine.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use barograph_model::TimeRange;

use super::store::lock;
use crate::manifest::{ManifestStore, Version};
use crate::quarantine::set_aside;
use crate::segment::{IndexWalk, SegmentKind, SegmentMeta, Walk};
use crate::vfs::Vfs;
use crate::wal::{LogFile, file_number};
use crate::{EngineError, Result};

/// The folder of segments.
const SEGMENTS: &str = "segments";

/// What a repair will do.
#[derive(Debug)]
pub struct RepairPlan {
    version: Version,
    taken: Vec<Taken>,
    /// files with what is wrong with each
    set_aside: Vec<(String, String)>,
}

#[derive(Debug)]
struct Taken {
    meta: SegmentMeta,
    is_vouched: bool,
}

/// What a repair of the manifest would do; `None` when the manifest can be read, and there is nothing to repair.
///
/// # Errors
/// [`EngineError::Locked`] when another process has the directory; [`EngineError::Newer`] for the manifest of a newer
/// version; [`EngineError::Corrupt`] when the segments are of different stores; [`EngineError::Io`].
pub fn plan_repair(vfs: &Arc<dyn Vfs>) -> Result<Option<RepairPlan>> {
    let _held = lock(vfs)?;
    plan(vfs)
}

fn plan(vfs: &Arc<dyn Vfs>) -> Result<Option<RepairPlan>> {
    match ManifestStore::new(Arc::clone(vfs)).peek() {
        Ok(_) => return Ok(None),
        Err(EngineError::Corrupt { .. }) => {}
        Err(error) => return Err(error),
    }
    let names = vfs.list(SEGMENTS).map_err(EngineError::io("list", SEGMENTS))?;
    let (mut taken, mut set_aside): (Vec<Taken>, _) = (Vec::new(), Vec::new());
    for name in names
        .iter()
        .filter_map(|name| name.strip_suffix(".series.parquet"))
    {
        let name = format!("{SEGMENTS}/{name}");
        match candidate(vfs, &name) {
            Ok(segment) => taken.push(segment),
            Err(error) => set_aside.push((name, error.to_string())),
        }
    }
    for name in &names {
        let stem = name.split('.').next().unwrap_or_default();
        let is_of = |known: &str| known == format!("{SEGMENTS}/{stem}");
        let is_known = taken.iter().any(|c| is_of(&c.meta.name)) || set_aside.iter().any(|(n, _)| is_of(n));
        if !is_known {
            let what = "it has no series file, so nobody knows what it holds".to_owned();
            set_aside.push((format!("{SEGMENTS}/{stem}"), what));
        }
    }
    let store_key = one_key(&taken)?;
    // Names hold numbers too, and none may be used twice.
    let numbers = names.iter().filter_map(|name| number_of(name));
    let sequences = taken.iter().map(|t| t.meta.sequence.max(t.meta.purged));
    let next_sequence = numbers
        .chain(sequences)
        .max()
        .map_or(1, |last| last.saturating_add(1));
    taken.sort_by_key(|t| t.meta.sequence);
    let version = Version {
        wal_floor: first_of_log(vfs)?,
        next_sequence,
        segments: taken.iter().map(|t| t.meta.clone()).collect(),
        ..Version::new(store_key)
    };
    Ok(Some(RepairPlan {
        version,
        taken,
        set_aside,
    }))
}

/// The segment of a series file, with everything about it that can be held against something.
fn candidate(vfs: &Arc<dyn Vfs>, name: &str) -> Result<Taken> {
    let series_path = format!("{name}.series.parquet");
    let bytes = vfs
        .read(&series_path)
        .map_err(EngineError::io("read", &series_path))?;
    let (series_bytes, series_crc32c) = (bytes.len() as u64, crc32c::crc32c(&bytes));
    let walk = Walk::open(&series_path, bytes)?;
    let corrupt = |expected: &str, found: String| EngineError::Corrupt {
        path: series_path.clone().into(),
        offset: 0,
        expected: expected.to_owned(),
        found,
    };
    let said = walk.key("barograph.segment").unwrap_or_default();
    let mut meta: SegmentMeta = serde_json::from_str(said).map_err(|error| {
        corrupt(
            "what the manifest knew under the key barograph.segment",
            error.to_string(),
        )
    })?;
    if meta.name != name {
        return Err(corrupt(
            &format!("the series of {name}"),
            format!("those of {}", meta.name),
        ));
    }
    (meta.series_bytes, meta.series_crc32c) = (series_bytes, series_crc32c);
    let index_path = meta.sidecar_path();
    let index = vfs
        .read(&index_path)
        .map_err(EngineError::io("read", &index_path))
        .and_then(|bytes| {
            meta.sidecar_bytes = bytes.len() as u64;
            IndexWalk::open(&meta, &bytes)
        });
    // An index that belongs to other bytes is either damaged itself, or the witness that the series file is.
    if let Err(error) = &index
        && let Ok(bytes) = vfs.read(&index_path)
        && IndexWalk::of_any_segment(&index_path, &bytes).is_ok()
    {
        return Err(corrupt("a series file as its index knows it", error.to_string()));
    }
    let samples_path = meta.samples_path();
    let samples = vfs
        .read(&samples_path)
        .map_err(EngineError::io("read", &samples_path))?;
    let found = (samples.len() as u64, crc32c::crc32c(&samples));
    if found != (meta.samples_bytes, meta.samples_crc32c) {
        return Err(EngineError::Corrupt {
            path: samples_path.into(),
            offset: 0,
            expected: format!(
                "{} bytes with CRC-32C {:08x}",
                meta.samples_bytes, meta.samples_crc32c
            ),
            found: format!("{} with {:08x}", found.0, found.1),
        });
    }
    // Where no checksum vouches for the series file, it must at least be readable to its end.
    let mut rows = walk.series()?;
    while rows.next()?.is_some() {}
    Ok(Taken {
        meta,
        is_vouched: index.is_ok(),
    })
}

/// The key of the store; a new one may be drawn where no id depends on it.
fn one_key(candidates: &[Taken]) -> Result<u64> {
    let Some(first) = candidates.first() else {
        return Ok(crate::recovery::draw_store_key());
    };
    match candidates
        .iter()
        .find(|c| c.meta.store_key != first.meta.store_key)
    {
        None => Ok(first.meta.store_key),
        Some(other) => Err(EngineError::Corrupt {
            path: other.meta.series_path().into(),
            offset: 0,
            expected: format!("a segment of the same store as {}", first.meta.name),
            found: "one of another (move it out of the folder)".to_owned(),
        }),
    }
}

/// The number at the end of a file's name: `<window>-<number>[-<part>].<ending>`.
fn number_of(name: &str) -> Option<u64> {
    let stem = name.split('.').next()?;
    stem.trim_start_matches('-')
        .split('-')
        .skip(1)
        .filter_map(|part| part.parse().ok())
        .max()
}

/// The number of the first record that the log still has; where it has none, the next.
fn first_of_log(vfs: &Arc<dyn Vfs>) -> Result<u64> {
    let names = vfs.list("wal").map_err(EngineError::io("list", "wal"))?;
    let mut first = u64::MAX;
    for number in names.iter().filter_map(|name| file_number(name)) {
        let file = LogFile::scan(vfs, "wal", number)?;
        first = first.min(file.first_seq.unwrap_or(u64::MAX));
    }
    Ok(if first == u64::MAX { 0 } else { first })
}

impl RepairPlan {
    /// Carries it out: moves away what cannot be read, and writes the manifest.
    ///
    /// # Errors
    /// [`EngineError::Io`]; it may be tried again then. [`EngineError::Locked`] when another process has come in between.
    pub fn carry_out(&self, vfs: &Arc<dyn Vfs>) -> Result<()> {
        let _held = lock(vfs)?;
        let is_there = |path: &String| vfs.len(path).is_ok();
        for (name, _) in &self.set_aside {
            // What it holds is not known, so a file of any kind may be there.
            let of_kind = |kind| SegmentMeta {
                name: name.clone(),
                kind,
                ..SegmentMeta::default()
            };
            let paths: BTreeSet<String> = SegmentKind::ALL
                .into_iter()
                .flat_map(|kind| of_kind(kind).paths())
                .collect();
            for path in paths.into_iter().filter(is_there) {
                set_aside(vfs.as_ref(), &path).map_err(EngineError::io("move to quarantine", &path))?;
            }
        }
        for path in [crate::manifest::PATH, crate::manifest::COPY_PATH].map(str::to_owned) {
            if is_there(&path) {
                set_aside(vfs.as_ref(), &path).map_err(EngineError::io("move to quarantine", &path))?;
            }
        }
        ManifestStore::new(Arc::clone(vfs)).save(&self.version)
    }

    /// How many segments it takes in.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.taken.len()
    }
}

/// What will be done, a line each.
impl fmt::Display for RepairPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "write a new MANIFEST with these {} segments:",
            self.taken.len()
        )?;
        for Taken { meta, is_vouched } in &self.taken {
            let TimeRange { start, end } = TimeRange::new(meta.ts_min, meta.ts_max);
            let doubt = match is_vouched {
                true => "",
                false => "; its index is lost, so no checksum vouches for its series",
            };
            writeln!(
                f,
                "  {}: {} {} from {} to {}{doubt}",
                meta.name,
                meta.rows,
                meta.kind.rows_name(),
                start.0,
                end.0
            )?;
        }
        if !self.set_aside.is_empty() {
            writeln!(f, "move to quarantine/, because they cannot be read:")?;
            for (name, what) in &self.set_aside {
                writeln!(f, "  {name}: {what}")?;
            }
        }
        writeln!(f, "replay the log from record {}", self.version.wal_floor)?;
        write!(
            f,
            "not known any more: deletes that were asked for and not carried out in the files yet (ask for them again), \
             and types and help of metrics until they are sent again"
        )
    }
}

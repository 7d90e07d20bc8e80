//! Opening a store: the manifest, its segments, and what the log holds beyond them.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use barograph_model::{Clock, SeriesId};

use crate::engine::{Files, Shared};
use crate::index::Registry;
use crate::log::Log;
use crate::maintenance::{self, SEGMENTS};
use crate::manifest::{ManifestStore, Version};
use crate::replay_progress::ReplayProgress;
use crate::segment::Segment;
use crate::vfs::Vfs;
use crate::wal::{Record, Recovery, SampleRecord, Wal};
use crate::{EngineError, Options, Result, SampleColumns, SeriesRef};

/// The folder of the log.
const WAL: &str = "wal";

/// Where damaged files are put, for a person to look at.
const QUARANTINE: &str = "quarantine";

/// Builds the shared state of a store from its directory.
pub(crate) fn recover(
    vfs: Arc<dyn Vfs>,
    clock: Arc<dyn Clock>,
    options: Options,
    directory: Box<dyn Send + Sync + Debug>,
) -> Result<Shared> {
    for dir in [SEGMENTS, QUARANTINE] {
        vfs.create_dir_all(dir).map_err(EngineError::io("create", dir))?;
    }
    let store = ManifestStore::new(Arc::clone(&vfs));
    let mut version = store.load()?;
    remove_orphans(&vfs, &version)?;
    let registry = Registry::new(version.next_series_id);
    let mut known = HashMap::new();
    let (segments, damaged) = open_segments(&vfs, &mut version, &registry, &mut known)?;
    let (mut wal, recovery) = Wal::open(Arc::clone(&vfs), WAL, options.wal_file_bytes)?;
    wal.skip_to(version.wal_floor);
    let files = Files { store, version };
    let shared = Shared::new(
        vfs,
        clock,
        options,
        registry,
        files,
        Log::new(wal),
        segments,
        directory,
    );
    for (path, what) in damaged {
        shared.counters.damaged(path, what);
    }
    replay(&shared, recovery, known)?;
    Ok(shared)
}

/// Removes segment files that the manifest does not name: leftovers of a flush or a retention that was cut short.
fn remove_orphans(vfs: &Arc<dyn Vfs>, version: &Version) -> Result<()> {
    let named: HashSet<String> = version
        .segments
        .iter()
        .flat_map(|s| [s.samples_path(), s.series_path()])
        .collect();
    for file in vfs.list(SEGMENTS).map_err(EngineError::io("list", SEGMENTS))? {
        let path = format!("{SEGMENTS}/{file}");
        if !named.contains(&path) {
            tracing::info!(
                path,
                "removing a segment file that was never finished or had expired"
            );
            vfs.remove(&path).map_err(EngineError::io("remove", &path))?;
        }
    }
    Ok(())
}

type Damaged = Vec<(String, String)>;

/// Opens all segments; a damaged one is moved out of the way and the rest goes on.
fn open_segments(
    vfs: &Arc<dyn Vfs>,
    version: &mut Version,
    registry: &Registry,
    known: &mut HashMap<SeriesId, SeriesRef>,
) -> Result<(Vec<Arc<Segment>>, Damaged)> {
    let (mut segments, mut damaged, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for meta in std::mem::take(&mut version.segments) {
        match Segment::open_with(vfs, meta.clone(), registry, known) {
            Ok(segment) => {
                segments.push(Arc::new(segment));
                kept.push(meta);
            }
            Err(error) => {
                for path in [meta.samples_path(), meta.series_path()] {
                    let aside = path.replacen(SEGMENTS, QUARANTINE, 1);
                    if let Err(error) = vfs.rename(&path, &aside) {
                        tracing::warn!(path, %error, "a damaged file could not be moved to quarantine");
                    }
                }
                damaged.push((
                    meta.name,
                    format!("{error}; {} samples are not readable", meta.rows),
                ));
            }
        }
    }
    version.segments = kept;
    Ok((segments, damaged))
}

/// Brings the samples beyond the segments back into memory, flushing whenever memory is full.
fn replay(shared: &Shared, mut recovery: Recovery, mut known: HashMap<SeriesId, SeriesRef>) -> Result<()> {
    let floor = shared
        .files
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .version
        .wal_floor;
    let mut lost = 0;
    let mut progress = ReplayProgress::new(shared, &recovery);
    // Definitions count from wherever the log begins, since samples behind the floor may use them.
    let report = recovery.replay(floor, &mut |seq, record| {
        match record {
            Record::Series(series) => {
                for (id, labels) in series {
                    known
                        .entry(id)
                        .or_insert_with(|| shared.registry.restore(id, labels));
                }
            }
            Record::Samples(record) if seq >= floor => {
                progress.record(record.ts.len());
                lost += insert(shared, &known, record);
                if shared.memtable_is_full() {
                    maintenance::freeze(shared);
                    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
                    maintenance::write_frozen(shared, &mut files, seq + 1)?;
                }
            }
            Record::Samples(_) => {}
        }
        Ok(())
    })?;
    progress.finish();
    for damage in report.damage {
        let what = format!(
            "{} ({} bytes at byte {})",
            damage.what, damage.bytes, damage.offset
        );
        shared.counters.damaged(damage.path.display().to_string(), what);
    }
    if lost > 0 {
        shared.counters.damaged(
            WAL,
            format!("{lost} samples belong to series whose definition was damaged"),
        );
    }
    Ok(())
}

/// Puts the samples of a record into the memtable; gives how many belong to no known series.
fn insert(shared: &Shared, known: &HashMap<SeriesId, SeriesRef>, record: SampleRecord) -> usize {
    let mut columns = SampleColumns::with_capacity(record.ts.len());
    for ((id, ts), value) in record.series.iter().zip(&record.ts).zip(&record.values) {
        if let Some(series) = known.get(id) {
            columns.push(*series, *ts, *value);
        }
    }
    let lost = record.ts.len() - columns.len();
    shared
        .counters
        .memory_rows
        .fetch_add(columns.len(), Ordering::Relaxed);
    let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
    state.memtable.insert(columns);
    state.memtable.sort_chunks();
    drop(state);
    shared.account_memory();
    lost
}

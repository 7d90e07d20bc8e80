//! Opening a store: the manifest, its segments, and what the log holds beyond them.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use barograph_model::Clock;

use crate::engine::Shared;
use crate::files::{Files, SEGMENTS};
use crate::index::Head;
use crate::log::Log;
use crate::maintenance;
use crate::manifest::{ManifestStore, Version};
use crate::quarantine::QUARANTINE;
use crate::replay_progress::ReplayProgress;
use crate::segment::{Segment, SegmentMeta};
use crate::sorting;
use crate::tombstone::Tombstones;
use crate::vfs::Vfs;
use crate::wal::{Record, Recovery, SampleRecord, Wal};
use crate::{EngineError, Fsync, Options, Result, SampleColumns, SeriesRef};

/// The folder of the log.
const WAL: &str = "wal";

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
    let loaded = store.load()?;
    let mut damaged = loaded.damaged;
    let mut version = match loaded.version {
        Some(version) => version,
        None => {
            let version = Version::new(options.store_key.unwrap_or_else(draw_store_key));
            // From now on segments without a manifest mean that it was lost.
            store.save(&version)?;
            version
        }
    };
    remove_orphans(&vfs, &version)?;
    let named = version.segments.len();
    let (segments, damaged_segments) = open_segments(&vfs, &mut version);
    damaged.extend(damaged_segments);
    if version.segments.len() < named
        && let Err(error) = store.save(&version)
    {
        // The next start finds them missing and says so again.
        tracing::warn!(%error, "the manifest still names segments that were set aside");
    }
    let (mut wal, recovery) = Wal::open(Arc::clone(&vfs), WAL, options.wal_file_bytes)?;
    wal.skip_to(version.wal_floor);
    if options.fsync != Fsync::Always {
        wal.sync_at_intervals();
    }
    let tombstones = Tombstones::load(version.tombstones.clone(), &segments)?;
    // Those that hide nothing any more are left out of the next manifest.
    version.tombstones = tombstones.to_stored();
    let files = Files::new(store, version);
    let shared = Shared::new(
        vfs,
        clock,
        options,
        files,
        Log::new(wal),
        segments,
        tombstones,
        directory,
    );
    for (path, what) in damaged {
        shared.damaged(path, what);
    }
    replay(&shared, recovery)?;
    Ok(shared)
}

/// A number that no other store has: from the operating system's randomness, by way of the standard hasher.
pub(crate) fn draw_store_key() -> u64 {
    RandomState::new().hash_one(())
}

/// Removes segment files that the manifest does not name: leftovers of a flush or a retention that was cut short.
fn remove_orphans(vfs: &Arc<dyn Vfs>, version: &Version) -> Result<()> {
    let named: HashSet<String> = version.segments.iter().flat_map(SegmentMeta::paths).collect();
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
fn open_segments(vfs: &Arc<dyn Vfs>, version: &mut Version) -> (Vec<Arc<Segment>>, Damaged) {
    let (mut segments, mut damaged, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for meta in std::mem::take(&mut version.segments) {
        match Segment::open(vfs, meta.clone()) {
            Ok(segment) => {
                if let Some(what) = segment.remade() {
                    let what = format!("{what}; it was made again, and nothing is lost");
                    damaged.push((meta.sidecar_path(), what));
                }
                segments.push(Arc::new(segment));
                kept.push(meta);
            }
            Err(error) => {
                set_aside(vfs, &meta);
                let what = format!("{error}; {}", meta.loss());
                damaged.push((meta.name, what));
            }
        }
    }
    version.segments = kept;
    (segments, damaged)
}

/// Moves the files of a damaged segment out of the way.
pub(crate) fn set_aside(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta) {
    for path in meta.paths() {
        let aside = path.replacen(SEGMENTS, QUARANTINE, 1);
        if let Err(error) = vfs.rename(&path, &aside) {
            tracing::warn!(path, %error, "a damaged file could not be moved to quarantine");
        }
    }
}

/// Brings the samples beyond the segments back into memory, flushing whenever memory is full.
fn replay(shared: &Shared, mut recovery: Recovery) -> Result<()> {
    let floor = shared
        .files
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .version
        .wal_floor;
    let head = shared
        .state
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .memtable
        .head()
        .clone();
    let mut known: HashMap<SeriesRef, SeriesRef> = HashMap::new();
    let mut lost = 0;
    let mut progress = ReplayProgress::new(shared, &recovery);
    // Definitions count from wherever the log begins, since samples behind the floor may use them.
    let report = recovery.replay(floor, &mut |seq, record| {
        match record {
            // It gives numbers to other series, and a definition that is damaged must not leave the one before.
            Record::Generation => known.clear(),
            Record::Series(series) => {
                known.extend(
                    series
                        .iter()
                        .map(|(number, labels)| (*number, head.series(labels))),
                );
            }
            Record::Samples(record) if seq >= floor => {
                progress.record(record.ts.len());
                lost += insert(shared, &head, &known, record);
                flush_if_full(shared, seq)?;
            }
            Record::Histograms(rows) if seq >= floor => {
                lost += insert_lane(shared, &head, &known, rows, SampleColumns::push_histogram);
                flush_if_full(shared, seq)?;
            }
            Record::Exemplars(rows) if seq >= floor => {
                lost += insert_lane(shared, &head, &known, rows, |columns, series, _, exemplar| {
                    columns.push_exemplar(series, exemplar);
                });
                flush_if_full(shared, seq)?;
            }
            Record::Metadata(families) if seq >= floor => {
                let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
                state.metadata.extend(families);
            }
            Record::Samples(_) | Record::Histograms(_) | Record::Exemplars(_) | Record::Metadata(_) => {}
        }
        Ok(())
    })?;
    progress.finish();
    for damage in report.damage {
        let what = format!(
            "{} ({} bytes at byte {})",
            damage.what, damage.bytes, damage.offset
        );
        shared.damaged(damage.path.display().to_string(), what);
    }
    if lost > 0 {
        shared.damaged(
            WAL,
            format!("{lost} samples belong to series whose definition was damaged"),
        );
    }
    Ok(())
}

/// Puts the samples of a record into the memtable; gives how many belong to no known series.
fn insert(
    shared: &Shared,
    head: &Head,
    known: &HashMap<SeriesRef, SeriesRef>,
    record: SampleRecord,
) -> usize {
    let mut columns = SampleColumns::with_capacity(head, record.ts.len());
    for ((id, ts), value) in record.series.iter().zip(&record.ts).zip(&record.values) {
        if let Some(series) = known.get(id) {
            columns.push(*series, *ts, *value);
        }
    }
    let lost = record.ts.len() - columns.len();
    insert_columns(shared, columns);
    lost
}

/// Puts histograms or exemplars of a record into the memtable; gives how many belong to no known series.
fn insert_lane<V>(
    shared: &Shared,
    head: &Head,
    known: &HashMap<SeriesRef, SeriesRef>,
    rows: Vec<(SeriesRef, i64, V)>,
    push: impl Fn(&mut SampleColumns, SeriesRef, i64, V),
) -> usize {
    let mut columns = SampleColumns::new(head);
    let mut lost = 0;
    for (series, ts, value) in rows {
        match known.get(&series) {
            Some(series) => push(&mut columns, *series, ts, value),
            None => lost += 1,
        }
    }
    insert_columns(shared, columns);
    lost
}

fn insert_columns(shared: &Shared, columns: SampleColumns) {
    shared
        .counters
        .memory_rows
        .fetch_add(columns.weight(), Ordering::Relaxed);
    {
        let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
        state.memtable.insert(columns);
    }
    shared.account_memory();
    sorting::sort(shared);
}

/// Writes memory out while the log is replayed; the record `seq` is in it.
fn flush_if_full(shared: &Shared, seq: u64) -> Result<()> {
    if !shared.memtable_is_full() {
        return Ok(());
    }
    maintenance::freeze(shared, None);
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    maintenance::write_frozen(shared, &mut files, seq + 1)
}

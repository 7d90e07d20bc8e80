//! From memory to segments, and out of the store when too old.
//!
//! The order that keeps every acknowledged sample: segments are synced, then the manifest names them, then the
//! log is cut. A crash between any two leaves files that nobody names, which the next start removes, or frames
//! that are replayed although their samples are in segments already, which changes nothing.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use barograph_model::{MemoryReservation, MemoryShare};

use crate::engine::Shared;
use crate::files::{self, Files, SEGMENTS};
use crate::index::Head;
use crate::memtable::{Memtable, Window};
use crate::merge::Rows;
use crate::segment::{Segment, SegmentMeta, SegmentWriter};
use crate::{EngineError, Result, RollupKeep, SeriesRef, lanes, memory, recovery};
use roaring::RoaringBitmap;

/// Series whose labels are fetched at a time while a segment is written.
const SERIES_PER_PORTION: usize = 4096;

/// How long after a failed flush the next one waits.
const RETRY_NS: u64 = 5_000_000_000;

/// The log is cut, by a flush, when it is this many files long, however few rows are in memory.
const WAL_FILES_MAX: u64 = 8;

/// Flushes when memory or the log has passed its limit. A failure is logged and tried again later.
pub(crate) fn flush_if_full(shared: &Shared) {
    let full = shared.memtable_is_full();
    let wal_limit = shared.options.wal_file_bytes.saturating_mul(WAL_FILES_MAX);
    let long = shared.counters.wal_bytes.load(Ordering::Relaxed) > wal_limit && shared.memory_rows() > 0;
    let now_ns = shared.clock.monotonic_ns();
    if !(full || long) || now_ns < shared.counters.flush_not_before_ns.load(Ordering::Relaxed) {
        return;
    }
    if let Err(error) = flush(shared) {
        tracing::warn!(%error, "a flush failed: its samples stay in memory and in the log");
        shared
            .counters
            .flush_not_before_ns
            .store(now_ns.saturating_add(RETRY_NS), Ordering::Relaxed);
    }
}

/// Writes all that is in memory to segments.
pub(crate) fn flush(shared: &Shared) -> Result<()> {
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    let renewed = renewed_head(shared);
    let floor = {
        let mut log = shared.log();
        if shared.memory_rows() > 0 {
            let floor = log.next_generation()?;
            freeze(shared, renewed);
            floor
        } else {
            log.next_seq()
        }
    };
    let result = write_frozen(shared, &mut files, floor).and_then(|()| cut_log(shared, &files));
    if result.is_err() {
        shared.counters.failed_flushes.fetch_add(1, Ordering::Relaxed);
    }
    result
}

/// A head without the series that nothing was written to since the last flush, where these are many. Made while writes
/// go on: a series that comes in meanwhile is entered again with its next sample.
fn renewed_head(shared: &Shared) -> Option<Head> {
    let memtable = shared
        .state
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .memtable
        .clone();
    let alive = memtable.series();
    let silent = (memtable.head().len() as u64).saturating_sub(alive.len());
    (silent > alive.len() + shared.options.silent_series_max).then(|| memtable.head().renewed(&alive))
}

/// Sets the memtable aside; the caller sees to it that the log and the memtable part at the same sample.
pub(crate) fn freeze(shared: &Shared, renewed: Option<Head>) {
    let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
    let head = renewed.unwrap_or_else(|| state.memtable.head().clone());
    let memtable = std::mem::replace(&mut state.memtable, Memtable::new(head));
    state.frozen.push(Arc::new(memtable));
}

/// Writes what was set aside, now or by a flush that failed. `floor` is the first frame that is not in it.
pub(crate) fn write_frozen(shared: &Shared, files: &mut Files, floor: u64) -> Result<()> {
    let frozen = shared
        .state
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .frozen
        .clone();
    if frozen.is_empty() {
        return Ok(());
    }
    let mut held = MemoryReservation::empty(&shared.options.memory, MemoryShare::Compaction);
    held.grow(memory::writer_bytes(&shared.options));
    let mut begun = Vec::new();
    let (written, opened) = match write_segments(shared, files, &frozen, &mut begun) {
        Ok(done) => done,
        Err(error) => {
            // On a disk that is full they would keep it full.
            files::remove(&shared.vfs, begun.iter().flat_map(SegmentMeta::paths));
            return Err(error);
        }
    };
    let mut version = files.version.clone();
    version.wal_floor = floor;
    version.segments.extend_from_slice(&written);
    // Records of metadata below the floor are about to be cut off; what they said is in here.
    version.metadata = shared
        .state
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .metadata
        .clone();
    files.save(&shared.vfs, version, &written)?;
    install(shared, &frozen, opened);
    let bytes = written.iter().map(SegmentMeta::bytes).sum();
    shared.counters.flushed_bytes.fetch_add(bytes, Ordering::Relaxed);
    shared.counters.flushes.fetch_add(1, Ordering::Relaxed);
    shared.compaction_wake.notify();
    Ok(())
}

/// Writes a segment for each window, makes files and names durable, and opens them. `begun` gets all that was begun,
/// also when it fails.
fn write_segments(
    shared: &Shared,
    files: &mut Files,
    frozen: &[Arc<Memtable>],
    begun: &mut Vec<SegmentMeta>,
) -> Result<(Vec<SegmentMeta>, Vec<Arc<Segment>>)> {
    let mut written = Vec::new();
    for memtable in frozen {
        for (start, window) in memtable.windows() {
            let sequence = files.next_sequence();
            let name = format!("{SEGMENTS}/{start}-{sequence:08}");
            let mut meta = SegmentMeta::begin(name, *start, sequence, shared.clock.now());
            meta.store_key = memtable.head().key();
            begun.push(meta.clone());
            written.extend(write_window(shared, meta, memtable.head(), window)?);
        }
        lanes::write_memory(shared, files, memtable, begun, &mut written)?;
    }
    shared
        .vfs
        .sync_dir(SEGMENTS)
        .map_err(EngineError::io("sync", SEGMENTS))?;
    let mut opened = Vec::with_capacity(written.len());
    for meta in &written {
        opened.push(Arc::new(Segment::open(&shared.vfs, meta.clone())?));
    }
    Ok((written, opened))
}

/// Drops what the manifest says is in segments. Not while the log is replayed: the floor then lies inside a
/// generation, whose definitions are still needed by the samples behind it.
fn cut_log(shared: &Shared, files: &Files) -> Result<()> {
    let mut log = shared.log();
    log.cut(files.version.wal_floor)?;
    shared.counters.wal_bytes.store(log.bytes(), Ordering::Relaxed);
    Ok(())
}

fn write_window(
    shared: &Shared,
    meta: SegmentMeta,
    head: &Head,
    window: &Window,
) -> Result<Option<SegmentMeta>> {
    let runs = window.sorted_runs();
    let present = RoaringBitmap::from_iter(runs.iter().flat_map(|run| run.series()).map(|s| s.0));
    let in_order: Vec<SeriesRef> = head
        .order()
        .sorted()
        .iter()
        .copied()
        .filter(|s| present.contains(s.0))
        .collect();
    let mut writer = SegmentWriter::new(&shared.vfs, meta, shared.options.row_group_rows);
    let mut rows = Rows::default();
    // In portions, so that writers of new series do not wait for the disk.
    for portion in in_order.chunks(SERIES_PER_PORTION) {
        let mut labels = Vec::with_capacity(portion.len());
        head.for_each(portion.iter().copied(), |series, id, set| {
            labels.push((series, id, Arc::new(set)))
        });
        for (series, id, set) in labels {
            rows.clear();
            runs.iter().for_each(|run| rows.add_run(run, series));
            let (ts, values) = rows.merged();
            writer.push(id, &set, ts, values)?;
        }
    }
    writer.finish()
}

/// Shows the segments instead of the memory they were written from, in one step.
fn install(shared: &Shared, frozen: &[Arc<Memtable>], opened: Vec<Arc<Segment>>) {
    let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
    state
        .frozen
        .retain(|m| !frozen.iter().any(|done| Arc::ptr_eq(m, done)));
    let mut segments = state.segments.as_ref().clone();
    segments.extend(opened);
    state.segments = Arc::new(segments);
    let rows: usize = frozen.iter().map(|m| m.rows()).sum();
    shared.counters.memory_rows.fetch_sub(rows, Ordering::Relaxed);
    drop(state);
    shared.account_memory();
}

/// Drops segments in which nothing may be kept any longer: first from the manifest, then from sight, then from disk.
pub(crate) fn apply_retention(shared: &Shared) -> Result<usize> {
    let now = shared.clock.now();
    let is_expired = |meta: &SegmentMeta| meta.ts_max < shared.retention.oldest_of_any(meta.kind, now).0;
    let is_unwanted = |meta: &SegmentMeta| {
        let keep = meta.kind.width().map(|width| shared.options.rollup.keep(width));
        keep == Some(RollupKeep::Off)
    };
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    let dropped = forget(shared, &mut files, |segment| {
        is_expired(&segment.meta) || is_unwanted(&segment.meta)
    })?;
    if dropped.is_empty() {
        return Ok(0);
    }
    files::remove(&shared.vfs, dropped.iter().flat_map(|s| s.meta.paths()));
    tracing::info!(
        segments = dropped.len(),
        "dropped segments older than the retention"
    );
    Ok(dropped.len())
}

/// Sets segments aside in which a reader has met damage.
pub(crate) fn set_aside_damaged(shared: &Shared) -> Result<usize> {
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    let dropped = forget(shared, &mut files, |segment| segment.damage().is_some())?;
    for segment in &dropped {
        recovery::set_aside(&shared.vfs, &segment.meta);
        let what = segment.damage().unwrap_or_default();
        shared.damaged(&segment.meta.name, format!("{what}; {}", segment.meta.loss()));
    }
    Ok(dropped.len())
}

/// Takes segments out of the manifest, then out of sight; their files are the caller's.
fn forget(shared: &Shared, files: &mut Files, which: impl Fn(&Segment) -> bool) -> Result<Vec<Arc<Segment>>> {
    let (segments, tombstones) = {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&state.segments), Arc::clone(&state.tombstones))
    };
    let (dropped, kept): (Vec<_>, Vec<_>) = segments.iter().cloned().partition(|segment| which(segment));
    if dropped.is_empty() {
        return Ok(dropped);
    }
    let tombstones = tombstones.after(dropped.iter().map(|segment| &segment.meta), &[], &[]);
    let mut version = files.version.clone();
    version.segments = kept.iter().map(|segment| segment.meta.clone()).collect();
    version.tombstones = tombstones.to_stored();
    files.save(&shared.vfs, version, &[])?;
    // Segments are added and removed only while `files` is locked.
    let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
    state.segments = Arc::new(kept);
    state.tombstones = Arc::new(tombstones);
    Ok(dropped)
}

//! One merge, from the plan to the manifest.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use barograph_model::{Exemplar, Histogram, MemoryReservation, MemoryShare};

use super::budget::Budget;
use super::merge::{merge, open_sources};
use super::output::Output;
use super::plan::{Job, Reason, next_job};
use super::survey::Survey;
use crate::engine::Shared;
use crate::files::{self, SEGMENTS};
use crate::lanes::{self, Lane};
use crate::rollup::{RollupJob, next_rollup, roll_up};
use crate::segment::{Segment, SegmentKind, SegmentMeta};
use crate::tombstone::Tombstones;
use crate::{EngineError, Result};

/// What one merge did, or one rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// Why: `tier`, `window`, `day`, `expired`, `deleted` or `rollup`.
    pub reason: &'static str,
    /// Segments read.
    pub segments_in: usize,
    /// Segments written; none when nothing of the rows may be kept.
    pub segments_out: usize,
    /// Rows read.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Bytes of the files read.
    pub bytes_in: u64,
    /// Bytes of the files written.
    pub bytes_out: u64,
}

impl Compaction {
    /// What was read and written for a reason.
    pub(crate) fn of(reason: &'static str, read: &[SegmentMeta], written: &[SegmentMeta]) -> Self {
        Self {
            reason,
            segments_in: read.len(),
            segments_out: written.len(),
            rows_in: read.iter().map(|meta| meta.rows).sum(),
            rows_out: written.iter().map(|meta| meta.rows).sum(),
            bytes_in: read.iter().map(SegmentMeta::bytes).sum(),
            bytes_out: written.iter().map(SegmentMeta::bytes).sum(),
        }
    }
}

/// What is to be done.
enum Work {
    Merge(Job),
    Rollup(RollupJob),
}

impl Work {
    /// How many numbers it needs.
    fn outputs(&self) -> usize {
        match self {
            Self::Merge(_) => 1,
            Self::Rollup(job) => job.targets.len(),
        }
    }

    /// The segments that it reads.
    fn inputs(&self) -> Vec<SegmentMeta> {
        match self {
            Self::Merge(job) => job.inputs.clone(),
            Self::Rollup(job) => {
                let carried = job.targets.iter().flat_map(|target| &target.carried);
                job.rows.iter().chain(carried).cloned().collect()
            }
        }
    }
}

/// A merge on its way: what it started from.
struct Started {
    work: Work,
    tombstones: Arc<Tombstones>,
    /// the numbers of its files, the first of them that of the newest delete a merge carries out
    sequences: Vec<u64>,
}

/// Does the next merge that is due, or else the next rollup; `None` when there is neither.
pub(crate) fn compact_once(shared: &Shared) -> Result<Option<Compaction>> {
    let mut survey = shared.compacting.lock().unwrap_or_else(PoisonError::into_inner);
    if is_stopping(shared) {
        return Err(EngineError::Closing);
    }
    let Some(started) = start(shared, &mut survey) else {
        return Ok(None);
    };
    let begun_ns = shared.clock.monotonic_ns();
    let Started {
        work,
        tombstones,
        sequences,
    } = &started;
    let result = match work {
        Work::Merge(job) => run(shared, job, tombstones, sequences),
        Work::Rollup(job) => roll_up(shared, job, tombstones, sequences).map(|rolled_up| {
            let empty = rolled_up.empty.into_iter();
            empty.for_each(|width| survey.nothing_left.enter(job, width));
            rolled_up.done
        }),
    };
    let counters = &shared.counters.compaction;
    let ns = shared.clock.monotonic_ns().saturating_sub(begun_ns);
    counters.ns.fetch_add(ns, Ordering::Relaxed);
    match &result {
        Ok(done) => counters.add(done),
        Err(EngineError::Closing) => {}
        Err(error) => {
            counters.failures.fetch_add(1, Ordering::Relaxed);
            set_aside(shared, &mut survey, &work.inputs(), error);
        }
    }
    result.map(Some)
}

/// Does every merge that is due, and those that carry out deletes at once; gives how many.
pub(crate) fn carry_out_deletes(shared: &Shared) -> Result<usize> {
    let waiting = || {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        state.tombstones.len() > 0
    };
    shared.counters.purges_at_once.store(true, Ordering::SeqCst);
    let mut merges = 0;
    let result = loop {
        if !waiting() {
            break Ok(merges);
        }
        match compact_once(shared) {
            Ok(Some(_)) => merges += 1,
            // What is left is in segments that are damaged.
            Ok(None) => break Ok(merges),
            Err(error) => break Err(error),
        }
    };
    shared.counters.purges_at_once.store(false, Ordering::SeqCst);
    result
}

/// Whether the store closes, and what runs is to be called off.
pub(crate) fn is_stopping(shared: &Shared) -> bool {
    shared.counters.closing.load(Ordering::SeqCst)
}

/// Plans, and takes numbers. Whatever delete has a lower number is in `tombstones`, because both are read under the
/// lock under which deletes are entered.
fn start(shared: &Shared, survey: &mut Survey) -> Option<Started> {
    let segments = {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.segments)
    };
    for (segment, error) in survey.update(&shared.retention, &segments) {
        set_aside(shared, survey, std::slice::from_ref(&segment), &error);
    }
    let budget = budget(shared);
    let now = shared.clock.now();
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    let tombstones = {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.tombstones)
    };
    let mut surveyed = survey.surveyed(&files.version.segments, &tombstones, &shared.retention, now);
    if shared.counters.purges_at_once.load(Ordering::SeqCst) {
        // As if they had been asked for long ago.
        let asked = surveyed.iter_mut().filter_map(|s| s.delete_asked_ms.as_mut());
        asked.for_each(|asked_ms| *asked_ms = 0);
    }
    // Samples, histograms and exemplars never meet in one segment.
    let merge = SegmentKind::WRITTEN.into_iter().find_map(|kind| {
        let of_kind: Vec<_> = surveyed.iter().filter(|s| s.meta.kind == kind).cloned().collect();
        next_job(&of_kind, now, budget.inputs_max)
    });
    let rollup = || next_rollup(&surveyed, &shared.options.rollup, &survey.nothing_left, now);
    let work = merge.map(Work::Merge).or_else(|| rollup().map(Work::Rollup))?;
    let sequences = (0..work.outputs()).map(|_| files.next_sequence()).collect();
    Some(Started {
        work,
        tombstones,
        sequences,
    })
}

/// What a merge may take.
pub(crate) fn budget(shared: &Shared) -> Budget {
    Budget::of(
        shared.options.compaction_memory_bytes,
        shared.options.row_group_rows,
    )
}

/// Notes which input an error names as damaged, so that it is not tried again and again.
fn set_aside(shared: &Shared, survey: &mut Survey, inputs: &[SegmentMeta], error: &EngineError) {
    let path: &Path = match error {
        EngineError::Corrupt { path, .. } | EngineError::Parquet { path, .. } => path,
        _ => return,
    };
    for input in inputs
        .iter()
        .filter(|input| input.paths().iter().any(|p| Path::new(p) == path))
    {
        if survey.set_damaged(input) {
            let what = format!("{error}; it is not merged any more, and what can be read of it is served");
            shared.damaged(&input.name, what);
        }
    }
}

fn run(shared: &Shared, job: &Job, tombstones: &Tombstones, sequences: &[u64]) -> Result<Compaction> {
    // Kept free for it, so it is only said and not asked for.
    let mut held = MemoryReservation::empty(&shared.options.memory, MemoryShare::Compaction);
    held.grow(shared.options.compaction_memory_bytes);
    let Job {
        reason,
        inputs,
        window,
        level,
    } = job;
    let sequence = sequences.iter().copied().max().unwrap_or_default();
    let name = format!("{SEGMENTS}/{window}-{sequence:08}");
    let mut begin = SegmentMeta::begin(name, *window, 0, shared.clock.now());
    begin.level = *level;
    begin.store_key = inputs.first().map_or(0, |meta| meta.store_key);
    begin.sequence = inputs.iter().map(|meta| meta.sequence).max().unwrap_or(0);
    begin.purged = sequence;
    begin.flushed_ms = inputs
        .iter()
        .map(|meta| meta.flushed_ms)
        .min()
        .unwrap_or(begin.flushed_ms);
    begin.kind = inputs.first().map_or(SegmentKind::Samples, |meta| meta.kind);
    let begun = begin.clone();
    let mut output = Output::new(
        &shared.vfs,
        begin,
        budget(shared),
        shared.options.segment_rows_max,
    );
    let written = match begun.kind {
        SegmentKind::Histograms => write_lane::<Histogram>(shared, job, tombstones, &begun),
        SegmentKind::Exemplars => write_lane::<Exemplar>(shared, job, tombstones, &begun),
        // Rollups are not merged: the plan is asked for what was written only.
        SegmentKind::Samples | SegmentKind::FiveMinutes | SegmentKind::OneHour => {
            write(shared, job, tombstones, &mut output)
        }
    };
    let opened = written.and_then(|outputs| {
        let opened = open(shared, &outputs)?;
        Ok((outputs, opened))
    });
    let (outputs, opened) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            output.abandon();
            if begun.kind != SegmentKind::Samples {
                files::remove(&shared.vfs, begun.paths());
            }
            return Err(error);
        }
    };
    let done = Compaction::of(reason.as_str(), inputs, &outputs);
    install(shared, inputs, &[], &outputs, opened)?;
    tracing::debug!(?done, "merged segments");
    Ok(done)
}

/// Writes the result.
fn write(
    shared: &Shared,
    job: &Job,
    tombstones: &Tombstones,
    output: &mut Output,
) -> Result<Vec<SegmentMeta>> {
    let sources = open_sources(&shared.vfs, &job.inputs, tombstones)?;
    let now = shared.clock.now();
    merge(
        sources,
        &|labels| shared.retention.oldest_of(labels, SegmentKind::Samples, now).0,
        &mut |id, labels, ts, values| output.push(id, labels, ts, values),
        &|| is_stopping(shared),
    )?;
    output.finish()
}

/// The same for histograms or exemplars: they are fewer, and go into one file.
fn write_lane<V: Lane>(
    shared: &Shared,
    job: &Job,
    tombstones: &Tombstones,
    begin: &SegmentMeta,
) -> Result<Vec<SegmentMeta>> {
    let now = shared.clock.now();
    let output = lanes::merge::<V>(
        &shared.vfs,
        &job.inputs,
        begin.clone(),
        tombstones,
        &|labels| shared.retention.oldest_of(labels, V::KIND, now).0,
        &|| is_stopping(shared),
    )?;
    Ok(output.into_iter().collect())
}

/// Makes the names of finished segments durable and opens them.
pub(crate) fn open(shared: &Shared, outputs: &[SegmentMeta]) -> Result<Vec<Arc<Segment>>> {
    shared
        .vfs
        .sync_dir(SEGMENTS)
        .map_err(EngineError::io("sync", SEGMENTS))?;
    let opened = outputs
        .iter()
        .map(|meta| Segment::open(&shared.vfs, meta.clone()));
    opened.map(|segment| segment.map(Arc::new)).collect()
}

/// Puts the result in the place of the inputs: in the manifest, then for readers, then on disk. `sources` are segments that
/// were read for it and stay.
pub(crate) fn install(
    shared: &Shared,
    inputs: &[SegmentMeta],
    sources: &[SegmentMeta],
    outputs: &[SegmentMeta],
    opened: Vec<Arc<Segment>>,
) -> Result<()> {
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    let mut version = files.version.clone();
    version.segments.retain(|meta| !inputs.contains(meta));
    if version.segments.len() + inputs.len() != files.version.segments.len() {
        // Retention has dropped some of them meanwhile; what is left is merged another time.
        files::remove(&shared.vfs, outputs.iter().flat_map(SegmentMeta::paths));
        return Ok(());
    }
    version.segments.extend_from_slice(outputs);
    let tombstones = {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        state.tombstones.after(inputs, sources, outputs)
    };
    version.tombstones = tombstones.to_stored();
    files.save(&shared.vfs, version, outputs)?;
    {
        let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let kept = state.segments.iter().filter(|s| !inputs.contains(&s.meta));
        state.segments = Arc::new(kept.cloned().chain(opened).collect());
        state.tombstones = Arc::new(tombstones);
    }
    files::remove(&shared.vfs, inputs.iter().flat_map(SegmentMeta::paths));
    Ok(())
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::Window => "window",
            Self::Day => "day",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }
}

//! One merge, from the plan to the manifest.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use barograph_model::{Exemplar, Histogram, MemoryReservation, MemoryShare};

use super::budget::Budget;
use super::merge::{Source, merge};
use super::output::Output;
use super::plan::{Job, Reason, next_job};
use super::survey::Survey;
use crate::engine::Shared;
use crate::files::{self, SEGMENTS};
use crate::lanes::{self, Lane};
use crate::segment::{Segment, SegmentKind, SegmentMeta};
use crate::tombstone::Tombstones;
use crate::{EngineError, Result};

/// What one merge did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction {
    /// Why: `tier`, `window`, `day`, `expired` or `deleted`.
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

/// A merge on its way: what it started from.
struct Started {
    job: Job,
    tombstones: Arc<Tombstones>,
    /// the number of its files, and of the newest delete it carries out
    sequence: u64,
}

/// Does the next merge that is due; `None` when none is.
pub(crate) fn compact_once(shared: &Shared) -> Result<Option<Compaction>> {
    let mut survey = shared.compacting.lock().unwrap_or_else(PoisonError::into_inner);
    if is_stopping(shared) {
        return Err(EngineError::Closing);
    }
    let Some(started) = start(shared, &mut survey) else {
        return Ok(None);
    };
    let begun_ns = shared.clock.monotonic_ns();
    let result = run(shared, &started);
    let counters = &shared.counters.compaction;
    let ns = shared.clock.monotonic_ns().saturating_sub(begun_ns);
    counters.ns.fetch_add(ns, Ordering::Relaxed);
    match &result {
        Ok(done) => counters.add(done),
        Err(EngineError::Closing) => {}
        Err(error) => {
            counters.failures.fetch_add(1, Ordering::Relaxed);
            set_aside(shared, &mut survey, &started.job.inputs, error);
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

fn is_stopping(shared: &Shared) -> bool {
    shared.counters.closing.load(Ordering::SeqCst)
}

/// Plans, and takes a number. Whatever delete has a lower number is in `tombstones`, because both are read under the
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
    let job = SegmentKind::ALL.into_iter().find_map(|kind| {
        let of_kind: Vec<_> = surveyed.iter().filter(|s| s.meta.kind == kind).cloned().collect();
        next_job(&of_kind, now, budget.inputs_max)
    })?;
    Some(Started {
        job,
        tombstones,
        sequence: files.next_sequence(),
    })
}

fn budget(shared: &Shared) -> Budget {
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

fn run(shared: &Shared, started: &Started) -> Result<Compaction> {
    // Kept free for it, so it is only said and not asked for.
    let mut held = MemoryReservation::empty(&shared.options.memory, MemoryShare::Compaction);
    held.grow(shared.options.compaction_memory_bytes);
    let Job {
        reason,
        inputs,
        window,
        level,
    } = &started.job;
    let name = format!("{SEGMENTS}/{window}-{:08}", started.sequence);
    let mut begin = SegmentMeta::begin(name, *window, 0, shared.clock.now());
    begin.level = *level;
    begin.store_key = inputs.first().map_or(0, |meta| meta.store_key);
    begin.sequence = inputs.iter().map(|meta| meta.sequence).max().unwrap_or(0);
    begin.purged = started.sequence;
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
        SegmentKind::Samples => write(shared, started, &mut output),
        SegmentKind::Histograms => write_lane::<Histogram>(shared, started, &begun),
        SegmentKind::Exemplars => write_lane::<Exemplar>(shared, started, &begun),
    };
    let (outputs, opened) = match written {
        Ok(written) => written,
        Err(error) => {
            output.abandon();
            if begun.kind != SegmentKind::Samples {
                files::remove(&shared.vfs, begun.paths());
            }
            return Err(error);
        }
    };
    let done = Compaction {
        reason: reason.as_str(),
        segments_in: inputs.len(),
        segments_out: outputs.len(),
        rows_in: inputs.iter().map(|meta| meta.rows).sum(),
        rows_out: outputs.iter().map(|meta| meta.rows).sum(),
        bytes_in: inputs.iter().map(SegmentMeta::bytes).sum(),
        bytes_out: outputs.iter().map(SegmentMeta::bytes).sum(),
    };
    install(shared, inputs, &outputs, opened)?;
    tracing::debug!(?done, "merged segments");
    Ok(done)
}

/// Writes the result, makes files and names durable, and opens it.
fn write(
    shared: &Shared,
    started: &Started,
    output: &mut Output,
) -> Result<(Vec<SegmentMeta>, Vec<Arc<Segment>>)> {
    let mut ages: Vec<Vec<SegmentMeta>> = Vec::new();
    for input in &started.job.inputs {
        match ages.last_mut().filter(|age| age[0].sequence == input.sequence) {
            Some(age) => age.push(input.clone()),
            None => ages.push(vec![input.clone()]),
        }
    }
    let mut sources = Vec::with_capacity(ages.len());
    for age in ages {
        sources.extend(Source::open(&shared.vfs, age, &started.tombstones)?);
    }
    let now = shared.clock.now();
    let oldest = |labels: &_| shared.retention.oldest_of(labels, now).0;
    merge(sources, &oldest, output, &|| is_stopping(shared))?;
    open(shared, output.finish()?)
}

/// The same for histograms or exemplars: they are fewer, and go into one file.
fn write_lane<V: Lane>(
    shared: &Shared,
    started: &Started,
    begin: &SegmentMeta,
) -> Result<(Vec<SegmentMeta>, Vec<Arc<Segment>>)> {
    let now = shared.clock.now();
    let output = lanes::merge::<V>(
        &shared.vfs,
        &started.job.inputs,
        begin.clone(),
        &started.tombstones,
        &|labels| shared.retention.oldest_of(labels, now).0,
        &|| is_stopping(shared),
    )?;
    open(shared, output.into_iter().collect())
}

/// Makes the names of finished segments durable and opens them.
fn open(shared: &Shared, outputs: Vec<SegmentMeta>) -> Result<(Vec<SegmentMeta>, Vec<Arc<Segment>>)> {
    shared
        .vfs
        .sync_dir(SEGMENTS)
        .map_err(EngineError::io("sync", SEGMENTS))?;
    let mut opened = Vec::with_capacity(outputs.len());
    for meta in &outputs {
        opened.push(Arc::new(Segment::open(&shared.vfs, meta.clone())?));
    }
    Ok((outputs, opened))
}

/// Puts the result in the place of the inputs: in the manifest, then for readers, then on disk.
fn install(
    shared: &Shared,
    inputs: &[SegmentMeta],
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
        state.tombstones.after(inputs, outputs)
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

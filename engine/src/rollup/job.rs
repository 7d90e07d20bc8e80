//! The rollups of one day, from the plan to the manifest.

use barograph_model::{MemoryReservation, MemoryShare};

use super::RollupWidth;
use super::carried::Carried;
use super::plan::{RollupJob, RollupPlan, newest};
use super::target::{OldestOf, Shape, Target};
use crate::Result;
use crate::compaction::{self, Budget, Compaction};
use crate::engine::Shared;
use crate::files::SEGMENTS;
use crate::segment::{SegmentKind, SegmentMeta};
use crate::tombstone::Tombstones;

/// Memory for a bucket that waits in an open row group, at most, should nothing compress: five instants and the id, three
/// counts and the exponent, six numbers as integer and as double.
const ROW_BYTES: usize = 6 * 8 + 4 * 4 + 6 * 16;

/// What a job did.
pub(crate) struct RolledUp {
    pub(crate) done: Compaction,
    /// widths of which no bucket may be kept
    pub(crate) empty: Vec<RollupWidth>,
}

/// Makes what a job asks for. `tombstones` are all deletes with a number below `sequences`, which has a number for each
/// target.
///
/// # Errors
/// [`EngineError::Closing`](crate::EngineError::Closing) when the store closes meanwhile; else what a segment or the disk
/// says. The store is as it was then.
pub(crate) fn roll_up(
    shared: &Shared,
    job: &RollupJob,
    tombstones: &Tombstones,
    sequences: &[u64],
) -> Result<RolledUp> {
    // Kept free for it, so it is only said and not asked for.
    let mut held = MemoryReservation::empty(&shared.options.memory, MemoryShare::Compaction);
    held.grow(shared.options.compaction_memory_bytes);
    let now = shared.clock.now();
    let oldest = |labels: &_, kind| shared.retention.oldest_of(labels, kind, now).0;
    let rows_from = |labels: &_| match job.rows.is_empty() {
        true => i64::MAX,
        false => oldest(labels, SegmentKind::Samples),
    };
    let mut targets: Vec<Target<'_>> = Vec::with_capacity(job.targets.len());
    for (plan, sequence) in job.targets.iter().zip(sequences) {
        let carried = Carried::open(&shared.vfs, plan.width, &plan.carried, tombstones)?;
        let kept_from: Box<OldestOf<'_>> = Box::new(move |labels| oldest(labels, plan.width.kind()));
        let shape = Shape {
            begin: begin(shared, job, plan, *sequence),
            budget: budget(shared, job.targets.len()),
            rows_max: shared.options.segment_rows_max,
        };
        targets.push(Target::new(
            &shared.vfs,
            plan.width,
            carried,
            &rows_from,
            kept_from,
            shape,
        ));
    }
    let (outputs, empty) = match write(shared, job, tombstones, &mut targets) {
        Ok(written) => written,
        Err(error) => {
            targets.into_iter().for_each(Target::abandon);
            return Err(error);
        }
    };
    let opened = match compaction::open(shared, &outputs) {
        Ok(opened) => opened,
        Err(error) => {
            targets.into_iter().for_each(Target::abandon);
            return Err(error);
        }
    };
    let of_targets = |of: fn(&RollupPlan) -> &Vec<SegmentMeta>| -> Vec<SegmentMeta> {
        job.targets.iter().flat_map(of).cloned().collect()
    };
    let read: Vec<_> = job
        .rows
        .iter()
        .cloned()
        .chain(of_targets(|t| &t.carried))
        .collect();
    let done = Compaction::of("rollup", &read, &outputs);
    compaction::install(shared, &of_targets(|t| &t.replaced), &job.rows, &outputs, opened)?;
    tracing::debug!(?done, day = job.day, "made rollups");
    Ok(RolledUp { done, empty })
}

/// Reads the rows once and writes all targets; gives their segments, and the widths that have none.
fn write(
    shared: &Shared,
    job: &RollupJob,
    tombstones: &Tombstones,
    targets: &mut [Target<'_>],
) -> Result<(Vec<SegmentMeta>, Vec<RollupWidth>)> {
    let now = shared.clock.now();
    let sources = compaction::open_sources(&shared.vfs, &job.rows, tombstones)?;
    compaction::merge(
        sources,
        &|labels| shared.retention.oldest_of(labels, SegmentKind::Samples, now).0,
        &mut |id, labels, ts, values| {
            targets
                .iter_mut()
                .try_for_each(|target| target.push(id, labels, ts, values))
        },
        &|| compaction::is_stopping(shared),
    )?;
    let (mut outputs, mut empty) = (Vec::new(), Vec::new());
    for (target, plan) in targets.iter_mut().zip(&job.targets) {
        let written = target.finish(&|| compaction::is_stopping(shared))?;
        if written.is_empty() {
            empty.push(plan.width);
        }
        outputs.extend(written);
    }
    Ok((outputs, empty))
}

/// What the files of a rollup have in common.
fn begin(shared: &Shared, job: &RollupJob, plan: &RollupPlan, sequence: u64) -> SegmentMeta {
    let name = format!("{SEGMENTS}/{}-{sequence:08}", job.day);
    let now = shared.clock.now();
    let read = || job.rows.iter().chain(&plan.carried);
    let mut meta = SegmentMeta::begin(name, job.day, 0, now);
    meta.kind = plan.width.kind();
    meta.level = 2;
    meta.sequence = newest(&job.rows).0.max(newest(&plan.carried).0);
    meta.purged = sequence;
    meta.store_key = read().next().map_or(0, |meta| meta.store_key);
    meta
}

/// The share of one of so many targets.
fn budget(shared: &Shared, targets: usize) -> Budget {
    compaction::budget(shared).shared_by(targets, ROW_BYTES)
}

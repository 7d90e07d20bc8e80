//! Which rollup to make next: a pure function of what there is and what time it is.
//!
//! A day has a rollup of each width as soon as its windows are merged into one file. It is made anew when
//! 1. it is behind that file: late samples were merged into it, or it was written anew and deletes with it;
//! 2. a delete hides some of it, which waits as it does for a segment of rows;
//! 3. an eighth of it may not be kept any longer.
//!
//! All widths of a day that are due are made together, so that its rows are read once.

use std::collections::{BTreeMap, BTreeSet};

use barograph_model::TimestampMs;

use super::{RollupOptions, RollupWidth};
use crate::compaction::Surveyed;
use crate::segment::{SegmentKind, SegmentMeta};

/// One job: the rollups of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RollupJob {
    /// Start of the day.
    pub(crate) day: i64,
    /// The segments of its rows, oldest first; none when these are not kept any more.
    pub(crate) rows: Vec<SegmentMeta>,
    /// What to make of them, at least one.
    pub(crate) targets: Vec<RollupPlan>,
}

/// One of the rollups of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RollupPlan {
    pub(crate) width: RollupWidth,
    /// The rollup that is there, from which buckets of rows that are gone are carried over.
    pub(crate) carried: Vec<SegmentMeta>,
    /// All segments that the new one takes the place of.
    pub(crate) replaced: Vec<SegmentMeta>,
}

/// Days of whose rows no bucket is kept: without it they would be read again and again. Forgotten with the process.
#[derive(Debug, Default)]
pub(crate) struct NothingLeft(BTreeSet<(i64, RollupWidth, u64)>);

impl NothingLeft {
    /// Notes that a job has left a width without buckets.
    pub(crate) fn enter(&mut self, job: &RollupJob, width: RollupWidth) {
        self.0.insert((job.day, width, newest(&job.rows).0));
    }

    fn holds(&self, day: i64, width: RollupWidth, sequence: u64) -> bool {
        self.0.contains(&(day, width, sequence))
    }
}

/// What there is of a day.
#[derive(Debug, Default)]
struct Day<'a> {
    rows: Vec<&'a Surveyed>,
    rollups: BTreeMap<RollupWidth, Vec<&'a Surveyed>>,
}

/// The next job, if any is due.
pub(crate) fn next_rollup(
    segments: &[Surveyed],
    options: &RollupOptions,
    nothing_left: &NothingLeft,
    now: TimestampMs,
) -> Option<RollupJob> {
    let mut days: BTreeMap<i64, Day<'_>> = BTreeMap::new();
    for segment in segments {
        let day = || segment.meta.window;
        match segment.meta.kind {
            SegmentKind::Samples if segment.meta.level >= 2 => {
                days.entry(day()).or_default().rows.push(segment);
            }
            kind => {
                if let Some(width) = kind.width() {
                    let of_width = &mut days.entry(day()).or_default().rollups;
                    of_width.entry(width).or_default().push(segment);
                }
            }
        }
    }
    for (start, day) in days {
        let mut rows: Vec<SegmentMeta> = day.rows.iter().map(|s| s.meta.clone()).collect();
        rows.sort_by(|a, b| (a.sequence, &a.name).cmp(&(b.sequence, &b.name)));
        if day.rows.iter().any(|s| s.is_damaged) {
            continue;
        }
        let due = options.widths().filter_map(|width| {
            let there = day.rollups.get(&width).map_or(&[][..], Vec::as_slice);
            let has_nothing = nothing_left.holds(start, width, newest(&rows).0);
            (!has_nothing).then(|| target(width, there, &rows, now)).flatten()
        });
        let targets: Vec<RollupPlan> = due.collect();
        if !targets.is_empty() {
            return Some(RollupJob {
                day: start,
                rows,
                targets,
            });
        }
    }
    None
}

/// What to do about one width of a day, if anything.
fn target(
    width: RollupWidth,
    there: &[&Surveyed],
    rows: &[SegmentMeta],
    now: TimestampMs,
) -> Option<RollupPlan> {
    if there.iter().any(|s| s.is_damaged) {
        return None;
    }
    let all: Vec<SegmentMeta> = there.iter().map(|s| s.meta.clone()).collect();
    let age = all.iter().map(age).max();
    let (carried, leftovers): (Vec<_>, Vec<_>) =
        all.iter().cloned().partition(|meta| Some(self::age(meta)) == age);
    let is_behind = match age {
        _ if rows.is_empty() => false,
        None => true,
        Some(age) => is_behind(age, newest(rows)),
    };
    let is_due =
        is_behind || !leftovers.is_empty() || there.iter().any(|s| s.is_delete_due(now) || s.is_expired());
    is_due.then_some(RollupPlan {
        width,
        carried,
        replaced: all,
    })
}

/// Which rows a rollup is made of, and which deletes are carried out in it.
pub(crate) fn age(meta: &SegmentMeta) -> (u64, u64) {
    (meta.sequence, meta.purged)
}

/// Whether a rollup of one age does not know all of what a segment of another age is.
pub(crate) fn is_behind(rollup: (u64, u64), rows: (u64, u64)) -> bool {
    rollup.0 < rows.0 || rollup.1 < rows.1
}

/// The highest numbers of some segments.
pub(crate) fn newest(segments: &[SegmentMeta]) -> (u64, u64) {
    let sequence = segments.iter().map(|meta| meta.sequence).max();
    let purged = segments.iter().map(|meta| meta.purged).max();
    (sequence.unwrap_or(0), purged.unwrap_or(0))
}

#[cfg(test)]
mod tests;

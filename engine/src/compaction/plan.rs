//! Which segments to merge next: a pure function of what there is and what time it is.
//!
//! ```text
//! level 0   flushes, and merges of a few of them        several of a window, newer over older
//! level 1   all of a two-hour window, once it has ended  one of a window, or several without a common series
//! level 2   all of a UTC day, once it has ended          likewise of a day
//! ```
//!
//! Rules, the first that gives a job counts:
//! 1. In a window, four or more neighbours in age of about one size become one: so a row is rewritten about once for
//!    each fourfold growth of its file, however many flushes a window sees.
//! 2. A window that has ended becomes level 1.
//! 3. A day that has ended becomes level 2. This and rule 2 wait for late samples to be many or old when there is a
//!    merged file already.
//! 4. A segment of which an eighth may not be kept any longer is written anew without it.
//! 5. A segment in which a delete hides something is written anew an hour later, or when a hundred of them do, if
//!    nothing else has merged it.
//!
//! Invariant: the inputs of a merge are neighbours in age among all segments that overlap them. The result has the age
//! of the newest input, so nothing that was newer than a row becomes older than it, and the other way round. The files
//! into which one merge was split share their age and are never taken apart.

use std::collections::BTreeMap;

use barograph_model::TimestampMs;

use crate::memtable::WINDOW_MS;
use crate::segment::{DAY_MS, SegmentMeta};

/// Segments of one size that rule 1 waits for.
const TIER_FILES: usize = 4;

/// How long after its end a window still gets ordinary samples, and a day merges of its windows.
const WINDOW_CLOSE_MS: i64 = 10 * 60_000;
const DAY_CLOSE_MS: i64 = 60 * 60_000;

/// Late samples are many when they are this part of what is merged already.
const LATE_PART: u64 = 8;

/// Late samples are old when they were flushed so long ago.
const LATE_WINDOW_MS: i64 = 60 * 60_000;
const LATE_DAY_MS: i64 = DAY_MS;

/// A segment is written anew when this part of its rows may not be kept any longer.
const EXPIRED_PART: u64 = 8;

/// How long a delete waits for an ordinary merge, so that many deletes are carried out together; and how many do.
const DELETE_WAIT_MS: i64 = 60 * 60_000;
const DELETES_WAITING: usize = 100;

/// A segment and what a look at its series has found.
#[derive(Debug, Clone)]
pub(crate) struct Surveyed {
    pub(crate) meta: SegmentMeta,
    /// Rows that may not be kept any longer.
    pub(crate) expired_rows: u64,
    /// How many deletes hide something in it.
    pub(crate) deletes: usize,
    /// When the first of them was asked for.
    pub(crate) delete_asked_ms: Option<i64>,
    /// A merge has found it damaged: it and what overlaps it is left alone until a start sets it aside.
    pub(crate) is_damaged: bool,
}

impl Surveyed {
    /// Whether so much may not be kept any longer that it is worth writing it anew.
    pub(crate) fn is_expired(&self) -> bool {
        self.expired_rows > 0 && self.expired_rows >= self.meta.rows.div_ceil(EXPIRED_PART)
    }

    /// Whether deletes have waited for long enough, or are many.
    pub(crate) fn is_delete_due(&self, now: TimestampMs) -> bool {
        let waited = |asked: i64| now.0.saturating_sub(asked) >= DELETE_WAIT_MS;
        self.deletes >= DELETES_WAITING || self.delete_asked_ms.is_some_and(waited)
    }
}

/// Why segments are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Several of about one size.
    Tier,
    /// A window has ended, or late samples came.
    Window,
    /// A day has ended, or late samples came.
    Day,
    /// Many rows may not be kept any longer.
    Expired,
    /// Deletes hide rows.
    Deleted,
}

/// One merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) reason: Reason,
    /// Oldest first.
    pub(crate) inputs: Vec<SegmentMeta>,
    /// Start of the window or day.
    pub(crate) window: i64,
    /// The level of the result.
    pub(crate) level: u8,
}

/// The files of one age: they share no series, so a merge reads them one after the other, like one file.
#[derive(Debug)]
struct Generation<'a> {
    files: Vec<&'a Surveyed>,
    sequence: u64,
    level: u8,
    rows: u64,
    flushed_ms: i64,
}

/// One day's segments by age: those of level 2, and those of each window.
#[derive(Debug, Default)]
struct Day<'a> {
    merged: Vec<Generation<'a>>,
    windows: BTreeMap<i64, Vec<Generation<'a>>>,
    is_damaged: bool,
}

/// The next merge, if any is due. `inputs_max` is how many files of different age one merge may read at once: at
/// least 13, a day's windows and its merged file.
pub(crate) fn next_job(segments: &[Surveyed], now: TimestampMs, inputs_max: usize) -> Option<Job> {
    let now = now.0;
    let days = by_day(segments);
    let sound = || {
        days.iter()
            .filter(|(_, day)| !day.is_damaged)
            .map(|(start, day)| (*start, day))
    };
    let waits_for_day = |start: i64, day: &Day<'_>| {
        is_day_over(start, now) && day.merged.is_empty() && day.len() <= inputs_max
    };
    let open = || sound().filter(|(start, day)| !waits_for_day(*start, day));
    let windows = || open().flat_map(|(_, day)| day.windows.iter());

    let tiers = windows().filter_map(|(window, ages)| Some((*window, tier(ages, inputs_max)?)));
    if let Some((window, run)) = tiers.max_by_key(|(_, run)| run.len()) {
        return Some(job(Reason::Tier, run, window, 0));
    }
    let closed = open()
        .filter(|(start, _)| !is_day_over(*start, now))
        .flat_map(|(_, day)| day.windows.iter());
    for (window, ages) in closed {
        if is_window_due(*window, ages, now) {
            let (run, level) = newest(ages, inputs_max, 1);
            return Some(job(Reason::Window, run, *window, level));
        }
    }
    for (start, day) in sound().filter(|(start, day)| is_day_over(*start, now) && day.is_due(now)) {
        if day.len() <= inputs_max {
            let mut all: Vec<_> = day.merged.iter().chain(day.windows.values().flatten()).collect();
            all.sort_by_key(|age| age.sequence);
            return Some(job(Reason::Day, all, start, 2));
        }
        // Too many to read at once: fewer first, where they are most.
        let longest = day.windows.iter().max_by_key(|(_, ages)| ages.len());
        if let Some((window, ages)) = longest.filter(|(_, ages)| ages.len() > 1) {
            let (run, level) = newest(ages, inputs_max, 0);
            return Some(job(Reason::Window, run, *window, level));
        }
    }
    let mut alone = segments.iter().filter(|s| !s.is_damaged);
    let rewrite = |s: &Surveyed, reason| Job {
        reason,
        inputs: vec![s.meta.clone()],
        window: s.meta.window,
        level: s.meta.level,
    };
    if let Some(found) = alone.clone().find(|s| s.is_expired()) {
        return Some(rewrite(found, Reason::Expired));
    }
    let deleted = alone.find(|s| s.is_delete_due(TimestampMs(now)));
    deleted.map(|found| rewrite(found, Reason::Deleted))
}

fn by_day(segments: &[Surveyed]) -> BTreeMap<i64, Day<'_>> {
    let mut sorted: Vec<&Surveyed> = segments.iter().collect();
    sorted.sort_by(|a, b| (a.meta.sequence, &a.meta.name).cmp(&(b.meta.sequence, &b.meta.name)));
    let mut days: BTreeMap<i64, Day<'_>> = BTreeMap::new();
    for segment in sorted {
        let meta = &segment.meta;
        let day = days.entry(TimestampMs(meta.window).align(DAY_MS).0).or_default();
        day.is_damaged |= segment.is_damaged;
        let ages = match meta.level {
            2.. => &mut day.merged,
            _ => day.windows.entry(meta.window).or_default(),
        };
        match ages.last_mut().filter(|last| last.sequence == meta.sequence) {
            Some(last) => {
                last.files.push(segment);
                last.level = last.level.min(meta.level);
                last.rows += meta.rows;
                last.flushed_ms = last.flushed_ms.min(meta.flushed_ms);
            }
            None => ages.push(Generation {
                files: vec![segment],
                sequence: meta.sequence,
                level: meta.level,
                rows: meta.rows,
                flushed_ms: meta.flushed_ms,
            }),
        }
    }
    days
}

impl Day<'_> {
    /// Files of different age.
    fn len(&self) -> usize {
        self.merged.len() + self.windows.values().map(Vec::len).sum::<usize>()
    }

    fn is_due(&self, now: i64) -> bool {
        match self.merged.first() {
            None => !self.windows.is_empty(),
            Some(merged) => is_late_due(merged.rows, self.windows.values().flatten(), now - LATE_DAY_MS),
        }
    }
}

fn is_day_over(start: i64, now: i64) -> bool {
    now >= start.saturating_add(DAY_MS + DAY_CLOSE_MS)
}

fn is_window_due(window: i64, ages: &[Generation<'_>], now: i64) -> bool {
    let is_over = now >= window.saturating_add(WINDOW_MS + WINDOW_CLOSE_MS);
    match ages {
        [first, late @ ..] if is_over && !late.is_empty() => {
            first.level == 0 || is_late_due(first.rows, late.iter(), now - LATE_WINDOW_MS)
        }
        _ => false,
    }
}

/// Whether late samples are many, or some of them were flushed before `flushed_before_ms`.
fn is_late_due<'a>(
    rows: u64,
    late: impl Iterator<Item = &'a Generation<'a>> + Clone,
    flushed_before_ms: i64,
) -> bool {
    let late_rows: u64 = late.clone().map(|age| age.rows).sum();
    let first_flushed = late.map(|age| age.flushed_ms).min();
    late_rows >= rows.div_ceil(LATE_PART) || first_flushed.is_some_and(|ms| ms <= flushed_before_ms)
}

/// Neighbours of about one size: each is not much larger than all the newer ones of them together.
fn tier<'a, 'b>(ages: &'b [Generation<'a>], inputs_max: usize) -> Option<&'b [Generation<'a>]> {
    for end in (TIER_FILES..=ages.len()).rev() {
        let mut start = end - 1;
        let mut rows = ages[start].rows;
        while start > 0 && end - start < inputs_max && ages[start - 1].rows <= rows + rows / 4 {
            start -= 1;
            rows += ages[start].rows;
        }
        if end - start >= TIER_FILES {
            return Some(&ages[start..end]);
        }
    }
    None
}

/// All of them, which gives a result of `level`; or as many of the newest as can be read at once, which gives level 0.
fn newest<'a, 'b>(ages: &'b [Generation<'a>], inputs_max: usize, level: u8) -> (&'b [Generation<'a>], u8) {
    match ages.len() <= inputs_max {
        true => (ages, level),
        false => (&ages[ages.len() - inputs_max..], 0),
    }
}

/// The merge of some ages, which are given oldest first.
fn job<'a: 'b, 'b>(
    reason: Reason,
    ages: impl IntoIterator<Item = &'b Generation<'a>>,
    window: i64,
    level: u8,
) -> Job {
    let files = ages.into_iter().flat_map(|age| &age.files);
    Job {
        reason,
        inputs: files.map(|file| file.meta.clone()).collect(),
        window,
        level,
    }
}

#[cfg(test)]
mod tests;

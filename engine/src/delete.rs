//! Deleting samples: one edit of the manifest.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use barograph_model::{Matcher, TimeRange};

use crate::engine::Shared;
use crate::segment::Segment;
use crate::tombstone::{Search, StoredMatcher, Tombstone};
use crate::{EngineError, Result, maintenance};

/// Deletes that wait to be carried out, at most: each costs a reader of its segments a lookup for each series.
const WAITING_MAX: usize = 1_000;

/// What a delete has hidden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeleteReport {
    /// Series that may have lost samples: those that pass, in segments with samples in the range or on both sides of it.
    pub series: usize,
    /// Those segments, which merges will write anew.
    pub segments: usize,
    /// Samples of those series in those segments: no more were hidden.
    pub samples_max: u64,
}

/// Hides what was written before it: by the flush all of that is in segments, and a tombstone holds for segments with
/// a lower number. Which series that means is found in the segments' indexes, without the lock as far as possible.
pub(crate) fn delete(shared: &Shared, matchers: &[Matcher], range: TimeRange) -> Result<DeleteReport> {
    if range.is_empty() {
        return Ok(DeleteReport::default());
    }
    if shared.counters.closing.load(Ordering::SeqCst) {
        return Err(EngineError::Closing);
    }
    maintenance::flush(shared)?;
    let mut search = Search::new(vec![Tombstone {
        // Above every segment until it is known.
        sequence: u64::MAX,
        matchers: matchers.iter().map(StoredMatcher::from).collect(),
        start: range.start.0,
        end: range.end.0,
        asked_ms: shared.clock.now().0,
    }])?;
    let before = segments(shared);
    for segment in before.iter() {
        search.look_into(segment)?;
    }
    let seen: BTreeSet<&str> = before.iter().map(|segment| segment.meta.name.as_str()).collect();
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    // What flushes and merges have written meanwhile. A write that was flushed while the delete was at work is hidden,
    // one that is still in memory is not: either may be, since neither came after the other.
    let current = segments(shared);
    for segment in current.iter().filter(|s| !seen.contains(s.meta.name.as_str())) {
        search.look_into(segment)?;
    }
    let sequence = files.next_sequence();
    search.settle(sequence, &current);
    let samples_max = search.rows_max();
    let added = search.finish();
    let Some(active) = added.first() else {
        return Ok(DeleteReport::default());
    };
    let report = DeleteReport {
        series: active.series_len(),
        segments: active.segments_len(),
        samples_max,
    };
    let waiting = {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.tombstones)
    };
    if waiting.len() >= WAITING_MAX {
        let what = format!(
            "{} deletes wait to be carried out by merges, the limit is {WAITING_MAX}",
            waiting.len()
        );
        return Err(EngineError::Overloaded { what });
    }
    let tombstones = waiting.with(added);
    let mut version = files.version.clone();
    version.tombstones = tombstones.to_stored();
    files.save(&shared.vfs, version, &[])?;
    let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
    state.tombstones = Arc::new(tombstones);
    Ok(report)
}

fn segments(shared: &Shared) -> Arc<Vec<Arc<Segment>>> {
    let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(&state.segments)
}

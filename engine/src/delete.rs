//! Deleting samples: one edit of the manifest.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use barograph_model::{Matcher, TimeRange};

use crate::engine::Shared;
use crate::segment::SegmentMeta;
use crate::tombstone::{Search, StoredMatcher, Tombstone};
use crate::{EngineError, Result, maintenance};

/// Deletes that wait to be carried out, at most: each costs a reader of its segments a lookup for each series.
const WAITING_MAX: usize = 10_000;

/// What a delete has hidden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeleteReport {
    /// Series that have lost samples, or may have: those with samples on both sides of the range count too.
    pub series: usize,
    /// Segments that have such series, which merges will write anew.
    pub segments: usize,
    /// Samples that were hidden, at most.
    pub samples_max: u64,
}

/// Hides what was written before it: by the flush all of that is in segments, and a tombstone holds for segments with
/// a lower number. Which series that means is found in the series files, without the lock as far as possible.
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
    let segments = {
        let files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.version.segments.clone()
    };
    for segment in &segments {
        look_into(shared, &mut search, segment)?;
    }
    let seen: BTreeSet<&str> = segments.iter().map(|meta| meta.name.as_str()).collect();
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    // What flushes and merges have written meanwhile. A write that was flushed while the delete was at work is hidden,
    // one that is still in memory is not: either may be, since neither came after the other.
    for segment in files
        .version
        .segments
        .iter()
        .filter(|meta| !seen.contains(meta.name.as_str()))
    {
        look_into(shared, &mut search, segment)?;
    }
    let sequence = files.next_sequence();
    search.settle(sequence, &files.version.segments);
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
    let before = {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.tombstones)
    };
    if before.len() >= WAITING_MAX {
        let what = format!(
            "{} deletes wait to be carried out by merges, the limit is {WAITING_MAX}",
            before.len()
        );
        return Err(EngineError::Overloaded { what });
    }
    let tombstones = before.with(added);
    let mut version = files.version.clone();
    version.tombstones = tombstones.to_stored();
    files.save(&shared.vfs, version, &[])?;
    let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
    state.tombstones = Arc::new(tombstones);
    Ok(report)
}

fn look_into(shared: &Shared, search: &mut Search, segment: &SegmentMeta) -> Result<()> {
    match search.look_into(&shared.vfs, segment) {
        // A merge or the retention has removed it since the list was taken; what replaced it is looked into later.
        Err(EngineError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

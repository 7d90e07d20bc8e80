//! Keeps what is in memory sorted, beside the thread that commits.
//!
//! Committed batches lie in memory as they came. When many of a window do, they are sorted into a run, and short runs
//! are merged into a long one: readers pay for every piece, at each query. Neither is in the way of an
//! acknowledgement, as long as this thread keeps up; where it does not, commits wait for it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::engine::Shared;
use crate::memtable::Run;

/// How often the memtable is looked at when nobody asks.
const PERIOD: Duration = Duration::from_secs(1);

/// Sorts until the store closes.
pub(crate) fn sort_loop(shared: &Shared) {
    while !shared.counters.closing.load(Ordering::SeqCst) {
        sort(shared);
        shared.sort_wake.wait(PERIOD);
    }
}

/// After a commit: wakes the sorting thread where there is something for it, and where it is far behind waits until it has
/// caught up.
pub(crate) fn keep_sorted(shared: &Shared) {
    let lag = {
        let state = shared.state.read().unwrap_or_else(PoisonError::into_inner);
        state.memtable.sort_lag()
    };
    if lag >= 1 {
        shared.sort_wake.notify();
    }
    if lag >= LAG_MAX {
        sort(shared);
    }
}

/// So many times the rows that are worth sorting may lie unsorted.
const LAG_MAX: usize = 4;

/// Sorts and merges on the calling thread, without the lock that readers and decoding threads need.
pub(crate) fn sort(shared: &Shared) {
    let _one_at_a_time = shared.sorting.lock().unwrap_or_else(PoisonError::into_inner);
    let read = || shared.state.read().unwrap_or_else(PoisonError::into_inner);
    let write = || shared.state.write().unwrap_or_else(PoisonError::into_inner);
    let unsorted = read().memtable.unsorted();
    if unsorted.is_empty() {
        return;
    }
    for (window, chunks) in unsorted {
        let run = Arc::new(Run::from_chunks(&chunks));
        write().memtable.put_run(window, &chunks, run);
    }
    let fragmented = read().memtable.fragmented();
    for (window, runs) in fragmented {
        let merged = Arc::new(Run::merged(&runs));
        write().memtable.put_merged(window, &runs, merged);
    }
    shared.account_memory();
}

//! The thread that merges.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::compact_once;
use crate::EngineError;
use crate::engine::Shared;

/// How often it looks for something to do when no flush asks: windows end and samples expire without one.
const PERIOD: Duration = Duration::from_secs(30);

/// How long it waits after a failure, doubled with each further one.
const RETRY: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(600);

/// Merges while something is due, until the store closes.
pub(crate) fn compaction_loop(shared: &Shared) {
    let mut failures = 0u32;
    while !shared.counters.closing.load(Ordering::SeqCst) {
        match compact_once(shared) {
            Ok(Some(_)) => failures = 0,
            Ok(None) => {
                failures = 0;
                shared.compaction_wake.wait(PERIOD);
            }
            Err(EngineError::Closing) => return,
            Err(error) => {
                let pause = RETRY.saturating_mul(1 << failures.min(10)).min(RETRY_MAX);
                failures = failures.saturating_add(1);
                tracing::warn!(%error, ?pause, "a merge of segments failed: they stay as they are, and it is tried again");
                pause_for(shared, pause);
            }
        }
    }
}

/// Waits, whatever flushes there are meanwhile.
fn pause_for(shared: &Shared, pause: Duration) {
    let pause_ns = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
    let until_ns = shared.clock.monotonic_ns().saturating_add(pause_ns);
    loop {
        let left_ns = until_ns.saturating_sub(shared.clock.monotonic_ns());
        if left_ns == 0 || shared.counters.closing.load(Ordering::SeqCst) {
            return;
        }
        shared.compaction_wake.wait(Duration::from_nanos(left_ns));
    }
}

//! So many things a second, with a burst: a token bucket that may go into debt.

use std::sync::{Mutex, PoisonError};

/// Fills at a steady rate up to a burst. Whoever finds anything in it may take as much as they have, so that a request
/// larger than the burst passes too; what is owed then keeps the next ones waiting until the rate has made up for it.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    burst: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    filled_ns: u64,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(per_second: f64, burst: f64, now_ns: u64) -> Self {
        Self {
            per_second,
            burst,
            state: Mutex::new(State {
                tokens: burst,
                filled_ns: now_ns,
            }),
        }
    }

    /// Takes `count`, or says after how many seconds (at least 1) there will be something to take.
    pub(super) fn take(&self, count: f64, now_ns: u64) -> Result<(), u32> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_s = now_ns.saturating_sub(state.filled_ns) as f64 / 1e9;
        state.tokens = (state.tokens + passed_s * self.per_second).min(self.burst);
        state.filled_ns = state.filled_ns.max(now_ns);
        if state.tokens <= 0.0 {
            // A second at least, since senders count whole ones; at most an hour, whatever is owed.
            let wait_s = (-state.tokens / self.per_second).ceil().clamp(1.0, 3600.0);
            return Err(wait_s as u32);
        }
        state.tokens -= count;
        Ok(())
    }

    /// Whether there is something to take; as [`Bucket::take`] of nothing.
    pub(super) fn check(&self, now_ns: u64) -> Result<(), u32> {
        self.take(0.0, now_ns)
    }

    /// Puts back what was taken and not used.
    pub(super) fn put_back(&self, count: f64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tokens = (state.tokens + count).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_then_the_rate() {
        let bucket = Bucket::new(100.0, 1000.0, 0);
        assert_eq!(bucket.take(700.0, 0), Ok(()));
        assert_eq!(bucket.take(700.0, 0), Ok(()), "there was something left");
        assert_eq!(bucket.take(1.0, 0), Err(4), "400 are owed, 100 a second");
        assert_eq!(bucket.check(3 * SECOND), Err(1));
        assert_eq!(bucket.take(1.0, 4 * SECOND + 1), Ok(()));
        bucket.put_back(5000.0);
        assert_eq!(
            bucket.take(1000.0, 5 * SECOND),
            Ok(()),
            "never more than the burst"
        );
        assert_eq!(bucket.check(5 * SECOND), Err(1));
        assert_eq!(bucket.check(0), Err(1), "a clock that stands still gives nothing");
    }

    proptest! {
        #[test]
        fn never_more_than_burst_rate_and_one_request(
            asks in proptest::collection::vec((0..3000u64, 1..400u64), 1..200),
        ) {
            let bucket = Bucket::new(100.0, 500.0, 0);
            let (mut now_ms, mut taken) = (0, 0);
            for (pause_ms, count) in asks {
                now_ms += pause_ms;
                if bucket.take(count as f64, now_ms * 1_000_000).is_ok() {
                    taken += count;
                }
                prop_assert!(taken as f64 <= 500.0 + now_ms as f64 / 10.0 + 400.0 + 1e-6);
            }
        }
    }
}

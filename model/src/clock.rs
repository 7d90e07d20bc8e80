//! Where time comes from. The only file that asks the operating system.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::TimestampMs;

/// A source of wall-clock and monotonic time.
pub trait Clock: Debug + Send + Sync {
    /// Wall-clock time, UTC. May step backwards when the machine's clock is set.
    fn now(&self) -> TimestampMs;

    /// Nanoseconds from an arbitrary origin; never goes backwards.
    fn monotonic_ns(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one home of the machine's clock"
    )]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one home of the machine's clock"
    )]
    fn now(&self) -> TimestampMs {
        let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        TimestampMs(ms)
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A clock that moves only when told: for tests, simulations and back-testing.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
    origin_ms: i64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: TimestampMs) -> Self {
        Self {
            now_ms: AtomicI64::new(now.0),
            origin_ms: now.0,
        }
    }

    /// Moves the clock forward.
    pub fn advance_ms(&self, delta_ms: i64) {
        self.now_ms.fetch_add(delta_ms, Ordering::SeqCst);
    }

    /// Sets the wall clock, also backwards.
    pub fn set(&self, now: TimestampMs) {
        self.now_ms.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> TimestampMs {
        TimestampMs(self.now_ms.load(Ordering::SeqCst))
    }

    fn monotonic_ns(&self) -> u64 {
        let since_ms = self.now_ms.load(Ordering::SeqCst).saturating_sub(self.origin_ms);
        u64::try_from(since_ms).unwrap_or(0).saturating_mul(1_000_000)
    }
}

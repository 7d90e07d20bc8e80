//! Seconds between two points of a program.

use std::time::Duration;

use barograph_model::{Clock, SystemClock};

/// Runs from when it is made.
#[derive(Debug)]
pub struct Stopwatch {
    clock: SystemClock,
    started_ns: u64,
}

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        let clock = SystemClock::new();
        let started_ns = clock.monotonic_ns();
        Self { clock, started_ns }
    }

    /// What has passed since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.clock.monotonic_ns() - self.started_ns)
    }

    /// The same in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

//! The thread that walks through the watches.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use barograph_engine::{Engine, SampleColumns};
use barograph_model::{Clock, TimestampMs};

use super::Watch;

/// The longest pause between two rounds; a shorter step shortens it.
const PAUSE_MS_MAX: i64 = 15_000;
const PAUSE_MS_MIN: i64 = 1_000;

/// Samples of verdicts that wait for a store that takes none, at most.
const UNWRITTEN_MAX: usize = 4 << 20;

/// Figures about the detectors at work.
#[derive(Debug, Default)]
pub struct DetectorStats {
    /// Samples of verdicts written since the start.
    pub samples: AtomicU64,
    /// Rounds that could not read or write the store.
    pub failures: AtomicU64,
    /// Series that are followed now.
    pub series: AtomicUsize,
    /// Whether every detector has replayed its history.
    pub caught_up: AtomicBool,
}

/// What is to be run.
pub struct DetectorRunner {
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
    watches: Vec<Watch>,
    stats: Arc<DetectorStats>,
    /// verdicts that the store has not taken yet
    unwritten: SampleColumns,
}

/// A running detector thread; it ends when this is stopped or dropped.
pub struct RunnerHandle {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl DetectorRunner {
    /// Detectors over a store.
    #[must_use]
    pub fn new(
        engine: Arc<Engine>,
        clock: Arc<dyn Clock>,
        watches: Vec<Watch>,
        stats: Arc<DetectorStats>,
    ) -> Self {
        Self {
            unwritten: SampleColumns::new(&engine.head()),
            engine,
            clock,
            watches,
            stats,
        }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says when it gives no thread.
    pub fn start(mut self) -> std::io::Result<RunnerHandle> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let thread_stop = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("barograph-detect".to_owned())
            .spawn(move || {
                let shortest = self
                    .watches
                    .iter()
                    .map(Watch::step_ms)
                    .min()
                    .unwrap_or(PAUSE_MS_MAX);
                let pause_ms = (shortest / 4).clamp(PAUSE_MS_MIN, PAUSE_MS_MAX);
                loop {
                    self.round(&thread_stop.0);
                    let stopped = thread_stop.0.lock().unwrap_or_else(PoisonError::into_inner);
                    let pause = Duration::from_millis(pause_ms.unsigned_abs());
                    let waited = thread_stop
                        .1
                        .wait_timeout_while(stopped, pause, |stopped| !*stopped);
                    if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                        return;
                    }
                }
            })?;
        Ok(RunnerHandle {
            stop,
            thread: Some(thread),
        })
    }

    fn round(&mut self, stop: &Mutex<bool>) {
        let now: TimestampMs = self.clock.now();
        let mut failed = false;
        for watch in &mut self.watches {
            if *stop.lock().unwrap_or_else(PoisonError::into_inner) {
                return;
            }
            let result = watch.advance(&self.engine, now).and_then(|columns| {
                self.unwritten.extend(columns);
                let samples = self.unwritten.len();
                // The copy stays until the store has taken it: an overload must not cost verdicts.
                self.engine
                    .append_blocking(self.unwritten.clone())
                    .map(|()| samples)
            });
            match result {
                Ok(samples) => {
                    self.unwritten = SampleColumns::new(&self.engine.head());
                    self.stats.samples.fetch_add(samples as u64, Ordering::Relaxed);
                }
                Err(error) => {
                    failed = true;
                    if self.unwritten.len() > UNWRITTEN_MAX {
                        tracing::warn!(
                            samples = self.unwritten.len(),
                            "verdicts were dropped: the store takes none"
                        );
                        self.unwritten = SampleColumns::new(&self.engine.head());
                    }
                    self.stats.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(detector = watch.name(), %error, "a detector could not read or write the store");
                }
            }
        }
        self.stats.series.store(
            self.watches.iter().map(Watch::series_len).sum(),
            Ordering::Relaxed,
        );
        if !failed {
            self.stats.caught_up.store(true, Ordering::Relaxed);
        }
    }
}

impl RunnerHandle {
    /// Ends the thread after the watch it is at.
    pub fn stop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the detector thread had panicked");
        }
    }
}

impl Drop for RunnerHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

//! Counts what a query holds and has read, and refuses what is too much.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use barograph_model::{MemoryBudget, MemoryReservation, MemoryShare};

use crate::value::Vector;
use crate::{EvalOptions, Grid, QueryError, QueryStats, SelectorStats};

/// Prometheus' message for too many samples.
const TOO_MANY: &str = "query processing would load too many samples into memory in query execution";

/// The account of one query; shared by its threads.
#[derive(Debug)]
pub(crate) struct Meter {
    samples_max: u64,
    held: AtomicU64,
    peak: AtomicU64,
    total: AtomicU64,
    memory: Arc<MemoryBudget>,
    by_step: Option<Mutex<StepCounts>>,
    selectors: Mutex<Vec<SelectorStats>>,
}

/// Samples by step of the query's own grid.
#[derive(Debug)]
struct StepCounts {
    grid: Grid,
    counts: Vec<u64>,
}

/// What a result holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    meter: Arc<Meter>,
    samples: u64,
    _memory: MemoryReservation,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.meter.held.fetch_sub(self.samples, Ordering::Relaxed);
    }
}

impl Meter {
    pub(crate) fn new(options: &EvalOptions, grid: Grid) -> Arc<Self> {
        let by_step = options.per_step_stats.then(|| {
            let counts = vec![0; grid.len()];
            Mutex::new(StepCounts { grid, counts })
        });
        Arc::new(Self {
            samples_max: options.samples_max,
            held: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            total: AtomicU64::new(0),
            memory: Arc::clone(&options.memory),
            by_step,
            selectors: Mutex::new(Vec::new()),
        })
    }

    /// Counts samples as held, and draws their memory.
    ///
    /// # Errors
    /// [`QueryError::Execution`] where that is more than a query may hold, or than there is.
    pub(crate) fn hold(self: &Arc<Self>, samples: u64, bytes: usize) -> Result<Hold, QueryError> {
        let memory = self.memory.reserve(MemoryShare::Queries, bytes)?;
        let held = self.held.fetch_add(samples, Ordering::Relaxed) + samples;
        self.peak.fetch_max(held, Ordering::Relaxed);
        let hold = Hold {
            meter: Arc::clone(self),
            samples,
            _memory: memory,
        };
        if held > self.samples_max {
            return Err(QueryError::execution(TOO_MANY));
        }
        Ok(hold)
    }

    /// Draws the memory of one column before there is one: a subquery may ask for more steps than fit anywhere.
    ///
    /// # Errors
    /// As [`Meter::hold`].
    pub(crate) fn hold_steps(self: &Arc<Self>, steps: usize) -> Result<Hold, QueryError> {
        if steps as u64 > self.samples_max {
            return Err(QueryError::execution(TOO_MANY));
        }
        self.hold(0, steps.saturating_mul(size_of::<f64>()))
    }

    /// Counts a vector as held.
    ///
    /// # Errors
    /// As [`Meter::hold`].
    pub(crate) fn hold_vector(self: &Arc<Self>, vector: &Vector) -> Result<Hold, QueryError> {
        let samples = vector
            .series
            .iter()
            .map(|series| series.column.len() as u64)
            .sum();
        self.hold(samples, vector.memory_bytes())
    }

    /// Counts samples that a selector gave, in all and by step of the query's grid where that is wanted and the steps
    /// are those.
    pub(crate) fn read(&self, samples: u64, by_step: &[u64]) {
        self.total.fetch_add(samples, Ordering::Relaxed);
        let Some(counts) = &self.by_step else {
            return;
        };
        let mut counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if by_step.len() == counts.counts.len() {
            counts
                .counts
                .iter_mut()
                .zip(by_step)
                .for_each(|(sum, more)| *sum += more);
        } else if let Some(first) = counts.counts.first_mut() {
            // What is the same at every step was read once.
            *first += samples;
        }
    }

    /// Whether samples are to be counted by step.
    pub(crate) fn counts_steps(&self) -> bool {
        self.by_step.is_some()
    }

    /// Notes what a selector's scan had before it.
    pub(crate) fn note_scan(&self, stats: SelectorStats) {
        let mut selectors = self
            .selectors
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        selectors.push(stats);
    }

    /// All figures.
    pub(crate) fn stats(&self) -> QueryStats {
        let by_step = self.by_step.as_ref().map(|counts| {
            let counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            counts.grid.iter().zip(counts.counts.iter().copied()).collect()
        });
        let selectors = self
            .selectors
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        QueryStats {
            samples_total: self.total.load(Ordering::Relaxed),
            samples_by_step: by_step.unwrap_or_default(),
            samples_peak: self.peak.load(Ordering::Relaxed),
            selectors: selectors.clone(),
        }
    }
}

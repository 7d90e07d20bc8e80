//! What is asked, and within which limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use barograph_engine::RollupWidth;
use barograph_model::MemoryBudget;

use crate::syntax::Expr;
use crate::{Grid, QueryError};

/// Prometheus' `--query.lookback-delta`: how far back an instant selector looks for a sample.
pub const LOOKBACK_MS: i64 = 300_000;

/// Prometheus' `--query.max-samples`.
pub const SAMPLES_MAX: u64 = 50_000_000;

/// A question: an expression, and when it is asked.
#[derive(Debug, Clone)]
pub struct Query {
    /// The text; positions of the expression's nodes point into it.
    pub text: Arc<str>,
    /// What the text means.
    pub expr: Expr,
    /// The steps at which it is evaluated.
    pub grid: Grid,
    /// Whether a matrix is wanted, even of one step.
    pub is_range: bool,
}

/// Limits and settings of an evaluation.
#[derive(Debug, Clone)]
pub struct EvalOptions {
    /// How far back an instant selector looks, in milliseconds.
    pub lookback_ms: i64,
    /// Samples that a query may hold in memory at one time.
    pub samples_max: u64,
    /// The step of a subquery that names none, in milliseconds.
    pub subquery_step_ms: i64,
    /// The account that what a query holds is drawn from.
    pub memory: Arc<MemoryBudget>,
    /// Whether samples are counted step by step as well.
    pub per_step_stats: bool,
    /// Whether rollups may answer.
    pub rollup: RollupUse,
}

/// What rollups may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RollupUse {
    /// Nothing.
    Off,
    /// What they answer as the rows would, but for the order in which numbers are added.
    #[default]
    WhereExact,
    /// Every function that they know, with instants and windows brought to the width of this one.
    Asked(RollupWidth),
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            lookback_ms: LOOKBACK_MS,
            samples_max: SAMPLES_MAX,
            subquery_step_ms: 60_000,
            memory: Arc::new(MemoryBudget::unlimited()),
            per_step_stats: false,
            rollup: RollupUse::default(),
        }
    }
}

const RUNNING: u8 = 0;
const CANCELED: u8 = 1;
const TIMED_OUT: u8 = 2;

/// Ends a running query from outside. Clones end the same query.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Ends it because nobody waits for it any more. What was first counts.
    pub fn cancel(&self) {
        self.set(CANCELED);
    }

    /// Ends it because its time is up.
    pub fn time_out(&self) {
        self.set(TIMED_OUT);
    }

    fn set(&self, state: u8) {
        // A query that has ended for one reason does not end again for another.
        let _ = self
            .0
            .compare_exchange(RUNNING, state, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`QueryError::Canceled`] and [`QueryError::Timeout`].
    pub fn check(&self) -> Result<(), QueryError> {
        match self.0.load(Ordering::Relaxed) {
            RUNNING => Ok(()),
            CANCELED => Err(QueryError::Canceled),
            _ => Err(QueryError::Timeout),
        }
    }
}

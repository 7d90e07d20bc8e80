//! Runs queries: on threads of their own, within limits, each over one snapshot.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use barograph_engine::Snapshot;
use barograph_model::Clock;
use barograph_promql::syntax::{self, Expr, ParseError, ValueType};
use barograph_promql::{Answer, EvalOptions, Grid, Interrupt, Query, QueryError, RollupUse, evaluate};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use super::activity::{Activity, QueryObserver};
use super::queue::{FairQueue, Place};
use super::{PromqlError, PromqlLimits, QueryTimes};
use crate::sql::SnapshotSource;

/// Expressions are read, evaluated and dropped by recursion; pages of a stack that is never touched cost nothing.
const STACK_BYTES: usize = 32 << 20;

/// A question.
#[derive(Debug, Clone)]
pub struct PromqlRequest {
    /// PromQL.
    pub text: Arc<str>,
    /// The instants.
    pub grid: Grid,
    /// Whether a matrix is wanted, even of one step.
    pub is_range: bool,
    /// How far back instant selectors look, where it is not the usual time.
    pub lookback_ms: Option<i64>,
    /// How long it may take, where that is less than usual.
    pub timeout: Option<Duration>,
    /// Whether samples are counted step by step as well.
    pub per_step_stats: bool,
    /// What rollups may answer.
    pub rollup: RollupUse,
    /// Who asks; callers take turns.
    pub client: Arc<str>,
}

/// An answer, and how long it took.
#[derive(Debug)]
pub struct PromqlAnswer {
    /// The answer.
    pub answer: Answer,
    /// The type of the expression.
    pub value_type: ValueType,
    /// How long it took.
    pub times: QueryTimes,
}

/// PromQL over the store. Reads only.
pub struct PromqlEngine {
    source: Arc<dyn SnapshotSource>,
    clock: Arc<dyn Clock>,
    limits: PromqlLimits,
    queue: FairQueue,
    pool: ThreadPool,
    activity: Arc<Activity>,
}

impl fmt::Debug for PromqlEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromqlEngine")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl PromqlEngine {
    /// Starts the threads. `observer` is told of every query that has ended, on an I/O thread.
    ///
    /// # Errors
    /// [`PromqlError::Threads`].
    pub fn new(
        source: Arc<dyn SnapshotSource>,
        limits: PromqlLimits,
        clock: Arc<dyn Clock>,
        observer: Option<QueryObserver>,
    ) -> Result<Self, PromqlError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(limits.threads.max(1))
            .thread_name(|i| format!("barograph-pql{i}"))
            .stack_size(STACK_BYTES)
            .build()
            .map_err(|error| PromqlError::Threads(error.to_string()))?;
        Ok(Self {
            source,
            queue: FairQueue::new(limits.running_max, limits.waiting_max),
            activity: Activity::new(Arc::clone(&clock), observer),
            clock,
            limits,
            pool,
        })
    }

    /// The limits it runs with.
    #[must_use]
    pub fn limits(&self) -> &PromqlLimits {
        &self.limits
    }

    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// All that is stored now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.source.snapshot()
    }

    /// Answers a question. Dropping the future ends the work.
    ///
    /// # Errors
    /// All of [`PromqlError`].
    pub async fn query(&self, request: PromqlRequest) -> Result<PromqlAnswer, PromqlError> {
        let interrupt = Interrupt::default();
        let mut asked = self.activity.begin(&request, &interrupt);
        let timeout = self.timeout(request.timeout);
        let client = Arc::clone(&request.client);
        let job = self.evaluation(request, interrupt.clone());
        let mut outcome = self
            .within(timeout, &client, &interrupt, || asked.has_place(), job)
            .await
            .and_then(|found| found);
        let times = asked.end(&outcome);
        if let Ok(found) = &mut outcome {
            found.times = times;
        }
        outcome
    }

    /// Reads a text as PromQL, on a thread with the stack for it.
    ///
    /// # Errors
    /// [`PromqlError::Parse`], and those of waiting for a place.
    pub async fn parsed<T: Send + 'static>(
        &self,
        client: &Arc<str>,
        text: Arc<str>,
        then: impl FnOnce(&Expr) -> T + Send + 'static,
    ) -> Result<T, PromqlError> {
        let options = self.limits.parse.clone();
        let read = move |_: &Interrupt| {
            let expr: Result<Expr, ParseError> = syntax::parse(&text, &options);
            Ok(then(&expr?))
        };
        self.read(client, read).await
    }

    /// Does other work of a reader, such as looking for series, in the same queue and on the same threads. Long work
    /// asks the interrupt now and then whether it goes on.
    ///
    /// # Errors
    /// What the work gives, and those of waiting for a place.
    pub async fn read<T: Send + 'static>(
        &self,
        client: &Arc<str>,
        work: impl FnOnce(&Interrupt) -> Result<T, PromqlError> + Send + 'static,
    ) -> Result<T, PromqlError> {
        let interrupt = CancelOnDrop(Interrupt::default());
        let inner = interrupt.0.clone();
        self.within(
            self.limits.timeout,
            client,
            &interrupt.0,
            || {},
            move || work(&inner),
        )
        .await
        .and_then(|found| found)
    }

    fn timeout(&self, asked: Option<Duration>) -> Duration {
        asked.map_or(self.limits.timeout, |asked| asked.min(self.limits.timeout))
    }

    /// Waits for a place, works on a thread of the pool, and gives up at the deadline. The work keeps its place until it
    /// has noticed that.
    async fn within<T: Send + 'static>(
        &self,
        timeout: Duration,
        client: &Arc<str>,
        interrupt: &Interrupt,
        has_place: impl FnOnce(),
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PromqlError> {
        if timeout.is_zero() {
            // Fast work would be done before the clock is looked at.
            return Err(PromqlError::TimedOutWaiting);
        }
        let deadline = tokio::time::Instant::now() + timeout;
        let entry = self.queue.enter(client)?;
        let place = tokio::time::timeout_at(deadline, entry.place())
            .await
            .unwrap_or(Err(PromqlError::TimedOutWaiting))?;
        has_place();
        let receiver = self.start(place, job);
        match tokio::time::timeout_at(deadline, receiver).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(PromqlError::Panicked),
            Err(_) => {
                interrupt.time_out();
                Err(PromqlError::Query(QueryError::Timeout))
            }
        }
    }

    /// Starts work on the pool. A panic closes the channel.
    fn start<T: Send + 'static>(
        &self,
        place: Place,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        self.pool.spawn(move || {
            // A panic that leaves a job ends the process.
            let result = catch_unwind(AssertUnwindSafe(job));
            drop(place);
            match result {
                // The one who asked may have gone.
                Ok(result) => drop(sender.send(result)),
                Err(_) => tracing::error!("a PromQL query ended by a panic"),
            }
        });
        receiver
    }

    /// The work of a query.
    fn evaluation(
        &self,
        request: PromqlRequest,
        interrupt: Interrupt,
    ) -> impl FnOnce() -> Result<PromqlAnswer, PromqlError> + Send + 'static {
        let (source, clock) = (Arc::clone(&self.source), Arc::clone(&self.clock));
        let parse_options = self.limits.parse.clone();
        let options = EvalOptions {
            lookback_ms: request.lookback_ms.unwrap_or(self.limits.lookback_ms),
            samples_max: self.limits.samples_max,
            memory: Arc::clone(&self.limits.memory),
            per_step_stats: request.per_step_stats,
            rollup: request.rollup,
            ..EvalOptions::default()
        };
        move || {
            interrupt.check()?;
            let began = clock.monotonic_ns();
            let query = Query {
                expr: syntax::parse(&request.text, &parse_options)?,
                text: request.text,
                grid: request.grid,
                is_range: request.is_range,
            };
            let prepared = clock.monotonic_ns();
            let answer = evaluate(&source.snapshot(), &query, &options, &interrupt)?;
            let times = QueryTimes {
                prepared_ns: prepared.saturating_sub(began),
                evaluated_ns: clock.monotonic_ns().saturating_sub(prepared),
                ..QueryTimes::default()
            };
            Ok(PromqlAnswer {
                answer,
                value_type: query.expr.value_type(),
                times,
            })
        }
    }
}

/// Ends work that nobody waits for.
struct CancelOnDrop(Interrupt);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

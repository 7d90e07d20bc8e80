//! Runs queries: on threads of their own, within limits, each over one snapshot.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use barograph_engine::{Engine, Snapshot};
use barograph_model::Clock;
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use futures::StreamExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::error::{SqlError, SqlErrorCode, quoted};
use super::export::ExportFolder;
use super::gate::{Gate, Ticket};
use super::limits::SqlLimits;
use super::parameters::check_values;
use super::planner::{Planned, Planner};
use super::request::{CommandTag, Described, SqlRequest, TableDescription};
use super::statement::Command;
use super::stream::SqlStream;
use super::system_table::SystemTable;
use super::views::Views;

/// Batches that wait for a slow reader.
const BATCHES_WAITING_MAX: usize = 2;
/// Planners descend their trees by recursion; pages of a stack that is never touched cost nothing.
pub(crate) const STACK_BYTES: usize = 64 << 20;
/// How long the end of the engine waits for work that does not yield.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a query's view of the data comes from.
pub trait SnapshotSource: Send + Sync {
    /// All that is stored now.
    fn snapshot(&self) -> Snapshot;
}

impl SnapshotSource for Arc<Engine> {
    fn snapshot(&self) -> Snapshot {
        Engine::snapshot(self)
    }
}

/// SQL over the store. It reads, keeps views and exports files; see the module for what it offers.
pub struct SqlEngine {
    shared: Arc<Shared>,
    /// Present until the engine is dropped.
    runtime: Option<Runtime>,
}

struct Shared {
    planner: Planner,
    limits: SqlLimits,
    gate: Gate,
    exports: Option<ExportFolder>,
}

/// Where work runs, how it ends, and what ends it before its time.
type Supervised = (Handle, oneshot::Receiver<Result<(), SqlError>>, AbortHandle);

impl SqlEngine {
    /// Starts the threads. `clock` decides what `now()` is; `system` are tables that the server computes; `views` is where
    /// `CREATE VIEW` keeps them.
    ///
    /// # Errors
    /// `execution` where the operating system gives no threads.
    pub fn new(
        source: Arc<dyn SnapshotSource>,
        system: Vec<SystemTable>,
        views: Arc<Views>,
        limits: SqlLimits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SqlError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(limits.threads.max(1))
            .thread_name("barograph-sql")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()
            .map_err(|error| {
                SqlError::new(
                    SqlErrorCode::Execution,
                    format!("starting the threads for SQL: {error}"),
                )
            })?;
        let shared = Shared {
            gate: Gate::new(limits.running_max, limits.waiting_max),
            exports: limits.export_folder.clone().map(ExportFolder::new),
            planner: Planner::new(source, system, views, limits.clone(), clock)?,
            limits,
        };
        Ok(Self {
            shared: Arc::new(shared),
            runtime: Some(runtime),
        })
    }

    /// Plans a query and starts to run it. Rows follow in the stream; dropping either ends the work.
    ///
    /// # Errors
    /// All of [`SqlErrorCode`]; what fails later is an item of the stream.
    pub async fn query(&self, sql: &str) -> Result<SqlStream, SqlError> {
        self.run(SqlRequest::new(sql)).await
    }

    /// As [`SqlEngine::query`], with parameters and the rest of a request.
    ///
    /// # Errors
    /// All of [`SqlErrorCode`]; what fails later is an item of the stream.
    pub async fn run(&self, request: SqlRequest) -> Result<SqlStream, SqlError> {
        let ticket = self.shared.gate.enter()?;
        let (planned_sender, planned) = oneshot::channel();
        let (batch_sender, batches) = mpsc::channel(BATCHES_WAITING_MAX);
        let shared = Arc::clone(&self.shared);
        let timeout = self.shared.timeout(&request);
        let run = async move { shared.run(ticket, &request, planned_sender, batch_sender).await };
        let (runtime, outcome, abort) = self.supervise(timeout, run)?;
        // Until the stream exists this guard ends the work when the caller goes away.
        let guard = SqlStream::new(Arc::new(Schema::empty()), batches, outcome, abort, runtime);
        match planned.await {
            Ok((schema, tag)) => Ok(guard.with_schema(schema, tag)),
            // The work ended before it had a schema: the reason is its outcome.
            Err(_) => match guard.collect_batches().await {
                Err(error) => Err(error),
                Ok(_) => Err(SqlError::from_panic()),
            },
        }
    }

    /// Plans a request without running it, and tells what it would give. Parameters need no values.
    ///
    /// # Errors
    /// As [`SqlEngine::run`].
    pub async fn describe(&self, request: SqlRequest) -> Result<Described, SqlError> {
        let shared = Arc::clone(&self.shared);
        let timeout = self.shared.timeout(&request);
        let describe = async move { shared.planner.plan(&request).await?.describe() };
        self.answer(timeout, describe).await
    }

    /// All tables and views with their columns, at most a second old.
    ///
    /// # Errors
    /// `overloaded`, `timeout`, and what the store says.
    pub async fn tables(&self) -> Result<Vec<TableDescription>, SqlError> {
        let shared = Arc::clone(&self.shared);
        let list = async move { shared.planner.tables().await };
        self.answer(self.shared.limits.timeout, list).await
    }

    /// Waits for a free place and for what is computed there.
    async fn answer<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl Future<Output = Result<T, SqlError>> + Send + 'static,
    ) -> Result<T, SqlError> {
        let ticket = self.shared.gate.enter()?;
        let (sender, answer) = oneshot::channel();
        let work = async move {
            let _place = ticket.wait().await?;
            // The one who asked may have stopped waiting.
            let _ = sender.send(work.await?);
            Ok(())
        };
        let (_, outcome, abort) = self.supervise(timeout, work)?;
        let _guard = AbortOnDrop(abort);
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(outcome
                .await
                .unwrap_or_else(|_| Err(SqlError::from_panic()))
                .err()
                .unwrap_or_else(SqlError::from_panic)),
        }
    }

    /// Plans a query without running it, and gives the columns it would have. Blocks; may be called anywhere.
    ///
    /// # Errors
    /// As [`SqlEngine::query`]. Tell a table that is only not there yet by [`SqlError::is_missing_name`].
    pub fn check(&self, sql: &str) -> Result<Schema, SqlError> {
        let shared = Arc::clone(&self.shared);
        let request = SqlRequest::new(sql);
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let work = async move {
            let schema = match shared.planner.plan(&request).await {
                Ok(Planned {
                    state,
                    plan: Some(plan),
                    ..
                }) => match state.optimize(&plan) {
                    Ok(_) => Ok(plan.schema().as_arrow().clone()),
                    Err(error) => Err(SqlError::from_datafusion(&error)),
                },
                Ok(Planned { plan: None, .. }) => Ok(Schema::empty()),
                Err(error) => Err(error),
            };
            // The one who asked may have stopped waiting.
            let _ = sender.send(schema);
            Ok(())
        };
        let timeout = self.shared.limits.timeout;
        let (_, _, abort) = self.supervise(timeout, work)?;
        let result = receiver.recv_timeout(timeout);
        abort.abort();
        match result {
            Ok(schema) => schema,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(timed_out(timeout)),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Err(SqlError::from_panic()),
        }
    }

    /// Bytes of a statement's text that are read at most.
    #[must_use]
    pub fn text_bytes_max(&self) -> usize {
        self.shared.limits.text_bytes_max
    }

    /// Starts work that a second task ends at the timeout, so that a plan that computes without a pause is
    /// still answered for in time. A panic becomes an error.
    fn supervise(
        &self,
        timeout: Duration,
        work: impl Future<Output = Result<(), SqlError>> + Send + 'static,
    ) -> Result<Supervised, SqlError> {
        let runtime = self
            .runtime
            .as_ref()
            .map(Runtime::handle)
            .ok_or_else(SqlError::from_panic)?;
        let mut work = runtime.spawn(work);
        let abort = work.abort_handle();
        let (sender, outcome) = oneshot::channel();
        runtime.spawn(async move {
            let result = match tokio::time::timeout(timeout, &mut work).await {
                Ok(Ok(result)) => result,
                Ok(Err(error)) if error.is_panic() => Err(SqlError::from_panic()),
                Ok(Err(_)) => Err(SqlError::new(SqlErrorCode::Execution, "the query was cancelled")),
                Err(_) => {
                    work.abort();
                    Err(timed_out(timeout))
                }
            };
            let _ = sender.send(result);
        });
        Ok((runtime.clone(), outcome, abort))
    }
}

impl std::fmt::Debug for SqlEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqlEngine")
    }
}

impl Drop for SqlEngine {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        // The threads are waited for: one that is let go of in the moment in which it ends can take the process with it, because
        // glibc then looks at the thread's stack once more (bug 19951), and stacks of this size are gone by then.
        if Handle::try_current().is_err() {
            runtime.shutdown_timeout(STOP_TIMEOUT);
        } else {
            // Where the owner is itself async, waiting is forbidden.
            std::thread::spawn(move || runtime.shutdown_timeout(STOP_TIMEOUT));
        }
    }
}

impl Shared {
    fn timeout(&self, request: &SqlRequest) -> Duration {
        request
            .timeout
            .map_or(self.limits.timeout, |timeout| timeout.min(self.limits.timeout))
    }

    async fn run(
        &self,
        ticket: Ticket,
        request: &SqlRequest,
        planned: oneshot::Sender<(SchemaRef, CommandTag)>,
        batches: mpsc::Sender<RecordBatch>,
    ) -> Result<(), SqlError> {
        let _place = ticket.wait().await?;
        let Planned { command, state, plan } = self.planner.plan(request).await?;
        let tag = command.tag();
        let rows = match plan {
            Some(plan) => {
                check_values(&plan)?;
                let physical = state.create_physical_plan(&plan).await;
                let physical = physical.map_err(|error| SqlError::from_datafusion(&error))?;
                Some((physical, state.task_ctx()))
            }
            None => None,
        };
        let stream = || match rows {
            Some((plan, context)) => {
                execute_stream(plan, context).map_err(|error| SqlError::from_datafusion(&error))
            }
            None => Err(SqlError::from_panic()),
        };
        let answer = match command {
            Command::Read(_) => return send(stream()?, tag, planned, batches).await,
            Command::Copy { target, .. } => {
                let folder = self.exports.as_ref().ok_or_else(no_exports)?;
                copied(folder.write(&target, stream()?).await?)
            }
            Command::CreateView(view) => {
                let views = self.planner.views();
                views.create(&view.name, &view.definition, view.or_replace, view.if_not_exists)?;
                RecordBatch::new_empty(Arc::new(Schema::empty()))
            }
            Command::DropView { name, if_exists } => {
                if !self.planner.views().remove(&name)? && !if_exists {
                    let message = format!("there is no view {}", quoted(&name));
                    return Err(SqlError::new(SqlErrorCode::UnknownTable, message));
                }
                RecordBatch::new_empty(Arc::new(Schema::empty()))
            }
        };
        let _ = planned.send((answer.schema(), tag));
        if answer.num_rows() > 0 {
            let _ = batches.send(answer).await;
        }
        Ok(())
    }
}

/// Passes rows on as they come.
async fn send(
    mut stream: SendableRecordBatchStream,
    tag: CommandTag,
    planned: oneshot::Sender<(SchemaRef, CommandTag)>,
    batches: mpsc::Sender<RecordBatch>,
) -> Result<(), SqlError> {
    // Either channel is closed when the reader has gone; then nobody asks how it ended.
    if planned.send((stream.schema(), tag)).is_err() {
        return Ok(());
    }
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| SqlError::from_datafusion(&error))?;
        if batch.num_rows() > 0 && batches.send(batch).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The answer to `COPY`.
fn copied(rows: u64) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![Field::new("rows", DataType::UInt64, false)]));
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![rows]));
    // One column of one row under a schema of one column: nothing is there that could not fit.
    RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap_or_else(|_| RecordBatch::new_empty(schema))
}

fn no_exports() -> SqlError {
    SqlError::new(SqlErrorCode::Unsupported, "COPY is switched off here")
        .with_hint("the server allows it with copy_folder in [sql] of its configuration")
}

fn timed_out(timeout: Duration) -> SqlError {
    let message = format!("the query ran longer than {timeout:?}");
    SqlError::new(SqlErrorCode::Timeout, message).with_hint("narrow the time range or the labels")
}

/// Ends work whose caller has gone.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

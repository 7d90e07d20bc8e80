//! Runs queries: on threads of their own, within limits, each over one snapshot.

use std::future::Future;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use barograph_engine::{Engine, Snapshot};
use barograph_model::Clock;
use chrono::{DateTime, Utc};
use datafusion::catalog::CatalogProviderList;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SQLOptions, SessionConfig};
use futures::StreamExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::catalog::{CATALOG, Catalog, METRICS, PUBLIC};
use super::error::{SqlError, SqlErrorCode, quoted};
use super::gate::{Gate, Ticket};
use super::limits::SqlLimits;
use super::memory::{QueryMemory, TotalMemory};
use super::stream::SqlStream;
use super::suggest::nearest;
use super::system_schema::SYSTEM;
use super::system_table::SystemTable;
use super::{statement, udf};

/// Batches that wait for a slow reader.
const BATCHES_WAITING_MAX: usize = 2;
/// Planners descend their trees by recursion; pages of a stack that is never touched cost nothing.
pub(crate) const STACK_BYTES: usize = 64 << 20;

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

/// SQL over the store. Reads only; see the module for what it offers.
pub struct SqlEngine {
    shared: Arc<Shared>,
    /// Present until the engine is dropped.
    runtime: Option<Runtime>,
}

struct Shared {
    source: Arc<dyn SnapshotSource>,
    system: Arc<[SystemTable]>,
    clock: Arc<dyn Clock>,
    limits: SqlLimits,
    gate: Gate,
    memory: Arc<TotalMemory>,
    /// Functions, rules and settings; each query runs in a copy with its own catalog and memory.
    template: SessionState,
}

/// Where work runs, how it ends, and what ends it before its time.
type Supervised = (Handle, oneshot::Receiver<Result<(), SqlError>>, AbortHandle);

impl SqlEngine {
    /// Starts the threads. `clock` decides what `now()` is; `system` are tables that the server computes.
    ///
    /// # Errors
    /// `execution` where the operating system gives no threads.
    pub fn new(
        source: Arc<dyn SnapshotSource>,
        system: Vec<SystemTable>,
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
            source,
            system: system.into(),
            clock,
            gate: Gate::new(limits.running_max, limits.waiting_max),
            memory: TotalMemory::new(limits.total_memory_bytes, Arc::clone(&limits.memory)),
            template: template(&limits),
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
        let ticket = self.shared.gate.enter()?;
        let (planned_sender, planned) = oneshot::channel();
        let (batch_sender, batches) = mpsc::channel(BATCHES_WAITING_MAX);
        let shared = Arc::clone(&self.shared);
        let sql = sql.to_owned();
        let run = async move { shared.run(ticket, &sql, planned_sender, batch_sender).await };
        let (runtime, outcome, abort) = self.supervise(run)?;
        // Until the stream exists this guard ends the work when the caller goes away.
        let guard = SqlStream::new(Arc::new(Schema::empty()), batches, outcome, abort, runtime);
        match planned.await {
            Ok(schema) => Ok(guard.with_schema(schema)),
            // The work ended before it had a schema: the reason is its outcome.
            Err(_) => match guard.collect_batches().await {
                Err(error) => Err(error),
                Ok(_) => Err(SqlError::from_panic()),
            },
        }
    }

    /// Plans a query without running it, and gives the columns it would have. Blocks; may be called anywhere.
    ///
    /// # Errors
    /// As [`SqlEngine::query`]. Tell a table that is only not there yet by [`SqlError::is_missing_name`].
    pub fn check(&self, sql: &str) -> Result<Schema, SqlError> {
        let shared = Arc::clone(&self.shared);
        let sql = sql.to_owned();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let work = async move {
            let planned = shared
                .plan(&sql)
                .await
                .map(|(state, plan)| (state.optimize(&plan), plan));
            let schema = planned.and_then(|(optimized, plan)| {
                optimized.map_err(|error| SqlError::from_datafusion(&error))?;
                Ok(plan.schema().as_arrow().clone())
            });
            // The one who asked may have stopped waiting.
            let _ = sender.send(schema);
            Ok(())
        };
        let (_, _, abort) = self.supervise(work)?;
        let result = receiver.recv_timeout(self.shared.limits.timeout);
        abort.abort();
        match result {
            Ok(schema) => schema,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(self.shared.timed_out()),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Err(SqlError::from_panic()),
        }
    }

    /// Starts work that a second task ends at the timeout, so that a plan that computes without a pause is
    /// still answered for in time. A panic becomes an error.
    fn supervise(
        &self,
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
        let shared = Arc::clone(&self.shared);
        runtime.spawn(async move {
            let result = match tokio::time::timeout(shared.limits.timeout, &mut work).await {
                Ok(Ok(result)) => result,
                Ok(Err(error)) if error.is_panic() => Err(SqlError::from_panic()),
                Ok(Err(_)) => Err(SqlError::new(SqlErrorCode::Execution, "the query was cancelled")),
                Err(_) => {
                    work.abort();
                    Err(shared.timed_out())
                }
            };
            let _ = sender.send(result);
        });
        Ok((runtime.clone(), outcome, abort))
    }
}

impl Drop for SqlEngine {
    fn drop(&mut self) {
        // Waiting for the threads would block, which is forbidden where the owner is itself async.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn timed_out(&self) -> SqlError {
        let message = format!("the query ran longer than {:?}", self.limits.timeout);
        SqlError::new(SqlErrorCode::Timeout, message).with_hint("narrow the time range or the labels")
    }

    async fn run(
        &self,
        ticket: Ticket,
        sql: &str,
        planned: oneshot::Sender<SchemaRef>,
        batches: mpsc::Sender<RecordBatch>,
    ) -> Result<(), SqlError> {
        let _place = ticket.wait().await?;
        let (state, plan) = self.plan(sql).await?;
        let wrong = |error: DataFusionError| SqlError::from_datafusion(&error);
        let physical = state.create_physical_plan(&plan).await.map_err(wrong)?;
        let mut stream = execute_stream(physical, state.task_ctx()).map_err(wrong)?;
        // Either channel is closed when the reader has gone; then nobody asks how it ended.
        if planned.send(stream.schema()).is_err() {
            return Ok(());
        }
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(wrong)?;
            if batch.num_rows() > 0 && batches.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Parses and resolves a query over a snapshot of this moment.
    async fn plan(&self, sql: &str) -> Result<(SessionState, LogicalPlan), SqlError> {
        let statement = statement::parse(sql, self.limits.text_bytes_max)?;
        let catalog = Catalog::new(self.source.snapshot(), Arc::clone(&self.system));
        let state = self
            .session(catalog.as_list())
            .map_err(|error| SqlError::from_datafusion(&error))?;
        let wrong = |error: DataFusionError| SqlError::from_datafusion(&error);
        for reference in state.resolve_table_references(&statement).map_err(wrong)? {
            self.find(&state, &catalog, &reference)?;
        }
        let plan = state.statement_to_plan(statement).await.map_err(|error| {
            match unknown_function(&state, &error) {
                Some(error) => error,
                None => wrong(error),
            }
        })?;
        // The statement was found to read only; this looks at what the planner made of it.
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        options.verify_plan(&plan).map_err(|error| {
            SqlError::new(SqlErrorCode::ReadOnly, SqlError::from_datafusion(&error).message)
        })?;
        Ok((state, plan))
    }

    /// A session with its own names, memory and time.
    fn session(&self, catalogs: Arc<dyn CatalogProviderList>) -> Result<SessionState, DataFusionError> {
        let memory = QueryMemory::new(self.limits.query_memory_bytes, Arc::clone(&self.memory));
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(memory))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let mut state = SessionStateBuilder::new_from_existing(self.template.clone())
            .with_catalog_list(catalogs)
            .with_runtime_env(runtime)
            .build();
        let now = DateTime::<Utc>::from_timestamp_millis(self.clock.now().0).unwrap_or_default();
        state.execution_props_mut().query_execution_start_time = Some(now);
        Ok(state)
    }

    /// Whether a table exists, with the nearest name where it does not.
    fn find(
        &self,
        state: &SessionState,
        catalog: &Catalog,
        reference: &TableReference,
    ) -> Result<(), SqlError> {
        let wrong = || {
            let written = written(reference);
            SqlError::new(SqlErrorCode::UnknownTable, format!("there is no table {written}"))
        };
        let schema = state.schema_for_ref(reference.clone()).map_err(|_| {
            wrong().with_hint(format!(
                "schemas are {PUBLIC}, {METRICS}, {SYSTEM} and information_schema"
            ))
        })?;
        // A function that gives rows is written where a table is.
        let is_function =
            reference.schema().is_none() && state.table_functions().contains_key(reference.table());
        if is_function || schema.table_exist(reference.table()) {
            return Ok(());
        }
        let names = match reference.schema() {
            Some("information_schema" | SYSTEM) => schema.table_names(),
            _ => catalog.table_names(),
        };
        Err(
            match nearest(reference.table(), names.iter().map(String::as_str)) {
                Some(name) => wrong().with_hint(format!("did you mean {}?", quoted(name))),
                None if names.len() > 3 => {
                    wrong().with_hint("SELECT DISTINCT metric FROM series lists the metrics")
                }
                None => wrong(),
            },
        )
    }
}

/// A function that does not exist, with the nearest that does.
fn unknown_function(state: &SessionState, error: &DataFusionError) -> Option<SqlError> {
    let DataFusionError::Plan(text) = error.find_root() else {
        return None;
    };
    let written = text.strip_prefix("Invalid function '")?.split('\'').next()?;
    let error = SqlError::new(
        SqlErrorCode::Unsupported,
        format!("there is no function {written}"),
    );
    let names = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys());
    let mut names: Vec<_> = names
        .chain(state.window_functions().keys())
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    Some(match nearest(written, names.into_iter()) {
        Some(name) => error.with_hint(format!("did you mean {name}?")),
        None => error,
    })
}

fn written(reference: &TableReference) -> String {
    let parts = [reference.catalog(), reference.schema(), Some(reference.table())];
    parts
        .into_iter()
        .flatten()
        .map(quoted)
        .collect::<Vec<_>>()
        .join(".")
}

fn template(limits: &SqlLimits) -> SessionState {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, PUBLIC)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_target_partitions(limits.target_partitions.max(1));
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    let mut builder = SessionStateBuilder::new_with_default_features().with_config(config);
    builder
        .scalar_functions()
        .get_or_insert_default()
        .extend(udf::all());
    let mut state = builder.build();
    for name in udf::UNBOUNDED {
        // Those that this build of DataFusion lacks are as good as removed.
        let _ = state.deregister_udf(name);
    }
    state
}

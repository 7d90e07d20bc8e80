//! From a request to a plan: over a snapshot of this moment, in a session of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::Schema;
use barograph_engine::Snapshot;
use barograph_model::Clock;
use chrono::{DateTime, Utc};
use datafusion::catalog::CatalogProviderList;
use datafusion::catalog::view::ViewTable;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SQLOptions, SessionConfig};
use datafusion::sql::parser::Statement;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::catalog::{CATALOG, Catalog, METRICS, PUBLIC};
use super::engine::SnapshotSource;
use super::error::{SqlError, SqlErrorCode, quoted};
use super::limits::SqlLimits;
use super::memory::{QueryMemory, TotalMemory};
use super::parameters::{check_number, parameters, with_values};
use super::postgres::{LiveCatalog, PostgresParts};
use super::request::{Described, Dialect, SqlRequest, TableDescription};
use super::statement::{self, Command, RELATIONS_MAX, relations};
use super::suggest::nearest;
use super::system_schema::SYSTEM;
use super::system_table::SystemTable;
use super::udf::{self, LastPoints, PromqlForSql, PromqlFunction};
use super::views::{Definitions, Views};
use super::yielding::YieldingJoins;

/// Views within views.
const VIEW_DEPTH_MAX: usize = 16;

/// Plans requests.
pub(crate) struct Planner {
    source: Arc<dyn SnapshotSource>,
    system: Arc<[SystemTable]>,
    clock: Arc<dyn Clock>,
    limits: SqlLimits,
    memory: Arc<TotalMemory>,
    views: Arc<Views>,
    /// Functions, rules and settings; each query runs in a copy with its own catalog and memory.
    template: SessionState,
    /// What `pg_catalog` describes.
    live: Arc<LiveCatalog>,
    /// Made when the first of PostgreSQL's clients comes.
    postgres: OnceLock<Result<PostgresParts, String>>,
    promql: Arc<PromqlForSql>,
}

/// A command whose rows, if it has any, can be computed.
pub(crate) struct Planned {
    pub(crate) command: Command,
    pub(crate) state: SessionState,
    /// `None` where the command reads nothing.
    pub(crate) plan: Option<LogicalPlan>,
}

/// The names of one query.
struct Scope {
    catalog: Catalog,
    state: SessionState,
    views: Definitions,
    /// Tables that are read, those of views included.
    relations: u64,
    /// Views within each other, the outermost first.
    inside: Vec<String>,
}

impl Planner {
    pub(crate) fn new(
        source: Arc<dyn SnapshotSource>,
        system: Vec<SystemTable>,
        views: Arc<Views>,
        limits: SqlLimits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SqlError> {
        let system: Arc<[SystemTable]> = system.into();
        Ok(Self {
            live: Arc::new(LiveCatalog::new(
                Arc::clone(&source),
                Arc::clone(&system),
                Arc::clone(&clock),
            )),
            postgres: OnceLock::new(),
            source,
            system,
            clock,
            memory: TotalMemory::new(limits.total_memory_bytes, Arc::clone(&limits.memory)),
            views,
            template: template(&limits).map_err(|error| SqlError::from_datafusion(&error))?,
            promql: Arc::new(PromqlForSql::new(limits.promql.clone())),
            limits,
        })
    }

    fn postgres(&self) -> Result<&PostgresParts, SqlError> {
        let parts = self.postgres.get_or_init(|| {
            PostgresParts::new(&self.template, Arc::clone(&self.live)).map_err(|error| error.to_string())
        });
        parts.as_ref().map_err(|message| {
            SqlError::new(
                SqlErrorCode::Execution,
                format!("pg_catalog is not there: {message}"),
            )
        })
    }

    /// The views that queries see.
    pub(crate) fn views(&self) -> &Views {
        &self.views
    }

    /// Parses and resolves a request. Values take the places of parameters where any are given, or else the places stay.
    pub(crate) async fn plan(&self, request: &SqlRequest) -> Result<Planned, SqlError> {
        check_number(request.parameters.len())?;
        let text_bytes_max = self.limits.text_bytes_max;
        let snapshot = self.source.snapshot();
        let mut catalog = Catalog::new(snapshot.clone(), Arc::clone(&self.system));
        let (command, template) = match request.dialect {
            Dialect::Generic => (statement::parse(&request.sql, text_bytes_max)?, &self.template),
            Dialect::Postgres => {
                let parts = self.postgres()?;
                catalog = catalog.with_pg_catalog(Arc::clone(&parts.schema));
                let command = statement::parse_postgres(&request.sql, parts, text_bytes_max)?;
                (command, &parts.template)
            }
        };
        let state = self
            .session(template, catalog.as_list(), request, snapshot)
            .map_err(|error| SqlError::from_datafusion(&error))?;
        let mut scope = Scope {
            catalog,
            state,
            views: self.views.all(),
            relations: 0,
            inside: Vec::new(),
        };
        let plan = match &command {
            Command::Read(query) | Command::Copy { query, .. } => {
                let plan = self.plan_statement(&mut scope, query.clone(), 0).await?;
                Some(with_values(plan, &request.parameters)?)
            }
            Command::CreateView(view) => {
                self.check_name_of_view(&scope, &view.name)?;
                scope.inside.push(view.name.clone());
                let plan = self.plan_statement(&mut scope, view.query.clone(), 0).await?;
                if !parameters(&plan)?.is_empty() {
                    let message = "a view has no parameters";
                    return Err(SqlError::new(SqlErrorCode::Unsupported, message));
                }
                Some(plan)
            }
            Command::DropView { .. } => None,
        };
        Ok(Planned {
            command,
            state: scope.state,
            plan,
        })
    }

    /// All tables and views.
    pub(crate) async fn tables(&self) -> Result<Vec<TableDescription>, SqlError> {
        let views = self.views.all();
        if !views.is_empty() {
            let snapshot = self.source.snapshot();
            let catalog = Catalog::new(snapshot.clone(), Arc::clone(&self.system));
            let state = self
                .session(
                    &self.template,
                    catalog.as_list(),
                    &SqlRequest::default(),
                    snapshot,
                )
                .map_err(|error| SqlError::from_datafusion(&error))?;
            let mut scope = Scope {
                catalog,
                state,
                views,
                relations: 0,
                inside: Vec::new(),
            };
            self.plan_all_views(&mut scope, 0).await;
        } else {
            self.live.show_views(BTreeMap::new());
        }
        Ok(self.live.tables())
    }

    fn plan_statement<'a>(
        &'a self,
        scope: &'a mut Scope,
        statement: Statement,
        depth: usize,
    ) -> BoxFuture<'a, Result<LogicalPlan, SqlError>> {
        let plan = async move {
            if depth > VIEW_DEPTH_MAX {
                let message = format!("more than {VIEW_DEPTH_MAX} views within each other");
                return Err(SqlError::new(SqlErrorCode::Unsupported, message));
            }
            scope.relations = scope.relations.saturating_add(relations(&statement));
            if scope.relations > RELATIONS_MAX {
                let message = format!("the query and its views read more than {RELATIONS_MAX} tables");
                return Err(SqlError::new(SqlErrorCode::Unsupported, message));
            }
            let wrong = |error: DataFusionError| SqlError::from_datafusion(&error);
            let references = scope.state.resolve_table_references(&statement).map_err(wrong)?;
            for reference in references {
                if lists_tables(&reference) {
                    self.plan_all_views(scope, depth).await;
                } else if let Some(name) = self.view_behind(scope, &reference) {
                    self.plan_view(scope, &name, depth).await?;
                    continue;
                }
                self.find(scope, &reference)?;
            }
            let plan =
                scope.state.statement_to_plan(statement).await.map_err(|error| {
                    match unknown_function(&scope.state, &error) {
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
            Ok(plan)
        };
        plan.boxed()
    }

    /// The view that a name means, where it means one.
    fn view_behind(&self, scope: &Scope, reference: &TableReference) -> Option<String> {
        let is_here = reference.catalog().is_none_or(|catalog| catalog == CATALOG)
            && reference.schema().is_none_or(|schema| schema == PUBLIC);
        (is_here && scope.views.contains_key(reference.table())).then(|| reference.table().to_owned())
    }

    /// Puts a view among the tables of the query.
    async fn plan_view(&self, scope: &mut Scope, name: &str, depth: usize) -> Result<(), SqlError> {
        if scope.catalog.has_view(name) {
            return Ok(());
        }
        let Some(definition) = scope.views.get(name).cloned() else {
            return Ok(());
        };
        if scope.inside.iter().any(|outer| outer == name) {
            let message = format!("the view {} reads itself", quoted(name));
            return Err(SqlError::new(SqlErrorCode::Unsupported, message));
        }
        scope.inside.push(name.to_owned());
        let planned = async {
            match statement::parse(&definition, usize::MAX)? {
                Command::Read(query) => self.plan_statement(scope, query, depth + 1).await,
                _ => Err(SqlError::new(
                    SqlErrorCode::ReadOnly,
                    "the view does more than read",
                )),
            }
        };
        let plan = planned.await.map_err(|error| {
            let message = format!("in the view {}: {}", quoted(name), error.message);
            SqlError { message, ..error }
        })?;
        scope.inside.pop();
        let view = ViewTable::new(plan, Some(definition));
        scope.catalog.add_view(name, Arc::new(view));
        Ok(())
    }

    /// For the lists of tables and columns. A view whose tables are gone has no columns, and is no reason to show nothing.
    async fn plan_all_views(&self, scope: &mut Scope, depth: usize) {
        for name in scope.views.keys().cloned().collect::<Vec<_>>() {
            let (relations, inside) = (scope.relations, scope.inside.len());
            if let Err(error) = self.plan_view(scope, &name, depth).await {
                tracing::debug!(view = %name, %error, "left out of a list");
            }
            scope.relations = relations;
            scope.inside.truncate(inside);
        }
        self.live.show_views(scope.catalog.view_schemas());
    }

    /// Whether a view may have a name.
    fn check_name_of_view(&self, scope: &Scope, name: &str) -> Result<(), SqlError> {
        let taken_by = if scope.catalog.is_fixed(name) {
            "a table of the program"
        } else if scope.catalog.is_metric(name) {
            "a metric"
        } else {
            return Ok(());
        };
        let message = format!("{} is the name of {taken_by}", quoted(name));
        Err(SqlError::new(SqlErrorCode::Unsupported, message).with_hint("call the view otherwise"))
    }

    /// A session with its own names, memory and time.
    fn session(
        &self,
        template: &SessionState,
        catalogs: Arc<dyn CatalogProviderList>,
        request: &SqlRequest,
        snapshot: Snapshot,
    ) -> Result<SessionState, DataFusionError> {
        let memory = QueryMemory::new(self.limits.query_memory_bytes, Arc::clone(&self.memory));
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(memory))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let mut state = SessionStateBuilder::new_from_existing(template.clone())
            .with_catalog_list(catalogs)
            .with_runtime_env(runtime)
            .build();
        if let Some(zone) = &request.time_zone {
            let options = state.config_mut().options_mut();
            options.execution.time_zone = Some(zone.clone());
        }
        let now_ms = self.clock.now().0;
        let last_points = LastPoints {
            snapshot: snapshot.clone(),
            now_ms,
            lookback_ms: self.limits.promql.lookback_ms,
        };
        state.register_udtf("last_points", Arc::new(last_points));
        let promql = PromqlFunction {
            engine: Arc::clone(&self.promql),
            snapshot,
            now_ms,
        };
        state.register_udtf("promql", Arc::new(promql));
        let now = DateTime::<Utc>::from_timestamp_millis(now_ms).unwrap_or_default();
        state.execution_props_mut().query_execution_start_time = Some(now);
        Ok(state)
    }

    /// Whether a table exists, with the nearest name where it does not.
    fn find(&self, scope: &Scope, reference: &TableReference) -> Result<(), SqlError> {
        let Scope { state, catalog, .. } = scope;
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
        let mut names = match reference.schema() {
            Some("information_schema" | SYSTEM) => schema.table_names(),
            _ => catalog.table_names(),
        };
        names.extend(scope.views.keys().cloned());
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

impl Planned {
    /// What the command would give.
    pub(crate) fn describe(&self) -> Result<Described, SqlError> {
        let tag = self.command.tag();
        let schema = match (&self.plan, tag.has_rows()) {
            (Some(plan), true) => plan.schema().as_arrow().clone(),
            _ => Schema::empty(),
        };
        Ok(Described {
            schema: Arc::new(schema),
            parameters: self
                .plan
                .as_ref()
                .map(parameters)
                .transpose()?
                .unwrap_or_default(),
            tag,
        })
    }
}

/// Tables whose rows are the names and columns of the others.
fn lists_tables(reference: &TableReference) -> bool {
    matches!(reference.schema(), Some("information_schema" | "pg_catalog"))
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

fn template(limits: &SqlLimits) -> Result<SessionState, DataFusionError> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, PUBLIC)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_target_partitions(limits.target_partitions.max(1));
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    let mut state = SessionStateBuilder::new_with_default_features()
        .with_config(config)
        .with_physical_optimizer_rule(Arc::new(YieldingJoins))
        .build();
    udf::register(&mut state)?;
    Ok(state)
}

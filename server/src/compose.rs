//! Puts the program together: store, edges, detectors, rules, delivery; and takes it apart again.

mod error;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use barograph_alerts::{Options as AlertOptions, RuleSet};
use barograph_engine::vfs::{DiskVfs, Vfs};
use barograph_engine::{DamageKind, Engine};
use barograph_model::{Clock, MemoryShare};
use barograph_query::promql::{PromqlEngine, promql_tables};
use barograph_query::sql::{SqlEngine, SqlLimits, VIEWS_FILE, Views};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::alerting::ALERTS_DIR;
use crate::alerting::{AlertHub, DeliveryOptions, Evaluator, LoadError, alert_tables, deliver, load_rules};
use crate::api::{
    Administration, MetricsSource, PrometheusSource, ReadPlaces, Readiness, admin_routes, health_routes,
    metrics_routes, prometheus_routes, reload_routes, sql_routes,
};
use crate::channels::{Channel, LogChannel, WebhookChannel, WebhookOptions};
use crate::config::{ChannelKind, Config, Listen, SqlUser};
use crate::damage_table::damage_table;
use crate::detecting::{DetectorRunner, DetectorStats, RunnerHandle, Watch};
use crate::flight::flight_service;
use crate::grpc;
use crate::ingest::{self, IngestSink};
use crate::memory::{memory_table, watch_memory};
use crate::postgres;
use crate::query_log::QueryLog;
use crate::tenants::Tenants;

pub use error::ServeError;

/// How long connections may take to end after a stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A running program.
pub struct Server {
    engine: Arc<Engine>,
    hub: Arc<AlertHub>,
    sql: Arc<SqlEngine>,
    clock: Arc<dyn Clock>,
    /// until [`Server::start_watching`]
    watches: Vec<Watch>,
    detectors: Option<RunnerHandle>,
    detector_stats: Arc<DetectorStats>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    http: Option<SocketAddr>,
    grpc: Option<SocketAddr>,
    postgres: Option<SocketAddr>,
    reload: Arc<Reload>,
}

/// What a reload needs.
pub struct Reload {
    config: Config,
    sql: Arc<SqlEngine>,
    rules: watch::Sender<Arc<RuleSet>>,
}

impl Reload {
    /// Reads the rule files again. When anything is wrong with them, the rules that are loaded stay.
    ///
    /// # Errors
    /// [`LoadError`] of the first file or rule that is wrong.
    pub fn run(&self) -> Result<usize, LoadError> {
        let rules = load_rules(&self.config, &self.sql)?;
        let count = rules.rules().count();
        self.rules.send_replace(Arc::new(rules));
        Ok(count)
    }
}

/// What the store and what rests on it need from the configuration, checked before anything is opened.
struct Parts {
    watches: Vec<Watch>,
    channels: Vec<Arc<dyn Channel>>,
    alerts: AlertOptions,
    sql_users: Vec<SqlUser>,
}

impl Server {
    /// Starts everything. Addresses are taken first, so that a second program fails at once; while the log is replayed
    /// HTTP already answers, with 503.
    ///
    /// # Errors
    /// [`ServeError`] says what could not be started and what to do.
    pub async fn start(config: Config, data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let parts = Parts::from_config(&config, &clock)?;
        let http = listen(&config.server.http_listen, "HTTP", "http-listen").await?;
        let grpc = listen(&config.server.grpc_listen, "gRPC", "grpc-listen").await?;
        let postgres = listen(
            &config.server.postgres_listen,
            "PostgreSQL's protocol",
            "postgres-listen",
        )
        .await?;
        let started_at = clock.now();
        let stop = CancellationToken::new();
        let readiness = Readiness::default();
        let mut tasks = Vec::new();
        let http_address = http.as_ref().and_then(|listener| listener.local_addr().ok());
        let postgres_address = postgres.as_ref().and_then(|listener| listener.local_addr().ok());
        let grpc_address = grpc.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = http {
            tasks.push(serve_http(listener, &readiness, &stop));
        }
        let opened = open(config, data_dir.to_owned(), Arc::clone(&clock), parts.alerts).await;
        let Opened {
            engine,
            sql,
            promql,
            views,
            hub,
            ingest,
            reload,
        } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                stop.cancel();
                return Err(error);
            }
        };
        let delivery = deliver(
            Arc::clone(&hub),
            Arc::clone(&clock),
            parts.channels,
            DeliveryOptions::default(),
            stop.clone(),
        );
        tasks.push(tokio::spawn(delivery));
        if let Some(listener) = grpc {
            let flight = flight_service(Arc::clone(&sql), &parts.sql_users, stop.clone())
                .map_err(ServeError::Flight)?;
            let serving = grpc::serve(listener, Arc::clone(&hub), Some(flight), stop.clone());
            tasks.push(tokio::spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "gRPC has ended");
                }
            }));
        }
        if let Some(listener) = postgres {
            let serving = postgres::serve(listener, Arc::clone(&sql), parts.sql_users, stop.clone());
            tasks.push(tokio::spawn(serving));
        }
        let watch = watch_memory(
            Arc::clone(engine.memory()),
            Arc::clone(ingest.tenants()),
            stop.clone(),
        );
        tasks.push(tokio::spawn(watch));
        let detector_stats = Arc::new(DetectorStats::default());
        let metrics = MetricsSource {
            engine: Arc::clone(&engine),
            ingest: Arc::clone(&ingest),
            detectors: Arc::clone(&detector_stats),
            hub: Arc::clone(&hub),
        };
        let administration = Administration {
            is_enabled: reload.config.http.admin_api,
            engine: Arc::clone(&engine),
            hub: Arc::clone(&hub),
            views,
            clock: Arc::clone(&clock),
        };
        let prometheus = PrometheusSource {
            promql,
            engine: Arc::clone(&engine),
            hub: Arc::clone(&hub),
            rules: reload.rules.subscribe(),
            clock: Arc::clone(&clock),
            started_at,
            config_yaml: reload.config.to_prometheus_yaml(),
            flags: reload.config.to_prometheus_flags(data_dir),
            read_places: ReadPlaces::default(),
        };
        let routes = ingest::routes(ingest)
            .merge(admin_routes(administration))
            .merge(sql_routes(Arc::clone(&sql)))
            .merge(prometheus_routes(prometheus))
            .merge(metrics_routes(metrics))
            .merge(reload_routes(Arc::clone(&reload)));
        readiness.open(routes);
        Ok(Self {
            engine,
            hub,
            sql,
            clock,
            watches: parts.watches,
            detectors: None,
            detector_stats,
            stop,
            tasks,
            http: http_address,
            grpc: grpc_address,
            postgres: postgres_address,
            reload,
        })
    }

    /// Starts detectors and rules. Apart from [`Server::start`] so that a back-fill can come first: a detector learns
    /// from the history that is there when it first sees a series.
    ///
    /// # Errors
    /// [`ServeError::Thread`].
    pub fn start_watching(&mut self) -> Result<(), ServeError> {
        let watches = std::mem::take(&mut self.watches);
        let (engine, clock) = (Arc::clone(&self.engine), Arc::clone(&self.clock));
        let runner = DetectorRunner::new(engine, clock, watches, Arc::clone(&self.detector_stats));
        self.detectors = Some(runner.start().map_err(ServeError::Thread)?);
        let evaluator = Evaluator {
            engine: Arc::clone(&self.engine),
            sql: Arc::clone(&self.sql),
            hub: Arc::clone(&self.hub),
            clock: Arc::clone(&self.clock),
        };
        let rules = self.reload.rules.subscribe();
        self.tasks
            .push(tokio::spawn(evaluator.run(rules, self.stop.clone())));
        Ok(())
    }

    /// Where HTTP is offered.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where gRPC is offered.
    #[must_use]
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// Where PostgreSQL's protocol is offered.
    #[must_use]
    pub fn postgres_address(&self) -> Option<SocketAddr> {
        self.postgres
    }

    /// Whether every detector has replayed its history.
    #[must_use]
    pub fn detectors_caught_up(&self) -> bool {
        self.detector_stats
            .caught_up
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Reads the rule files again.
    #[must_use]
    pub fn reload(&self) -> Arc<Reload> {
        Arc::clone(&self.reload)
    }

    /// Ends everything in the order of the data's way: edges first, the store last, which writes out what is in memory.
    ///
    /// # Errors
    /// [`ServeError`] when the last flush or checkpoint failed; nothing acknowledged is lost by it.
    pub async fn stop(self) -> Result<(), ServeError> {
        self.stop.cancel();
        for task in self.tasks {
            let abort = task.abort_handle();
            if tokio::time::timeout(STOP_GRACE, task).await.is_err() {
                abort.abort();
            }
        }
        let (engine, hub, mut detectors) = (self.engine, self.hub, self.detectors);
        drop(self.sql);
        let ended = tokio::task::spawn_blocking(move || {
            if let Some(detectors) = &mut detectors {
                detectors.stop();
            }
            let closed = engine.close();
            hub.close()
                .map_err(ServeError::from)
                .and(closed.map_err(ServeError::from))
        });
        ended.await.unwrap_or(Err(ServeError::Unfinished))
    }
}

impl Parts {
    fn from_config(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, ServeError> {
        let watches = config
            .detectors
            .iter()
            .cloned()
            .map(Watch::new)
            .collect::<Result<_, _>>()?;
        let external_url = config.server.external_url();
        let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
        for channel in &config.channels {
            channels.push(match &channel.kind {
                ChannelKind::Log => Arc::new(LogChannel::new(&channel.name)),
                ChannelKind::Webhook {
                    url,
                    timeout_ms,
                    headers,
                } => {
                    let options = WebhookOptions {
                        url: url.clone(),
                        timeout: Duration::from_millis(timeout_ms.unsigned_abs()),
                        headers: headers.clone(),
                        external_url: external_url.clone(),
                    };
                    Arc::new(WebhookChannel::new(&channel.name, options, Arc::clone(clock))?)
                }
            });
        }
        let alerts = config.alert_options()?;
        let users = config.sql_users.iter().map(|user| user.user(&config.folder));
        let sql_users = users.collect::<Result<_, _>>()?;
        Ok(Self {
            watches,
            channels,
            alerts,
            sql_users,
        })
    }
}

/// What rests on the data directory.
struct Opened {
    engine: Arc<Engine>,
    sql: Arc<SqlEngine>,
    promql: Arc<PromqlEngine>,
    views: Arc<Views>,
    hub: Arc<AlertHub>,
    ingest: Arc<IngestSink>,
    reload: Arc<Reload>,
}

async fn open(
    config: Config,
    data_dir: PathBuf,
    clock: Arc<dyn Clock>,
    alerts: AlertOptions,
) -> Result<Opened, ServeError> {
    let opened = tokio::task::spawn_blocking(move || open_blocking(config, &data_dir, clock, alerts));
    opened.await.unwrap_or(Err(ServeError::Unfinished))
}

fn open_blocking(
    config: Config,
    data_dir: &Path,
    clock: Arc<dyn Clock>,
    alerts: AlertOptions,
) -> Result<Opened, ServeError> {
    let memory = Arc::new(config.memory_budget());
    tracing::info!(
        budget_bytes = memory.total_bytes(),
        "memory for the whole program"
    );
    let disk = DiskVfs::open(data_dir).map_err(|source| ServeError::DataDir {
        path: data_dir.to_owned(),
        source,
    })?;
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let engine = Engine::open(
        Arc::clone(&vfs),
        Arc::clone(&clock),
        config.engine_options(&memory)?,
    )?;
    let stats = engine.stats();
    let has_history = stats.segments > 0 || stats.memory_rows > 0;
    let hub = AlertHub::open(Arc::clone(&vfs), ALERTS_DIR, alerts)?;
    for damage in hub.damage() {
        engine.report_damage(DamageKind::Journal, &damage.path, damage.what.as_str());
    }
    let views = Views::open(Arc::clone(&vfs)).map_err(|source| ServeError::DataDir {
        path: data_dir.to_owned(),
        source,
    })?;
    if let Some(what) = views.damage() {
        engine.report_damage(DamageKind::Views, VIEWS_FILE, what);
    }
    let views = Arc::new(views);
    let mut tables = alert_tables(&hub);
    tables.push(damage_table(&engine));
    tables.push(memory_table(&memory));
    let query_log = match &config.promql.query_log {
        Some(file) => Some(QueryLog::open(&config.folder.join(file))?.observer()),
        None => None,
    };
    let promql = Arc::new(PromqlEngine::new(
        Arc::new(Arc::clone(&engine)),
        config.promql.limits(&memory),
        Arc::clone(&clock),
        query_log,
    )?);
    tables.extend(promql_tables(&promql));
    let memory_of_queries = memory.max_bytes(MemoryShare::Queries);
    let limits = SqlLimits {
        timeout: Duration::from_millis(config.sql.timeout_ms.unsigned_abs()),
        query_memory_bytes: memory_of_queries,
        total_memory_bytes: memory_of_queries,
        memory: Arc::clone(&memory),
        running_max: config.sql.concurrency,
        promql: config.promql.limits(&memory),
        export_folder: config
            .sql
            .copy_folder
            .as_ref()
            .map(|folder| config.folder.join(folder)),
        ..SqlLimits::default()
    };
    let sql = Arc::new(SqlEngine::new(
        Arc::new(Arc::clone(&engine)),
        tables,
        Arc::clone(&views),
        limits,
        Arc::clone(&clock),
    )?);
    let limits = config.ingest_limits(&memory);
    let tenants = Tenants::new(config.limits.clone(), limits.labels, has_history, clock);
    let ingest = IngestSink::new(Arc::clone(&engine), limits, tenants)?;
    let rules = load_rules(&config, &sql)?;
    let reload = Reload {
        config,
        sql: Arc::clone(&sql),
        rules: watch::Sender::new(Arc::new(rules)),
    };
    Ok(Opened {
        engine,
        sql,
        promql,
        views,
        hub,
        ingest,
        reload: Arc::new(reload),
    })
}

async fn listen(
    listen: &Listen,
    what: &'static str,
    flag: &'static str,
) -> Result<Option<TcpListener>, ServeError> {
    let Some(address) = listen.address() else {
        return Ok(None);
    };
    let bound = TcpListener::bind(address).await;
    bound.map(Some).map_err(|source| ServeError::Listen {
        address: address.to_owned(),
        what,
        flag,
        source,
    })
}

fn serve_http(listener: TcpListener, readiness: &Readiness, stop: &CancellationToken) -> JoinHandle<()> {
    let routes = health_routes(readiness.clone());
    let stopped = stop.clone().cancelled_owned();
    // The end of an answer that is sent in pieces would otherwise wait for the acknowledgement of the piece before,
    // which clients put off by 40 ms.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection sends its answers late");
        }
    });
    tokio::spawn(async move {
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        if let Err(error) = axum::serve(listener, routes)
            .with_graceful_shutdown(stopped)
            .await
        {
            tracing::error!(%error, "HTTP has ended");
        }
    })
}

//! What is asked over HTTP, besides ingest: PromQL, SQL, health, metrics, administration.

mod admin;
mod health;
mod limit_metrics;
mod metrics;
mod prometheus;
mod reload;
mod sql;

pub use admin::{Administration, SNAPSHOT_DIR_HEADER, admin_routes};
pub(crate) use admin::{snapshot_name, stamped_name};
pub use health::{Readiness, health_routes};
pub use metrics::{MetricsSource, metrics_routes};
pub(crate) use prometheus::instant::{parse_duration_ns, parse_instant};
pub use prometheus::{PrometheusSource, ReadPlaces, prometheus_routes};
pub use reload::reload_routes;
pub use sql::sql_routes;

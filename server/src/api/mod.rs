//! What is asked over HTTP, besides ingest: SQL, health, metrics.

mod health;
mod limit_metrics;
mod metrics;
mod reload;
mod sql;

pub use health::{Readiness, health_routes};
pub use metrics::{MetricsSource, metrics_routes};
pub use reload::reload_routes;
pub use sql::sql_routes;

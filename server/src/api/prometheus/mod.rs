//! Prometheus' HTTP API under `/api/v1/`, and `/federate`: parameters, answers and errors as Prometheus 3 has them, so
//! that its clients (Grafana, promtool, another Prometheus) take this program for one.
//!
//! Source: Prometheus 3, "HTTP API", "Federation", "Remote read API". `docs/promql.md` lists what differs.
//!
//! Invariants:
//! - everything that reads the store waits in the one queue of [`PromqlEngine`], where callers take turns, and ends
//!   when its client goes away;
//! - an answer of many points is written while it is sent.

mod caller;
mod error;
mod go;
pub(crate) mod instant;
mod json;
mod parameters;

mod answer;
mod query;
mod stats;

mod exemplars;
mod expression;
mod federate;
mod label_name;
mod metadata;
mod remote_read;
mod rules;
mod series;
mod status;

#[cfg(test)]
mod tests;

pub use remote_read::ReadPlaces;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use barograph_alerts::RuleSet;
use barograph_engine::Engine;
use barograph_model::{Clock, TimestampMs};
use barograph_query::promql::PromqlEngine;
use tokio::sync::watch;

use crate::alerting::AlertHub;

/// What the API answers from.
#[derive(Debug)]
pub struct PrometheusSource {
    /// Queries.
    pub promql: Arc<PromqlEngine>,
    /// Figures about the store.
    pub engine: Arc<Engine>,
    /// Alerts.
    pub hub: Arc<AlertHub>,
    /// Rules.
    pub rules: watch::Receiver<Arc<RuleSet>>,
    /// What "now" is.
    pub clock: Arc<dyn Clock>,
    /// When the program started.
    pub started_at: TimestampMs,
    /// The configuration as `/api/v1/status/config` shows it: YAML without secrets.
    pub config_yaml: String,
    /// The flags of `/api/v1/status/flags`.
    pub flags: BTreeMap<String, String>,
    /// Who may read remotely at the same time.
    pub read_places: ReadPlaces,
}

/// The routes of Prometheus' API.
pub fn prometheus_routes(source: PrometheusSource) -> Router {
    let both = |path: &str| format!("/api/v1/{path}");
    Router::new()
        .route(&both("query"), get(query::instant).post(query::instant))
        .route(&both("query_range"), get(query::range).post(query::range))
        .route(&both("labels"), get(series::names).post(series::names))
        .route(&both("label/{name}/values"), get(series::values))
        .route(&both("series"), get(series::series).post(series::series))
        .route(
            &both("query_exemplars"),
            get(exemplars::exemplars).post(exemplars::exemplars),
        )
        .route(&both("read"), post(remote_read::remote_read))
        .route("/federate", get(federate::federate))
        .route(&both("rules"), get(rules::rules))
        .route(&both("alerts"), get(rules::alerts))
        .route(&both("metadata"), get(metadata::metadata))
        .route(
            &both("format_query"),
            get(expression::format).post(expression::format),
        )
        .route(
            &both("parse_query"),
            get(expression::parse).post(expression::parse),
        )
        .route(&both("status/buildinfo"), get(status::build))
        .route(&both("status/runtimeinfo"), get(status::runtime))
        .route(&both("status/config"), get(status::config))
        .route(&both("status/flags"), get(status::flags))
        .route(&both("status/tsdb"), get(status::tsdb))
        // Bodies are read under limits of their own.
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(source))
}

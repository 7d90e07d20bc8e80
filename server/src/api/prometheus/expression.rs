//! `format_query` and `parse_query`: texts and trees of expressions, without a look at data.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use barograph_promql::Annotations;
use barograph_promql::syntax::{Expr, prettify};
use serde::Serialize;

use super::PrometheusSource;
use super::caller::Caller;
use super::error::ApiError;
use super::json::success;
use super::parameters::Parameters;

/// `/api/v1/format_query`: the expression as Prometheus would lay it out.
pub(super) async fn format(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    read(&api, &caller, &parameters, prettify).await
}

/// `/api/v1/parse_query`: the expression's tree.
pub(super) async fn parse(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    read(&api, &caller, &parameters, Expr::to_json).await
}

async fn read<T: Serialize + Send + 'static>(
    api: &PrometheusSource,
    caller: &Arc<str>,
    parameters: &Parameters,
    then: impl FnOnce(&Expr) -> T + Send + 'static,
) -> Result<Response, ApiError> {
    let text: Arc<str> = Arc::from(parameters.get("query"));
    let found = api
        .promql
        .parsed(caller, text, then)
        .await
        .map_err(|error| match error.kind() {
            "bad_data" => ApiError::parameter("query", error),
            _ => ApiError::from(error),
        })?;
    Ok(success(&found, &Annotations::default()))
}

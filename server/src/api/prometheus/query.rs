//! `query` and `query_range`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use barograph_promql::Grid;
use barograph_query::promql::PromqlRequest;

use super::PrometheusSource;
use super::answer::{respond, truncate};
use super::caller::Caller;
use super::error::ApiError;
use super::instant::parse_duration_ns;
use super::parameters::Parameters;
use super::stats::stats_json;

/// What is said when `limit` cuts a result.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// The last instant of a date in a browser, in the year 275760.
const INSTANT_MS_MAX: i64 = 8_640_000_000_000_000;

/// `/api/v1/query`: at one instant.
pub(super) async fn instant(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let limit = parameters.limit()?;
    let ts = parameters.instant_or("time", api.clock.now().0)?;
    run(&api, caller, &parameters, Grid::instant(held(ts)), false, limit).await
}

/// `/api/v1/query_range`: at each step of a range.
pub(super) async fn range(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let limit = parameters.limit()?;
    let grid = grid(&parameters)?;
    run(&api, caller, &parameters, grid, true, limit).await
}

/// The instant, or the nearest at which ranges and offsets can still be counted.
fn held(ms: i64) -> i64 {
    ms.clamp(-INSTANT_MS_MAX, INSTANT_MS_MAX)
}

/// The steps that are asked for.
pub(super) fn grid(parameters: &Parameters) -> Result<Grid, ApiError> {
    let (start, end) = (
        held(parameters.instant("start")?),
        held(parameters.instant("end")?),
    );
    let step = parse_duration_ns(parameters.get("step"));
    if end < start {
        return Err(ApiError::parameter(
            "end",
            "end timestamp must not be before start time",
        ));
    }
    let step_ns = step.map_err(|reason| ApiError::parameter("step", reason))?;
    // Less than a millisecond is the least there is.
    let step_ms = if step_ns > 0 {
        (step_ns / 1_000_000).max(1)
    } else {
        step_ns.min(0)
    };
    Grid::range(start, end, step_ms).map_err(|error| ApiError::bad_data(error.to_string()))
}

async fn run(
    api: &PrometheusSource,
    caller: Arc<str>,
    parameters: &Parameters,
    grid: Grid,
    is_range: bool,
    limit: Option<usize>,
) -> Result<Response, ApiError> {
    let stats = parameters.get("stats");
    let request = PromqlRequest {
        timeout: parameters.timeout()?,
        lookback_ms: parameters.lookback_ms()?,
        text: Arc::from(parameters.get("query")),
        grid,
        is_range,
        per_step_stats: stats == "all",
        client: caller,
    };
    let text = Arc::clone(&request.text);
    let mut found = api
        .promql
        .query(request)
        .await
        .map_err(|error| match error.kind() {
            "bad_data" => ApiError::parameter("query", error),
            _ => ApiError::from(error),
        })?;
    let stats = (!stats.is_empty()).then(|| stats_json(&text, &found));
    let mut notes = std::mem::take(&mut found.answer.annotations);
    if limit.is_some_and(|limit| truncate(&mut found.answer.value, limit)) {
        notes.warnings.push(TRUNCATED.to_owned());
    }
    Ok(respond(found.answer.value, stats, &notes))
}

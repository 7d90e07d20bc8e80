//! `labels`, `label/{name}/values`, `series`: what there is.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use barograph_engine::Snapshot;
use barograph_model::{Labels, Matcher, TimeRange};
use barograph_promql::{Annotations, Interrupt};
use barograph_query::promql::PromqlError;

use super::PrometheusSource;
use super::caller::Caller;
use super::error::ApiError;
use super::go::quoted;
use super::json::success;
use super::label_name::unescape;
use super::parameters::Parameters;
use super::query::TRUNCATED;

/// Series whose labels are read between two looks at whether anybody still waits.
const SERIES_PER_CHECK: usize = 1024;

/// `/api/v1/labels`: the names of labels.
pub(super) async fn names(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let limit = parameters.limit()?;
    let range = parameters.range()?;
    let selectors = parameters.selectors().map_err(ApiError::bad_data)?;
    let read = move |snapshot: &Snapshot, matchers: &[Matcher]| snapshot.label_names(matchers, range);
    let names = union(&api, &caller, selectors, read).await?;
    Ok(list(names, limit))
}

/// `/api/v1/label/{name}/values`: the values of one label.
pub(super) async fn values(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let name = unescape(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data(format!(
            "invalid label name: {}",
            quoted(&name)
        )));
    }
    let limit = parameters.limit()?;
    let range = parameters.range()?;
    let selectors = parameters.selectors().map_err(ApiError::bad_data)?;
    let read = move |snapshot: &Snapshot, matchers: &[Matcher]| snapshot.label_values(&name, matchers, range);
    let values = union(&api, &caller, selectors, read).await?;
    Ok(list(values, limit))
}

/// `/api/v1/series`: the label sets of series.
pub(super) async fn series(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    if parameters.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let limit = parameters.limit()?;
    let range = parameters.range()?;
    let selectors = parameters
        .selectors()
        .map_err(|reason| ApiError::parameter("match[]", reason))?;
    let promql = Arc::clone(&api.promql);
    let read = move |interrupt: &Interrupt| {
        let snapshot = promql.snapshot();
        select(&snapshot, &selectors, range, limit, interrupt)
    };
    let mut series = api.promql.read(&caller, read).await?;
    let notes = cut(&mut series, limit);
    let series: Vec<&Labels> = series.iter().map(Arc::as_ref).collect();
    Ok(success(&series, &notes))
}

/// The series that one selector at least means, each once and sorted; of more than a limit one more than it.
pub(super) fn select(
    snapshot: &Snapshot,
    selectors: &[Vec<Matcher>],
    range: TimeRange,
    limit: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Vec<Arc<Labels>>, PromqlError> {
    let mut found: BTreeSet<Arc<Labels>> = BTreeSet::new();
    for matchers in selectors {
        let set = snapshot.select(matchers, range)?;
        for position in 0..set.len() {
            if position % SERIES_PER_CHECK == 0 {
                interrupt.check()?;
            }
            found.insert(set.labels(position)?);
            if limit.is_some_and(|limit| found.len() > limit + 1) {
                found.pop_last();
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// What is found for each selector, or for everything where there is none.
async fn union(
    api: &PrometheusSource,
    caller: &Arc<str>,
    selectors: Vec<Vec<Matcher>>,
    read: impl Fn(&Snapshot, &[Matcher]) -> barograph_engine::Result<Vec<String>> + Send + 'static,
) -> Result<Vec<String>, ApiError> {
    let promql = Arc::clone(&api.promql);
    let work = move |interrupt: &Interrupt| {
        let snapshot = promql.snapshot();
        if selectors.is_empty() {
            return Ok(read(&snapshot, &[])?);
        }
        let mut found = BTreeSet::new();
        for matchers in &selectors {
            interrupt.check()?;
            found.extend(read(&snapshot, matchers)?);
        }
        Ok(found.into_iter().collect())
    };
    Ok(api.promql.read(caller, work).await?)
}

fn list(mut texts: Vec<String>, limit: Option<usize>) -> Response {
    let notes = cut(&mut texts, limit);
    success(&texts, &notes)
}

fn cut<T>(items: &mut Vec<T>, limit: Option<usize>) -> Annotations {
    let mut notes = Annotations::default();
    if let Some(limit) = limit
        && items.len() > limit
    {
        items.truncate(limit);
        notes.warnings.push(TRUNCATED.to_owned());
    }
    notes
}

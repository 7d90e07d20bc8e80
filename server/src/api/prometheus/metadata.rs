//! `metadata`: what is known of metric families.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use barograph_model::Metadata;
use barograph_promql::Annotations;
use serde::Serialize;

use super::PrometheusSource;
use super::error::ApiError;
use super::go::parse_integer;
use super::json::success;
use super::parameters::Parameters;

#[derive(Serialize)]
struct Entry<'a> {
    r#type: &'static str,
    help: &'a str,
    unit: &'a str,
}

impl<'a> Entry<'a> {
    fn of(metadata: &'a Metadata) -> Self {
        Self {
            r#type: metadata.metric_type.as_str(),
            help: &metadata.help,
            unit: &metadata.unit,
        }
    }
}

/// `/api/v1/metadata`. A family has one entry here: the newest word about it.
pub(super) async fn metadata(
    State(api): State<Arc<PrometheusSource>>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let limit = count(&parameters, "limit")?;
    let per_metric = count(&parameters, "limit_per_metric")?;
    let metric = parameters.get("metric");
    let snapshot = api.promql.snapshot();
    let table = snapshot.metadata();
    let entries = |metadata| vec![Entry::of(metadata)].into_iter().take(per_metric).collect();
    let mut found: BTreeMap<&str, Vec<Entry<'_>>> = BTreeMap::new();
    if metric.is_empty() {
        found.extend(
            table
                .iter()
                .take(limit)
                .map(|(family, metadata)| (family, entries(metadata))),
        );
    } else if let Some(metadata) = table.get(metric).filter(|_| limit > 0) {
        found.insert(metric, entries(metadata));
    }
    Ok(success(&found, &Annotations::default()))
}

/// A number of entries; what is negative or left out means all.
fn count(parameters: &Parameters, name: &str) -> Result<usize, ApiError> {
    match parameters.get(name) {
        "" => Ok(usize::MAX),
        text => match parse_integer(text) {
            Ok(number) => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
            Err(_) => Err(ApiError::bad_data(format!("{name} must be a number"))),
        },
    }
}

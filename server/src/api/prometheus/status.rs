//! `status/...`: what this program is, how it was started, and what its store holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use barograph_engine::Snapshot;
use barograph_model::{TimeRange, TimestampMs};
use barograph_promql::{Annotations, Interrupt};
use barograph_query::promql::PromqlError;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::json;

use super::PrometheusSource;
use super::caller::Caller;
use super::error::ApiError;
use super::go::parse_integer;
use super::json::success;
use super::parameters::Parameters;

/// The release of Prometheus whose language and API this is; clients choose by it what they ask for.
pub(crate) const PROMETHEUS_VERSION: &str = "3.13.0";

/// What `tsdb` looks at: series with samples in so much time before now.
const RECENT_MS: i64 = 2 * 3_600_000;
/// Entries of each list of `tsdb`, where a request does not say, and the most.
const ENTRIES: usize = 10;
const ENTRIES_MAX: usize = 10_000;

fn plain(data: &(impl Serialize + ?Sized)) -> Response {
    success(data, &Annotations::default())
}

fn date(instant: TimestampMs) -> String {
    let instant = DateTime::from_timestamp_millis(instant.0).unwrap_or_default();
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `/api/v1/status/buildinfo`.
pub(super) async fn build() -> Response {
    plain(&json!({
        "version": PROMETHEUS_VERSION,
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "application": "Barograph",
        "barographVersion": env!("CARGO_PKG_VERSION"),
    }))
}

/// `/api/v1/status/runtimeinfo`.
pub(super) async fn runtime(State(api): State<Arc<PrometheusSource>>) -> Response {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let folder = std::env::current_dir().unwrap_or_default();
    let stats = api.engine.stats();
    plain(&json!({
        "startTime": date(api.started_at),
        "serverTime": date(api.clock.now()),
        "CWD": folder.display().to_string(),
        "hostname": host_name(),
        "reloadConfigSuccess": true,
        "lastConfigTime": date(api.started_at),
        "corruptionCount": stats.damage_totals.sum(),
        "goroutineCount": 0,
        "GOMAXPROCS": threads,
        "GOMEMLIMIT": api.promql.limits().memory.total_bytes(),
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": api.flags.get("storage.tsdb.retention.time"),
    }))
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| String::new(), |name| name.trim().to_owned())
}

/// `/api/v1/status/config`.
pub(super) async fn config(State(api): State<Arc<PrometheusSource>>) -> Response {
    plain(&json!({ "yaml": api.config_yaml }))
}

/// `/api/v1/status/flags`.
pub(super) async fn flags(State(api): State<Arc<PrometheusSource>>) -> Response {
    plain(&api.flags)
}

/// `/api/v1/status/tsdb`: which names, values and pairs most series have, among those of the last two hours.
pub(super) async fn tsdb(
    State(api): State<Arc<PrometheusSource>>,
    Caller(caller): Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let limit = match parameters.get("limit") {
        "" => ENTRIES,
        text => match parse_integer(text).map(usize::try_from) {
            Ok(Ok(limit @ 1..=ENTRIES_MAX)) => limit,
            Ok(Ok(1..)) => return Err(ApiError::bad_data(format!("limit must not exceed {ENTRIES_MAX}"))),
            _ => return Err(ApiError::bad_data("limit must be a positive number")),
        },
    };
    let promql = Arc::clone(&api.promql);
    let now = api.clock.now();
    let range = TimeRange {
        start: now.saturating_add(-RECENT_MS),
        end: TimestampMs::MAX,
    };
    let read = move |interrupt: &Interrupt| Cardinality::of(&promql.snapshot(), range, interrupt);
    let counted = api.promql.read(&caller, read).await?;
    let stats = api.engine.stats();
    Ok(plain(&json!({
        "headStats": {
            "numSeries": counted.series,
            "numLabelPairs": counted.pairs.len(),
            "chunkCount": stats.memory_rows.div_ceil(120),
            "minTime": range.start.0,
            "maxTime": now.0,
        },
        "seriesCountByMetricName": top(&counted.metrics, limit),
        "labelValueCountByLabelName": top(&counted.values, limit),
        "memoryInBytesByLabelName": top(&counted.bytes, limit),
        "seriesCountByLabelValuePair": top(&counted.pairs, limit),
    })))
}

#[derive(Serialize)]
struct Count<'a> {
    name: &'a str,
    value: u64,
}

/// The largest counts, and of equal ones the first names.
fn top(counts: &HashMap<String, u64>, limit: usize) -> Vec<Count<'_>> {
    let mut sorted: Vec<Count<'_>> = counts
        .iter()
        .map(|(name, value)| Count { name, value: *value })
        .collect();
    sorted.sort_by(|a, b| b.value.cmp(&a.value).then_with(|| a.name.cmp(b.name)));
    sorted.truncate(limit);
    sorted
}

/// How many series, values and bytes there are of each name.
#[derive(Default)]
struct Cardinality {
    series: usize,
    metrics: HashMap<String, u64>,
    values: HashMap<String, u64>,
    bytes: HashMap<String, u64>,
    pairs: HashMap<String, u64>,
}

impl Cardinality {
    fn of(snapshot: &Snapshot, range: TimeRange, interrupt: &Interrupt) -> Result<Self, PromqlError> {
        let set = snapshot.select(&[], range)?;
        let mut counted = Self {
            series: set.len(),
            ..Self::default()
        };
        let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for position in 0..set.len() {
            if position % 1024 == 0 {
                interrupt.check()?;
            }
            let labels = set.labels(position)?;
            *counted.metrics.entry(labels.metric().to_owned()).or_default() += 1;
            for (name, value) in labels.iter() {
                *counted.pairs.entry(format!("{name}={value}")).or_default() += 1;
                let of_name = values.entry(name.to_owned()).or_default();
                if !of_name.contains(value) {
                    of_name.insert(value.to_owned());
                }
            }
        }
        for (name, of_name) in values {
            let bytes = of_name.iter().map(|value| value.len() as u64).sum();
            counted.bytes.insert(name.clone(), bytes);
            counted.values.insert(name, of_name.len() as u64);
        }
        Ok(counted)
    }
}

//! A Barograph with some metrics of the last half hour, what is said of them, and exemplars.

use barograph_proto::prometheus::metric_metadata::MetricType;
use barograph_proto::prometheus::{Exemplar, MetricMetadata, TimeSeries, WriteRequest};
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::program::{Barograph, Pairs, body, compressed, labels, now_ms, pairs};

/// Samples of each series, 15 s apart, the last at [`Fixture::now_ms`].
pub const SAMPLES: i64 = 120;
pub const STEP_MS: i64 = 15_000;

pub struct Fixture {
    pub barograph: Barograph,
    /// the instant of the last samples
    pub now_ms: i64,
    client: reqwest::Client,
    _root: tempfile::TempDir,
}

fn named(name: &str, instance: &str, job: &str) -> Pairs {
    pairs(&[("__name__", name), ("instance", instance), ("job", job)])
}

/// `up` of three instances, and a counter of two of them.
pub fn series(now: i64) -> Vec<(Pairs, Vec<(i64, f64)>)> {
    let instants = move |value: fn(i64) -> f64| {
        let sample = move |i: i64| (now - (SAMPLES - 1 - i) * STEP_MS, value(i));
        (0..SAMPLES).map(sample).collect::<Vec<_>>()
    };
    vec![
        (named("up", "a:1", "node"), instants(|_| 1.0)),
        (named("up", "b:1", "node"), instants(|_| 0.0)),
        (named("up", "c:1", "api"), instants(|_| 1.0)),
        (
            named("requests_total", "a:1", "node"),
            instants(|i| i as f64 * 3.0),
        ),
        (
            named("requests_total", "c:1", "api"),
            instants(|i| i as f64 * 0.1),
        ),
    ]
}

/// Exemplars with their series: of the counter one a minute old and one that is older than 20 minutes, and one of `up`.
pub fn exemplars(now: i64) -> Vec<(Pairs, Exemplar)> {
    let exemplar = |trace: &str, ts: i64, value: f64| Exemplar {
        labels: labels(&pairs(&[("trace_id", trace)])),
        value,
        timestamp: ts,
    };
    // Between whole seconds.
    vec![
        (
            named("requests_total", "c:1", "api"),
            exemplar("new", now - 59_750, 0.25),
        ),
        (
            named("requests_total", "c:1", "api"),
            exemplar("old", now - 1_200_250, 7.0),
        ),
        (named("up", "a:1", "node"), exemplar("other", now - 59_750, 1.0)),
    ]
}

/// What is said of the metrics, as `/api/v1/metadata` has it.
pub fn metadata() -> Value {
    json!({
        "requests_total": [{ "type": "counter", "help": "Requests since the start", "unit": "requests" }],
        "up": [{ "type": "gauge", "help": "Whether the \"target\" answers", "unit": "" }],
    })
}

/// The request that says it, with the exemplars.
fn beside_samples(now: i64) -> WriteRequest {
    let metadata = metadata();
    let entry = |(family, told): (&String, &Value)| {
        let text = |key: &str| told[0][key].as_str().unwrap().to_owned();
        let kind = MetricType::from_str_name(&text("type").to_uppercase()).unwrap();
        MetricMetadata {
            r#type: kind.into(),
            metric_family_name: family.clone(),
            help: text("help"),
            unit: text("unit"),
        }
    };
    let of_series = |(series, exemplar): (Pairs, Exemplar)| TimeSeries {
        labels: labels(&series),
        exemplars: vec![exemplar],
        ..TimeSeries::default()
    };
    WriteRequest {
        timeseries: exemplars(now).into_iter().map(of_series).collect(),
        metadata: metadata.as_object().unwrap().iter().map(entry).collect(),
    }
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with_config("").await
    }

    pub async fn with_config(config: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("barograph.toml");
        std::fs::write(&path, config).unwrap();
        let mut barograph = Barograph::new(root.path()).with_config(path);
        barograph.start().await;
        let now_ms = now_ms() / 1000 * 1000;
        for body in [body(&series(now_ms)), compressed(&beside_samples(now_ms))] {
            let (status, text) = barograph.write(body).await.unwrap();
            assert_eq!(status, 204, "{text}");
        }
        Self {
            barograph,
            now_ms,
            client: reqwest::Client::new(),
            _root: root,
        }
    }

    /// A form, as Grafana and promtool send it.
    pub async fn post(&self, path: &str, form: &str) -> (u16, Value) {
        answer_to(path, self.form(path, form)).await
    }

    /// The same from a client with a name of its own: clients take turns.
    pub async fn post_as(&self, client: &str, path: &str, form: &str) -> (u16, Value) {
        answer_to(path, self.form(path, form).header("X-Scope-OrgID", client)).await
    }

    fn form(&self, path: &str, form: &str) -> RequestBuilder {
        self.client
            .post(self.barograph.url(path))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned())
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let (status, text) = self.barograph.get(path).await;
        (
            status,
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} {status}: {error}: {text}")),
        )
    }
}

async fn answer_to(path: &str, request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} {status}: {error}: {text}"));
    (status, json)
}

//! A Barograph with some metrics of the last half hour.

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::program::{Barograph, Pairs, body, now_ms, pairs};

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

/// `up` of three instances, and a counter of two of them.
pub fn series(now: i64) -> Vec<(Pairs, Vec<(i64, f64)>)> {
    let instants = move |value: fn(i64) -> f64| {
        let sample = move |i: i64| (now - (SAMPLES - 1 - i) * STEP_MS, value(i));
        (0..SAMPLES).map(sample).collect::<Vec<_>>()
    };
    let labels = |name: &str, instance: &str, job: &str| {
        pairs(&[("__name__", name), ("instance", instance), ("job", job)])
    };
    vec![
        (labels("up", "a:1", "node"), instants(|_| 1.0)),
        (labels("up", "b:1", "node"), instants(|_| 0.0)),
        (labels("up", "c:1", "api"), instants(|_| 1.0)),
        (
            labels("requests_total", "a:1", "node"),
            instants(|i| i as f64 * 3.0),
        ),
        (
            labels("requests_total", "c:1", "api"),
            instants(|i| i as f64 * 0.1),
        ),
    ]
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
        let (status, text) = barograph.write(body(&series(now_ms))).await.unwrap();
        assert_eq!(status, 204, "{text}");
        Self {
            barograph,
            now_ms,
            client: reqwest::Client::new(),
            _root: root,
        }
    }

    /// A form, as Grafana and promtool send it.
    pub async fn post(&self, path: &str, form: &str) -> (u16, Value) {
        let request = self
            .client
            .post(self.barograph.url(path))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} {status}: {error}: {text}"));
        (status, json)
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let (status, text) = self.barograph.get(path).await;
        (
            status,
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} {status}: {error}: {text}")),
        )
    }
}

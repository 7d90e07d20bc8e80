//! The API as its clients speak to it, over a store on a simulated disk.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use barograph_engine::vfs::SimVfs;
use barograph_engine::{Engine, Options, SampleColumns};
use barograph_model::{Clock, Exemplar, Labels, ManualClock, Metadata, MetricType, TimestampMs, stale_nan};
use barograph_query::promql::{PromqlEngine, PromqlLimits};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use super::{PrometheusSource, ReadPlaces, prometheus_routes};
use crate::alerting::test_hub::TestHub;

const NOW_MS: i64 = 1_767_225_600_000;

/// The API over one store for all tests: none of them writes.
fn api() -> Router {
    static API: OnceLock<Router> = OnceLock::new();
    API.get_or_init(new_api).clone()
}

/// A store with `up` of three instances over an hour, and the API over it.
fn new_api() -> Router {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(TimestampMs(NOW_MS)));
    let options = Options {
        background: false,
        ..Options::default()
    };
    let engine = Engine::open(Arc::new(SimVfs::new(0)), Arc::clone(&clock), options).unwrap();
    let head = engine.head();
    let mut columns = SampleColumns::with_capacity(&head, 0);
    for (instance, job) in [("a:1", "node"), ("b:1", "node"), ("c:1", "api")] {
        let pairs = [
            ("__name__", "up"),
            ("instance", instance),
            ("job", job),
            ("my.dots", "x"),
        ];
        let series = head.series(&Labels::from_pairs(pairs).unwrap());
        (0..240).for_each(|step| columns.push(series, NOW_MS - step * 15_000, 1.0));
    }
    let series = head.series(&Labels::from_pairs([("__name__", "gone")]).unwrap());
    columns.push(series, NOW_MS - 60_000, 1.0);
    columns.push(series, NOW_MS - 45_000, stale_nan());
    let traced = head.series(&Labels::from_pairs([("__name__", "traced_total"), ("job", "api")]).unwrap());
    columns.push_exemplar(
        traced,
        Exemplar {
            labels: Labels::from_pairs([("trace_id", "abc")]).unwrap(),
            value: 0.25,
            ts: TimestampMs(NOW_MS - 1500),
        },
    );
    columns.push_metadata(
        "up".to_owned(),
        Metadata {
            metric_type: MetricType::Gauge,
            help: "Whether it is up.".to_owned(),
            unit: String::new(),
        },
    );
    engine.append_blocking(columns).unwrap();
    let limits = PromqlLimits::default();
    let promql = PromqlEngine::new(Arc::new(Arc::clone(&engine)), limits, Arc::clone(&clock), None).unwrap();
    let alerts = TestHub::new(barograph_alerts::Options::default());
    alerts.evaluate(NOW_MS / 1000 - 60, &["a"]).unwrap();
    let (_, rules) = watch::channel(Arc::new(alerts.rules().clone()));
    prometheus_routes(PrometheusSource {
        promql: Arc::new(promql),
        engine,
        hub: alerts.hub,
        rules,
        read_places: ReadPlaces::default(),
        clock,
        started_at: TimestampMs(NOW_MS),
        config_yaml: "global: {}\n".to_owned(),
        flags: [("query.timeout".to_owned(), "2m".to_owned())].into(),
    })
}

async fn ask(request: Request<Body>) -> (StatusCode, Value) {
    let response = api().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn get(uri: &str) -> (StatusCode, Value) {
    ask(Request::get(uri).body(Body::empty()).unwrap()).await
}

async fn data(uri: &str) -> Value {
    let (status, mut answer) = get(uri).await;
    assert_eq!(
        (status, &answer["status"]),
        (StatusCode::OK, &json!("success")),
        "{uri}: {answer}"
    );
    answer["data"].take()
}

async fn error(uri: &str) -> (u16, String, String) {
    let (status, answer) = get(uri).await;
    assert_eq!(answer["status"], "error", "{uri}: {answer}");
    let text = |key: &str| answer[key].as_str().unwrap().to_owned();
    (status.as_u16(), text("errorType"), text("error"))
}

#[tokio::test]
async fn instant_queries() {
    let found = data("/api/v1/query?query=count%20by%20(job)%20(up)").await;
    assert_eq!(
        found,
        json!({"resultType": "vector", "result": [
            {"metric": {"job": "api"}, "value": [1_767_225_600, "1"]},
            {"metric": {"job": "node"}, "value": [1_767_225_600, "2"]},
        ]})
    );
    let found = data("/api/v1/query?query=1%2B1&time=12.5").await;
    assert_eq!(found, json!({"resultType": "scalar", "result": [12.5, "2"]}));
    let found = data("/api/v1/query?query=up&limit=1&stats=all").await;
    assert_eq!(found["result"].as_array().unwrap().len(), 1);
    assert_eq!(found["stats"]["samples"]["totalQueryableSamples"], 3);
    assert_eq!(found["stats"]["selectors"][0]["selector"], "up");
    let (_, answer) = get("/api/v1/query?query=up&limit=1").await;
    assert_eq!(answer["warnings"], json!(["results truncated due to limit"]));
}

#[tokio::test]
async fn range_queries_by_form() {
    let form = format!(
        "query=sum(up)&start={}&end={}&step=15",
        NOW_MS / 1000 - 30,
        NOW_MS / 1000
    );
    let request = Request::post("/api/v1/query_range")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap();
    let (status, answer) = ask(request).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        answer["data"],
        json!({"resultType": "matrix", "result": [{"metric": {}, "values": [
            [1_767_225_570, "3"], [1_767_225_585, "3"], [1_767_225_600, "3"],
        ]}]})
    );
}

#[tokio::test]
async fn errors_are_those_of_prometheus() {
    let expected = |status, kind: &str, text: &str| (status, kind.to_owned(), text.to_owned());
    assert_eq!(
        error("/api/v1/query?query=up%7B").await,
        expected(
            400,
            "bad_data",
            "invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"
        )
    );
    let range = "/api/v1/query_range?query=up";
    let cases = [
        (
            "&start=1&end=x&step=1",
            "invalid parameter \"end\": cannot parse \"x\" to a valid timestamp",
        ),
        (
            "&start=2&end=1&step=1",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "&start=1&end=2&step=0",
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            "&start=0&end=3153600000&step=0.001",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
    ];
    for (parameters, message) in cases {
        assert_eq!(
            error(&format!("{range}{parameters}")).await,
            expected(400, "bad_data", message)
        );
    }
    assert_eq!(error("/api/v1/query?query=up&timeout=0").await.0, 503);
    let (status, kind, message) = error("/api/v1/query?query=up%20%2B%20on(job)%20up").await;
    assert_eq!((status, kind.as_str()), (422, "execution"));
    assert!(
        message.starts_with("found duplicate series for the match group"),
        "{message}"
    );
    assert_eq!(error("/api/v1/series").await.2, "no match[] parameter provided");
    assert_eq!(
        error("/api/v1/labels?match[]=%7B%7D").await.2,
        "match[] must contain at least one non-empty matcher"
    );
}

#[tokio::test]
async fn what_there_is() {
    let names = json!(["__name__", "instance", "job", "my.dots"]);
    assert_eq!(data("/api/v1/labels?match[]=up").await, names);
    assert_eq!(data("/api/v1/label/job/values").await, json!(["api", "node"]));
    let some =
        "/api/v1/label/instance/values?match[]=up%7Bjob%3D%22node%22%7D&match[]=up%7Bjob%3D%22api%22%7D";
    assert_eq!(data(some).await, json!(["a:1", "b:1", "c:1"]));
    assert_eq!(data("/api/v1/label/U__my_2e_dots/values").await, json!(["x"]));
    let series = data("/api/v1/series?match[]=up%7Binstance%3D~%22a.*%22%7D").await;
    let expected = json!([{"__name__": "up", "instance": "a:1", "job": "node", "my.dots": "x"}]);
    assert_eq!(series, expected);
    let (_, answer) = get("/api/v1/series?match[]=up&limit=2").await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    assert_eq!(answer["warnings"], json!(["results truncated due to limit"]));
    let up = json!({"up": [{"type": "gauge", "help": "Whether it is up.", "unit": ""}]});
    assert_eq!(data("/api/v1/metadata?metric=up&limit_per_metric=1").await, up);
    assert_eq!(data("/api/v1/metadata?metric=down").await, json!({}));
    assert_eq!(
        error("/api/v1/metadata?limit=x").await.2,
        "limit must be a number"
    );
}

#[tokio::test]
async fn expressions_and_status() {
    let formatted = data("/api/v1/format_query?query=sum(rate(x%5B5m%5D))by(job)").await;
    assert_eq!(formatted, json!("sum by (job) (rate(x[5m]))"));
    let tree = data("/api/v1/parse_query?query=up").await;
    assert_eq!(
        (&tree["type"], &tree["name"]),
        (&json!("vectorSelector"), &json!("up"))
    );
    let build = data("/api/v1/status/buildinfo").await;
    assert!(build["version"].as_str().unwrap().starts_with("3."), "{build}");
    assert_eq!(data("/api/v1/status/flags").await["query.timeout"], "2m");
    assert_eq!(data("/api/v1/status/config").await["yaml"], "global: {}\n");
    assert_eq!(
        data("/api/v1/status/runtimeinfo").await["serverTime"],
        "2026-01-01T00:00:00.000Z"
    );
    let tsdb = data("/api/v1/status/tsdb?limit=1").await;
    assert_eq!(tsdb["headStats"]["numSeries"], 5);
    assert_eq!(
        tsdb["seriesCountByMetricName"],
        json!([{"name": "up", "value": 3}])
    );
}

#[tokio::test]
async fn exemplars_of_every_selector() {
    let found = data("/api/v1/query_exemplars?query=rate(traced_total%5B5m%5D)%2Bup").await;
    assert_eq!(
        found,
        json!([{
            "seriesLabels": {"__name__": "traced_total", "job": "api"},
            "exemplars": [{"labels": {"trace_id": "abc"}, "value": "0.25", "timestamp": 1_767_225_598.5}],
        }])
    );
    assert_eq!(data("/api/v1/query_exemplars?query=1").await, json!([]));
}

#[tokio::test]
async fn rules_and_alerts() {
    let alerts = data("/api/v1/alerts").await;
    let alert = &alerts["alerts"][0];
    assert_eq!(
        alert["labels"],
        json!({"alertname": "Down", "host": "a", "severity": "P1"})
    );
    assert_eq!(
        (&alert["state"], &alert["value"]),
        (&json!("firing"), &json!("1e+00"))
    );
    assert_eq!(alert["activeAt"], "2025-12-31T23:59:00.000Z");
    let rules = data("/api/v1/rules?type=alert").await;
    let rule = &rules["groups"][0]["rules"][0];
    assert_eq!(
        (&rule["name"], &rule["query"]),
        (&json!("Down"), &json!("SELECT 1"))
    );
    assert_eq!(
        (&rule["state"], &rule["health"]),
        (&json!("firing"), &json!("ok"))
    );
    assert_eq!(rule["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(rules["groups"][0]["file"], "test.yml");
    for nothing in [
        "type=record",
        "rule_name[]=Up",
        "rule_group[]=x",
        "file[]=x",
        "match[]=%7Ba=%22b%22%7D",
    ] {
        assert_eq!(
            data(&format!("/api/v1/rules?{nothing}")).await,
            json!({"groups": []})
        );
    }
    assert_eq!(
        error("/api/v1/rules?type=x").await.2,
        "invalid parameter \"type\": not supported value \"x\""
    );
}

#[tokio::test]
async fn the_latest_samples_are_federated() {
    let uri = "/federate?match[]=up%7Bjob%3D%22node%22%7D&match[]=gone&match[]=up";
    let response = api()
        .oneshot(Request::get(uri).body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let line = |instance: &str, job: &str| {
        format!("up{{instance=\"{instance}\",job=\"{job}\",my_dots=\"x\"}} 1 {NOW_MS}\n")
    };
    let expected = [
        "# TYPE up untyped\n".to_owned(),
        line("a:1", "node"),
        line("b:1", "node"),
        line("c:1", "api"),
    ];
    assert_eq!(text, expected.concat());
}

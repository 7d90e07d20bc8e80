//! The requests of Grafana's Prometheus data source, as its source code has them.

use barograph_proto::prometheus::Exemplar;
use serde_json::json;

use super::fixture::{Fixture, exemplars, metadata};
use crate::program::Pairs;

#[tokio::test]
async fn the_data_source_is_accepted() {
    let fixture = Fixture::new().await;
    // "Save & test": an instant query of 1+1, and what the server is.
    let (status, health) = fixture.post("/api/v1/query", "query=1%2B1&time=1767225600").await;
    assert_eq!((status, &health["data"]["resultType"]), (200, &json!("scalar")));
    assert_eq!(health["data"]["result"], json!([1_767_225_600, "2"]));
    let (status, build) = fixture.get("/api/v1/status/buildinfo").await;
    assert_eq!((status, &build["status"]), (200, &json!("success")));
    let version = build["data"]["version"].as_str().unwrap();
    assert!(
        version.starts_with("3.") && version.split('.').count() == 3,
        "{version}"
    );
    // A ruler of Mimir or Loki would be told by `features`; Prometheus has none.
    assert_eq!(build["data"]["features"], json!(null));
}

#[tokio::test]
async fn dashboards_are_filled() {
    let fixture = Fixture::new().await;
    let seconds = fixture.now_ms / 1000;
    let form = format!(
        "query=sum+by+%28job%29+%28rate%28requests_total%7Bjob%3D~%22.*%22%7D%5B1m0s%5D%29%29&start={}&end={seconds}&step=60",
        seconds - 300
    );
    let (status, range) = fixture.post("/api/v1/query_range", &form).await;
    assert_eq!(
        (status, &range["data"]["resultType"]),
        (200, &json!("matrix")),
        "{range}"
    );
    let result = range["data"]["result"].as_array().unwrap();
    assert_eq!(result.len(), 2);
    assert_eq!(result[0]["metric"], json!({"job": "api"}));
    assert_eq!(result[0]["values"].as_array().unwrap().len(), 6);
    // The exemplars that are asked for beside each range: those of the series in the expression, in its time.
    let (status, answer) = fixture.post("/api/v1/query_exemplars", &form).await;
    let shown = |(_, exemplar): &(Pairs, Exemplar)| {
        json!({
            "labels": { "trace_id": exemplar.labels[0].value },
            "value": exemplar.value.to_string(),
            "timestamp": exemplar.timestamp as f64 / 1000.0,
        })
    };
    let written = exemplars(fixture.now_ms);
    let labels = json!({"__name__": "requests_total", "instance": "c:1", "job": "api"});
    let expected = json!([{ "seriesLabels": labels, "exemplars": [shown(&written[0])] }]);
    assert_eq!((status, &answer["data"]), (200, &expected));
    // The older one as well, in the order of time.
    let form = format!("query=requests_total&start={}&end={seconds}", seconds - 1800);
    let (status, answer) = fixture.post("/api/v1/query_exemplars", &form).await;
    let both = [shown(&written[1]), shown(&written[0])];
    let expected = json!([{ "seriesLabels": labels, "exemplars": both }]);
    assert_eq!((status, &answer["data"]), (200, &expected));
}

#[tokio::test]
async fn variables_and_the_builder_ask_for_labels() {
    let fixture = Fixture::new().await;
    let seconds = fixture.now_ms / 1000;
    let range = format!("start={}&end={seconds}", seconds - 3600);
    let (status, labels) = fixture
        .post("/api/v1/labels", &format!("{range}&match%5B%5D=up"))
        .await;
    assert_eq!(
        (status, &labels["data"]),
        (200, &json!(["__name__", "instance", "job"]))
    );
    let selector = "match%5B%5D=up%7Bjob%3D%22node%22%7D&limit=40000";
    let (status, values) = fixture
        .get(&format!("/api/v1/label/instance/values?{range}&{selector}"))
        .await;
    assert_eq!((status, &values["data"]), (200, &json!(["a:1", "b:1"])));
    let (status, series) = fixture
        .post("/api/v1/series", &format!("{range}&match%5B%5D=up"))
        .await;
    assert_eq!((status, series["data"].as_array().unwrap().len()), (200, 3));
    let (status, answer) = fixture.get("/api/v1/metadata?limit=40000").await;
    assert_eq!((status, &answer["data"]), (200, &metadata()));
    let (status, answer) = fixture.get("/api/v1/metadata?metric=up").await;
    assert_eq!((status, &answer["data"]), (200, &json!({"up": metadata()["up"]})));
    let (status, rules) = fixture.get("/api/v1/rules").await;
    assert_eq!((status, &rules["data"]), (200, &json!({"groups": []})));
    let (status, alerts) = fixture.get("/api/v1/alerts").await;
    assert_eq!((status, &alerts["data"]), (200, &json!({"alerts": []})));
}

#[tokio::test]
async fn get_serves_where_a_proxy_forbids_post() {
    let fixture = Fixture::new().await;
    let seconds = fixture.now_ms / 1000;
    let (status, _) = fixture
        .get(&format!("/api/v1/query?query=up&time={seconds}"))
        .await;
    assert_eq!(status, 200);
    for path in [
        "query_range?query=up&step=15&",
        "labels?",
        "series?match[]=up&",
        "query_exemplars?query=up&",
    ] {
        let (status, answer) = fixture
            .get(&format!("/api/v1/{path}start={}&end={seconds}", seconds - 60))
            .await;
        assert_eq!((status, &answer["status"]), (200, &json!("success")), "{path}");
    }
    // What exists for GET only answers a POST with 405, on which Grafana falls back.
    let client = reqwest::Client::new();
    let post = client
        .post(fixture.barograph.url("/api/v1/label/job/values"))
        .send()
        .await
        .unwrap();
    assert_eq!(post.status().as_u16(), 405);
}

//! What no query should ask: each is a clear error within limits, and nothing else slows.

use std::time::Duration;

use serde_json::Value;

use super::fixture::Fixture;
use crate::program::eventually;

fn told(answer: &Value) -> (&str, &str) {
    let text = |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("{answer}"));
    (text("errorType"), text("error"))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn absurd_queries_are_refused() {
    let fixture = Fixture::new().await;
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    let long = format!("up{{a=\"{}\"}}", "x".repeat(1 << 20));
    let cases = [
        (deep.as_str(), "invalid parameter \"query\": "),
        (&long, "invalid parameter \"query\": "),
        (
            "up{a=~\"((a{1,100}){1,100}){1,100}\"}",
            "invalid parameter \"query\": ",
        ),
        (
            "",
            "invalid parameter \"query\": unknown position: parse error: no expression found in input",
        ),
        ("up{a\"b=\"c\"}", "invalid parameter \"query\": "),
    ];
    for (query, expected) in cases {
        let (status, answer) = fixture
            .post("/api/v1/query", &format!("query={}", encoded(query)))
            .await;
        let (kind, message) = told(&answer);
        assert_eq!((status, kind), (400, "bad_data"), "{message}");
        assert!(message.starts_with(expected), "{message}");
        assert!(message.len() < 4096, "an error of {} bytes", message.len());
    }
    let century = "query=up&start=0&end=3155760000&step=0.001";
    let (status, answer) = fixture.post("/api/v1/query_range", century).await;
    assert_eq!(status, 400);
    assert!(
        told(&answer)
            .1
            .starts_with("exceeded maximum resolution of 11,000 points"),
        "{answer}"
    );
    let duplicates = "query=up+*+on(job)+group_left+up";
    let (status, answer) = fixture.post("/api/v1/query", duplicates).await;
    assert_eq!((status, told(&answer).0), (422, "execution"));
    assert!(
        told(&answer)
            .1
            .starts_with("found duplicate series for the match group {job=\"node\"} on the right"),
        "{answer}"
    );
    let subquery = "query=sum_over_time(vector(time())%5B12000d:100ms%5D)";
    let (status, answer) = fixture.post("/api/v1/query", subquery).await;
    assert_eq!((status, told(&answer).0), (422, "execution"), "{answer}");
    // Quoted names of labels are names; a query over no data is an answer.
    let (status, answer) = fixture
        .post("/api/v1/query", "query=%7B%22no.such%22%2C%22a.b%22%3D%22c%22%7D")
        .await;
    assert_eq!(
        (status, answer["data"]["result"].as_array().map(Vec::len)),
        (200, Some(0))
    );
}

#[tokio::test]
async fn limits_of_the_configuration_hold() {
    let fixture = Fixture::with_config("[promql]\nsamples = 100\ntimeout = \"2s\"\n").await;
    let (status, answer) = fixture.post("/api/v1/query", "query=up%5B30m%5D").await;
    assert_eq!((status, told(&answer).0), (422, "execution"));
    assert!(
        told(&answer).1.contains("too many samples into memory"),
        "{answer}"
    );
    let (status, answer) = fixture.post("/api/v1/query", "query=up&timeout=0").await;
    assert_eq!((status, told(&answer).0), (503, "timeout"));
    let (status, _) = fixture.post("/api/v1/query", "query=1").await;
    assert_eq!(status, 200);
}

/// Sorts an hour of seconds for each of 11,000 steps, a hundred times: it takes long and holds little.
fn long() -> String {
    vec!["quantile_over_time(0.5, vector(time())[1h:1s])"; 100].join(" + ")
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_query() {
    let fixture = Fixture::with_config("[promql]\nconcurrency = 1\n").await;
    let form = format!("query={}&start=0&end=10999&step=1", encoded(&long()));
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let request = client
        .post(fixture.barograph.url("/api/v1/query_range"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let error = request.send().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    // Neither it nor its place remain.
    eventually("the query is gone", || async {
        let rows = fixture
            .barograph
            .rows("SELECT count(*) FROM system.queries")
            .await;
        (rows[0][0].as_i64() == Some(0)).then_some(())
    })
    .await;
    // There is one place only, so that the next query needs that of the one that was left.
    let (status, _) = fixture.post("/api/v1/query", "query=up").await;
    assert_eq!(status, 200);
}

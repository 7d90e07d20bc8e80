//! What no query should ask: each is a clear error within limits, and nothing else slows.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::fixture::Fixture;
use crate::program::{PATIENCE, Pairs, body, eventually, pairs};

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

/// A query that is refused, and how.
struct Absurd {
    path: &'static str,
    form: String,
    status: u16,
    kind: &'static str,
    says: &'static str,
}

/// One of every kind; some are refused when they are read, some when they have grown too large, one takes its time.
fn absurd(now_ms: i64) -> Vec<Absurd> {
    let instant = |query: &str, status, kind, says| Absurd {
        path: "/api/v1/query",
        form: format!("query={}", encoded(query)),
        status,
        kind,
        says,
    };
    let range = |form: String, status, kind, says| Absurd {
        path: "/api/v1/query_range",
        form,
        status,
        kind,
        says,
    };
    let seconds = now_ms / 1000;
    let long_text = format!("up{{a=\"{}\"}}", "x".repeat(1 << 20));
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    let century = "query=up&start=0&end=3155760000&step=0.001".to_owned();
    let everything = format!(
        "query={}&start={}&end={seconds}&step=1",
        encoded("topk(3, {__name__=~\".+\"})"),
        seconds - 10_999
    );
    let takes_long = format!("query={}&start=0&end=10999&step=1&timeout=1", encoded(&long()));
    let (unreadable, too_many) = ("invalid parameter \"query\": ", "too many samples into memory");
    vec![
        instant(&long_text, 400, "bad_data", unreadable),
        instant(&deep, 400, "bad_data", unreadable),
        instant(
            "up{a=~\"((a{1,100}){1,100}){1,100}\"}",
            400,
            "bad_data",
            unreadable,
        ),
        range(century, 400, "bad_data", "exceeded maximum resolution"),
        range(everything, 422, "execution", too_many),
        instant(
            "sum_over_time(vector(time())[12000d:100ms])",
            422,
            "execution",
            too_many,
        ),
        range(takes_long, 503, "timeout", ""),
    ]
}

#[tokio::test]
async fn other_clients_are_answered_beside_absurd_queries() {
    /// Only so that a failure ends.
    const DEADLINE: Duration = PATIENCE.saturating_mul(4);
    const ROUNDS: usize = 3;
    const ASKED: usize = 25;
    let fixture = Fixture::with_config("[promql]\nconcurrency = 2\nsamples = 1000000\n").await;
    let crowd: Vec<(Pairs, Vec<(i64, f64)>)> = (0..500)
        .map(|i| {
            let labels = pairs(&[("__name__", "crowd"), ("i", &format!("{i}"))]);
            (labels, vec![(fixture.now_ms, f64::from(i))])
        })
        .collect();
    assert_eq!(fixture.barograph.write(body(&crowd)).await.unwrap().0, 204);
    let (rounds, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (fixture, cases) = (&fixture, absurd(fixture.now_ms));
    let absurd_client = async {
        while !is_over.load(Ordering::Relaxed) {
            let asking = cases.iter().map(|case| async move {
                let (status, answer) = fixture.post_as("absurd", case.path, &case.form).await;
                let (kind, message) = told(&answer);
                assert_eq!((status, kind), (case.status, case.kind), "{message}");
                assert!(message.contains(case.says), "{message}");
            });
            futures::future::join_all(asking).await;
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    };
    let seconds = fixture.now_ms / 1000;
    let orderly_client = async {
        let mut asked = 0;
        while asked < ASKED || rounds.load(Ordering::Relaxed) < ROUNDS {
            let labels = pairs(&[("__name__", "acknowledged")]);
            let sample = (fixture.now_ms - 60_000 + asked as i64, asked as f64);
            let (status, text) = fixture
                .barograph
                .write(body(&[(labels, vec![sample])]))
                .await
                .unwrap();
            assert_eq!(status, 204, "{text}");
            for (query, expected) in [
                (
                    "sum by (job) (up)",
                    vec![(Some("api"), "1".to_owned()), (Some("node"), "1".to_owned())],
                ),
                ("acknowledged", vec![(None, asked.to_string())]),
            ] {
                let form = format!("query={}&time={seconds}", encoded(query));
                let (status, answer) = fixture.post_as("orderly", "/api/v1/query", &form).await;
                let result = answer["data"]["result"].as_array();
                let mut found: Vec<_> = result
                    .unwrap_or_else(|| panic!("{query}: {status} {answer}"))
                    .iter()
                    .map(|series| {
                        let value = series["value"][1].as_str().unwrap().to_owned();
                        (series["metric"]["job"].as_str(), value)
                    })
                    .collect();
                found.sort();
                assert_eq!((status, found), (200, expected), "{query}");
            }
            asked += 1;
        }
        is_over.store(true, Ordering::Relaxed);
        asked
    };
    let both = async { tokio::join!(absurd_client, orderly_client) };
    let ((), asked) = tokio::time::timeout(DEADLINE, both)
        .await
        .unwrap_or_else(|_| panic!("not within {DEADLINE:?}, after {rounds:?} rounds"));
    let rows = fixture
        .barograph
        .rows("SELECT count(*), max(value) FROM acknowledged")
        .await;
    assert_eq!(
        (rows[0][0].as_u64(), rows[0][1].as_f64()),
        (Some(asked as u64), Some((asked - 1) as f64))
    );
}

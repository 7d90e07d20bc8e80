//! From samples to a rule to a webhook and a subscriber, across a kill -9.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use tokio::sync::Mutex;

use super::program::{Barograph, Process, body, eventually, now_ms, pairs};

type Received = Arc<Mutex<Vec<serde_json::Value>>>;

async fn receiver() -> (u16, Received) {
    let received = Received::default();
    let take = |State(received): State<Received>, axum::Json(json): axum::Json<serde_json::Value>| async move {
        received.lock().await.push(json);
    };
    let routes = Router::new()
        .route("/hook", post(take))
        .with_state(Arc::clone(&received));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (port, received)
}

fn write_rules(root: &Path, sql: &str) {
    let rules = format!(
        "groups:\n- name: queue\n  interval: 1s\n  rules:\n  - alert: QueueLong\n    sql: \"{sql}\"\n    \
         labels: {{severity: P1}}\n    annotations: {{summary: '{{{{ $labels.service }}}}: {{{{ $value }}}} wait'}}\n"
    );
    std::fs::write(root.join("rules.yml"), rules).unwrap();
}

const LONG: &str = "SELECT service, last_value(value ORDER BY ts) AS value FROM metrics.queue_length \
                    WHERE ts > now() - INTERVAL '1 hour' GROUP BY service HAVING last_value(value ORDER BY ts) > 100";

async fn queue(barograph: &Barograph, length: f64) {
    let rows = vec![(
        pairs(&[("__name__", "queue_length"), ("service", "orders")]),
        vec![(now_ms(), length)],
    )];
    assert_eq!(barograph.write(body(&rows)).await.unwrap().0, 204);
}

async fn until_status(received: &Received, status: &str) -> serde_json::Value {
    eventually(&format!("a notification that is {status}"), || async {
        received
            .lock()
            .await
            .iter()
            .find(|n| n["status"] == status)
            .cloned()
    })
    .await
}

#[tokio::test]
async fn an_alert_reaches_its_receivers_once_and_survives_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let (hook, received) = receiver().await;
    write_rules(root.path(), LONG);
    let config = root.path().join("barograph.toml");
    let text = format!(
        "[alerts]\nrules = [\"rules.yml\"]\n[[channel]]\nname = \"oncall\"\nkind = \"webhook\"\n\
         url = \"http://127.0.0.1:{hook}/hook\"\n[[route]]\nchannel = \"oncall\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut barograph = Barograph::new(root.path()).with_config(config);
    barograph.start().await;
    queue(&barograph, 7.0).await;
    queue(&barograph, 250.0).await;
    let firing = until_status(&received, "firing").await;
    assert_eq!(firing["version"], "4");
    assert_eq!(firing["alerts"][0]["labels"]["alertname"], "QueueLong");
    assert_eq!(firing["alerts"][0]["annotations"]["summary"], "orders: 250 wait");
    let alerts = barograph
        .rows("SELECT rule, severity, state, value, labels['service'] FROM alerts")
        .await;
    assert_eq!(
        serde_json::json!(alerts),
        serde_json::json!([["QueueLong", "P1", "firing", 250.0, "orders"]])
    );

    // A broken rule is refused with its place, and the old rules go on.
    write_rules(root.path(), "SELEC 1");
    let (status, text) = barograph.post("/-/reload").await;
    assert!(status == 400 && text.contains("rules.yml:"), "{status} {text}");

    barograph.kill();
    write_rules(root.path(), LONG);
    barograph.start().await;
    let alerts = barograph
        .rows("SELECT state FROM alerts WHERE rule = 'QueueLong'")
        .await;
    assert_eq!(
        serde_json::json!(alerts),
        serde_json::json!([["firing"]]),
        "still firing, not fired anew"
    );
    queue(&barograph, 3.0).await;
    until_status(&received, "resolved").await;
    let count = received
        .lock()
        .await
        .iter()
        .filter(|n| n["status"] == "firing")
        .count();
    assert_eq!(
        count, 1,
        "the kill came after the delivery was recorded, so it is not repeated"
    );

    let events = barograph.rows("SELECT seq, kind FROM events ORDER BY seq").await;
    let seqs: Vec<i64> = events.iter().map(|row| row[0].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "{events:?}");
    assert_eq!(watched(&barograph, events.len()), seqs.len());
}

/// Lines that `barograph alerts watch` prints from the beginning.
fn watched(barograph: &Barograph, expected: usize) -> usize {
    let child = Command::new(env!("CARGO_BIN_EXE_barograph"))
        .args([
            "alerts",
            "watch",
            "--cursor",
            "beginning",
            "--format",
            "json",
            "--url",
        ])
        .arg(format!("http://127.0.0.1:{}", barograph.grpc))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    lines
        .map(Result::unwrap)
        .filter(|line| line.contains("\"seq\"") || line.contains("\"event\""))
        .take(expected)
        .count()
}

#[tokio::test]
async fn a_broken_rule_keeps_the_program_from_starting() {
    let root = tempfile::tempdir().unwrap();
    write_rules(root.path(), "SELECT value FROM metrics.x WHERE");
    let config = root.path().join("barograph.toml");
    std::fs::write(&config, "[alerts]\nrules = [\"rules.yml\"]\n").unwrap();
    let barograph = Barograph::new(root.path()).with_config(config);
    let output = Command::new(env!("CARGO_BIN_EXE_barograph"))
        .args(barograph.arguments())
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("rules.yml:6"), "{message}");
}

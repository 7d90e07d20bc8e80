//! Starting, stopping, and what is said when that cannot be.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use super::program::{Barograph, body, now_ms, pairs};

fn failure(arguments: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_barograph"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_stop_writes_memory_to_segments_and_a_start_reads_them() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    barograph.start().await;
    let ts = now_ms();
    let rows = vec![(pairs(&[("__name__", "up"), ("job", "a")]), vec![(ts, 1.0)])];
    assert_eq!(barograph.write(body(&rows)).await.unwrap().0, 204);
    let before = barograph.samples(ts, ts).await;
    assert_eq!(before.len(), 1);
    let (status, metrics) = barograph.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "barograph_ingest_samples_total 1",
        "barograph_store_head_series 1",
        "barograph_store_memory_rows 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in\n{metrics}");
    }
    assert_eq!(barograph.get("/-/healthy").await.0, 200);
    assert_eq!(barograph.terminate().code(), Some(0));
    let segments = std::fs::read_dir(barograph.data_dir.join("segments"))
        .unwrap()
        .count();
    assert_eq!(segments, 3, "a samples file, a series file and their index");
    barograph.start().await;
    assert_eq!(barograph.samples(ts, ts).await, before);
}

#[tokio::test]
async fn a_taken_port_and_a_taken_directory_are_named() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    barograph.start().await;
    let port = failure(&barograph.arguments());
    assert!(
        port.contains(&format!("127.0.0.1:{}", barograph.http)) && port.contains("--http-listen"),
        "{port}"
    );
    let mut other = Barograph::new(root.path()).arguments();
    other[2] = barograph.data_dir.display().to_string();
    let locked = failure(&other);
    assert!(
        locked.contains("in use by another process") && locked.contains("--data-dir"),
        "{locked}"
    );
}

#[tokio::test]
async fn a_broken_configuration_is_told_with_its_line() {
    let root = tempfile::tempdir().unwrap();
    let config = root.path().join("barograph.toml");
    std::fs::write(&config, "[storage]\nretension = \"15d\"\n").unwrap();
    let barograph = Barograph::new(root.path()).with_config(config);
    let message = failure(&barograph.arguments());
    assert!(
        message.contains("barograph.toml:2") && message.contains("retention"),
        "{message}"
    );
}

#[tokio::test]
async fn queries_fail_with_a_code_a_message_and_a_hint() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    barograph.start().await;
    let rows = vec![(pairs(&[("__name__", "orders_total")]), vec![(now_ms(), 1.0)])];
    barograph.write(body(&rows)).await.unwrap();
    let client = reqwest::Client::new();
    for (query, code, names) in [
        ("SELECT * FROM order_total", "unknown_table", "orders_total"),
        ("SELECT valu FROM orders_total", "unknown_column", "value"),
        ("SELEC 1", "parse_error", ""),
        ("DROP TABLE orders_total", "read_only", ""),
    ] {
        let body = serde_json::json!({ "query": query });
        let answer = client
            .post(barograph.url("/api/v1/sql"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{query}");
        let text = answer.text().await.unwrap();
        let error: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(error["error"]["code"], code, "{query}: {text}");
        assert!(text.contains(names), "{query}: {text}");
    }
}

#[test]
fn a_stop_while_it_starts_is_as_clean_as_any_other() {
    let root = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_barograph"))
        .args(Barograph::new(root.path()).arguments())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Its first word comes when signals are listened to and nothing else has begun.
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    log.read_line(&mut said).unwrap();
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    log.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(said.contains("stopped"), "{said}");
}

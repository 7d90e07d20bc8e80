//! A snapshot over HTTP is a data directory that a second server opens beside the first.

use super::program::{Barograph, body, eventually, now_ms, pairs};

const RULES: &str = "groups:\n- name: queue\n  interval: 1s\n  rules:\n  - alert: Always\n    sql: \"SELECT service, \
                     max(value) AS value FROM metrics.queue_length GROUP BY service\"\n    labels: {severity: P1}\n";

async fn write(barograph: &Barograph, service: &str, ts: i64, value: f64) {
    let series = pairs(&[("__name__", "queue_length"), ("service", service)]);
    let (status, text) = barograph
        .write(body(&[(series, vec![(ts, value)])]))
        .await
        .unwrap();
    assert_eq!(status, 204, "{text}");
}

#[tokio::test]
async fn a_second_server_answers_from_it_while_the_first_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let config = root.path().join("barograph.toml");
    std::fs::write(root.path().join("rules.yml"), RULES).unwrap();
    std::fs::write(
        &config,
        "[http]\nadmin_api = true\n[alerts]\nrules = [\"rules.yml\"]\n",
    )
    .unwrap();
    let mut first = Barograph::new(root.path()).with_config(config);
    first.start().await;
    let start = now_ms() - 10_000;
    for i in 0..20 {
        write(&first, "orders", start + i, i as f64 / 8.0).await;
    }
    let events = "SELECT seq, rule, kind FROM events ORDER BY seq";
    eventually("an alert fires", || async {
        let rows = first.rows(events).await;
        (!rows.is_empty()).then_some(())
    })
    .await;
    let expected = first.samples(start, now_ms()).await;
    let expected_events = first.rows(events).await;
    assert_eq!(expected.len(), 20);
    first
        .rows("CREATE VIEW long_queues AS SELECT service, value FROM queue_length WHERE value > 2")
        .await;
    let view = "SELECT service, value FROM long_queues WHERE value < 2.5 ORDER BY value";
    let expected_rows = first.rows(view).await;
    assert_eq!(expected_rows.len(), 3);

    let (status, text) = first.post("/api/v1/admin/tsdb/snapshot").await;
    assert_eq!(status, 200, "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let name = answer["data"]["name"].as_str().unwrap().to_owned();
    assert_eq!(
        answer,
        serde_json::json!({"status": "success", "data": {"name": name}})
    );
    let (stamp, drawn) = name.split_once('-').unwrap();
    assert_eq!((stamp.len(), stamp.ends_with('Z')), (16, true), "{name}");
    assert!(u64::from_str_radix(drawn, 16).is_ok(), "{name}");

    // The first goes on, and its next snapshot without memory lacks what is only there.
    for i in 20..30 {
        write(&first, "orders", start + i, i as f64).await;
    }
    let client = reqwest::Client::new();
    let skipped = client
        .put(first.url("/api/v1/admin/tsdb/snapshot?skip_head=true"))
        .send();
    let skipped: serde_json::Value = skipped.await.unwrap().json().await.unwrap();
    for name in [name.as_str(), skipped["data"]["name"].as_str().unwrap()] {
        let other_root = tempfile::tempdir().unwrap();
        let data_dir = first.data_dir.join("snapshots").join(name);
        let mut second = Barograph::new(other_root.path()).with_data_dir(data_dir);
        second.start().await;
        assert_eq!(second.samples(start, now_ms()).await, expected, "{name}");
        let found = second.rows(events).await;
        assert_eq!(found[..expected_events.len()], expected_events, "{name}");
        assert_eq!(second.rows(view).await, expected_rows, "{name}");
        assert_eq!(second.terminate().code(), Some(0));
    }
    assert_eq!(first.samples(start, now_ms()).await.len(), 30);
}

#[tokio::test]
async fn without_the_switch_it_is_refused_with_how_to_turn_it_on() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    barograph.start().await;
    let (status, text) = barograph.post("/api/v1/admin/tsdb/snapshot").await;
    assert_eq!(status, 403, "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["status"], "error");
    let message = answer["error"].as_str().unwrap();
    assert!(
        message.contains("admin APIs disabled") && message.contains("--enable-admin-api"),
        "{text}"
    );
    assert!(!barograph.data_dir.join("snapshots").exists());
    let mut enabled = Barograph::new(root.path())
        .with_data_dir(root.path().join("other"))
        .with_flags(&["--enable-admin-api"]);
    enabled.start().await;
    let (status, text) = enabled.post("/api/v1/admin/tsdb/snapshot?skip_head=maybe").await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("bad_data") && text.contains("skip_head"), "{text}");
    let (status, text) = enabled.get("/api/v1/admin/tsdb/snapshot").await;
    assert_eq!(status, 405, "{text}");
}

#[tokio::test]
async fn series_are_deleted_and_a_snapshot_from_before_keeps_them() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path()).with_flags(&["--enable-admin-api"]);
    barograph.start().await;
    let start = now_ms() - 10_000;
    for i in 0..10 {
        write(&barograph, "orders", start + i * 1000, i as f64).await;
        write(&barograph, "login", start + i * 1000, i as f64).await;
    }
    let before = barograph.samples(start, now_ms()).await;
    assert_eq!(before.len(), 20);
    let (_, text) = barograph.post("/api/v1/admin/tsdb/snapshot").await;
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let name = answer["data"]["name"].as_str().unwrap().to_owned();
    let path = "/api/v1/admin/tsdb/delete_series";
    for wrong in ["", "?match[]=up[5m]", "?match[]=up&start=soon"] {
        let (status, text) = barograph.post(&format!("{path}{wrong}")).await;
        assert!(
            status == 400 && text.contains("bad_data"),
            "{wrong}: {status} {text}"
        );
    }
    // The first five of one series: both ends are inside.
    let end = (start + 4000) as f64 / 1000.0;
    let query = format!("?match[]=queue_length{{service=\"login\"}}&start=0&end={end:.3}");
    let (status, text) = barograph.post(&format!("{path}{query}")).await;
    assert_eq!((status, text.as_str()), (204, ""));
    let expected: super::program::Samples = before
        .iter()
        .filter(|((series, ts), _)| {
            let is_login = series.iter().any(|(_, value)| value == "login");
            !(is_login && *ts <= start + 4000)
        })
        .map(|(key, bits)| (key.clone(), *bits))
        .collect();
    assert_eq!(expected.len(), 15);
    assert_eq!(barograph.samples(start, now_ms()).await, expected);
    let (status, text) = barograph.post("/api/v1/admin/tsdb/clean_tombstones").await;
    assert_eq!((status, text.as_str()), (204, ""));
    let (_, metrics) = barograph.get("/metrics").await;
    assert!(
        metrics
            .lines()
            .any(|line| line == "barograph_store_segment_rows 15"),
        "{metrics}"
    );
    barograph.kill();
    barograph.start().await;
    assert_eq!(barograph.samples(start, now_ms()).await, expected, "for good");
    let data_dir = barograph.data_dir.join("snapshots").join(name);
    let mut old = Barograph::new(root.path()).with_data_dir(data_dir);
    old.start().await;
    assert_eq!(old.samples(start, now_ms()).await, before);
    // Without the switch nothing is deleted.
    let (status, _) = old.post(&format!("{path}?match[]=queue_length")).await;
    assert_eq!(status, 403);
    assert_eq!(old.post("/api/v1/admin/tsdb/clean_tombstones").await.0, 403);
    assert_eq!(old.samples(start, now_ms()).await, before);
}

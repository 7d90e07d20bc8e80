//! Queries leave traces: the query log, `system.top_queries`; and the command line asks them.

use std::process::Command;

use serde_json::Value;

use super::fixture::Fixture;
use crate::program::eventually;

fn barograph(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_barograph"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn queries_are_written_down() {
    let fixture = Fixture::with_config("[promql]\nquery_log = \"queries.jsonl\"\n").await;
    fixture.post("/api/v1/query", "query=up").await;
    fixture.post("/api/v1/query", "query=up").await;
    fixture.post("/api/v1/query", "query=up%7B").await;
    let log = fixture.barograph.data_dir.with_file_name("queries.jsonl");
    let lines: Vec<Value> = eventually("three lines of the log", || async {
        let text = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (lines.len() == 3).then_some(lines)
    })
    .await;
    assert_eq!(lines[0]["params"]["query"], "up");
    assert_eq!(lines[0]["stats"]["selectors"][0]["seriesMatched"], 3);
    assert_eq!(
        (&lines[2]["errorType"], &lines[0]["client"]),
        (&"bad_data".into(), &"127.0.0.1".into())
    );
    let top = "SELECT query, count, errors, samples_total FROM system.top_queries ORDER BY query";
    let rows = fixture.barograph.rows(top).await;
    let up: Vec<Value> = vec!["up".into(), 2.into(), 0.into(), 6.into()];
    let wrong: Vec<Value> = vec!["up{".into(), 1.into(), 1.into(), 0.into()];
    assert_eq!(rows, [up, wrong]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks() {
    let fixture = Fixture::new().await;
    let url = fixture.barograph.url("");
    let time = (fixture.now_ms / 1000).to_string();
    let (is_ok, table, _) = barograph(&["promql", "up == 0", "--url", &url, "--time", &time]);
    assert!(
        is_ok && table.contains("up{instance=\"b:1\", job=\"node\"}") && table.contains("(1 sample)"),
        "{table}"
    );
    let start = (fixture.now_ms / 1000 - 60).to_string();
    let range = [
        "promql", "sum(up)", "--url", &url, "--start", &start, "--end", &time, "--step", "15s", "--format",
        "json",
    ];
    let (is_ok, json, _) = barograph(&range);
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert!(is_ok);
    assert_eq!(answer["data"]["result"][0]["values"].as_array().unwrap().len(), 5);
    let (is_ok, _, error) = barograph(&["promql", "up{", "--url", &url]);
    assert!(
        !is_ok && error.starts_with("barograph: invalid parameter \"query\": 1:4: parse error:"),
        "{error}"
    );
    let (is_ok, _, error) = barograph(&["promql", "up", "--url", "127.0.0.1:1"]);
    assert!(
        !is_ok && error.contains("cannot reach http://127.0.0.1:1"),
        "{error}"
    );
}

//! `promtool`, unmodified.

use std::process::Command;

use super::fixture::Fixture;

/// What a command printed; it must have succeeded.
fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool")
        .args(arguments)
        .output()
        .expect("promtool is installed (apt-get install prometheus)");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
    stdout.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_asks() {
    let fixture = Fixture::new().await;
    let url = fixture.barograph.url("");
    let seconds = fixture.now_ms / 1000;
    let at = format!("--time={seconds}");

    let instant = promtool(&["query", "instant", &at, &url, "sum by (job) (up)"]);
    assert_eq!(
        instant,
        format!("{{job=\"api\"}} => 1 @[{seconds}]\n{{job=\"node\"}} => 1 @[{seconds}]\n")
    );
    let scalar = promtool(&["query", "instant", &at, &url, "1+1"]);
    assert_eq!(scalar, format!("scalar: 2 @[{seconds}]\n"));

    let (start, end) = (format!("--start={}", seconds - 30), format!("--end={seconds}"));
    let range = promtool(&[
        "query",
        "range",
        &start,
        &end,
        "--step=15s",
        &url,
        "rate(requests_total{job=\"node\"}[5m])",
    ]);
    let values: Vec<f64> = range
        .lines()
        .filter_map(|line| line.split_once(" @[")?.0.parse().ok())
        .collect();
    assert_eq!(values.len(), 3, "{range}");
    assert!(values.iter().all(|value| (value - 0.2).abs() < 1e-9), "{range}");

    let series = promtool(&["query", "series", "--match=up{job=\"node\"}", &url]);
    let expected = "{__name__=\"up\", instance=\"a:1\", job=\"node\"}\n{__name__=\"up\", instance=\"b:1\", job=\"node\"}\n";
    assert_eq!(series, expected);
    assert_eq!(promtool(&["query", "labels", &url, "job"]), "api\nnode\n");

    // The one command of `promtool tsdb` that speaks HTTP: it evaluates recording rules over a range.
    let folder = tempfile::tempdir().unwrap();
    let (rules, blocks) = (folder.path().join("rules.yml"), folder.path().join("blocks"));
    std::fs::write(
        &rules,
        "groups: [{name: g, rules: [{record: job:up:sum, expr: sum by (job) (up)}]}]\n",
    )
    .unwrap();
    let output_dir = format!("--output-dir={}", blocks.display());
    let (rules, url_flag) = (rules.display().to_string(), format!("--url={url}"));
    let start = format!("--start={}", seconds - 600);
    let command = [
        "tsdb",
        "create-blocks-from",
        "rules",
        &output_dir,
        &start,
        &end,
        "--eval-interval=15s",
        &url_flag,
        &rules,
    ];
    promtool(&command);
    // Without a log the folder is not taken for a store.
    std::fs::create_dir(blocks.join("wal")).unwrap();
    let dump = promtool(&["tsdb", "dump", &blocks.display().to_string()]);
    // Two series; where the steps begin is the tool's choice.
    assert!(dump.matches("job:up:sum").count() >= 60, "{dump}");
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_shows_prometheus_errors() {
    let fixture = Fixture::new().await;
    let output = Command::new("promtool")
        .args(["query", "instant", &fixture.barograph.url(""), "up{"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        text.contains("parse error: unexpected end of input inside braces"),
        "{text}"
    );
}

//! What Prometheus has kept is taken in: from its own blocks, from texts, over remote read.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::backup::{command, kill_when, outcome, succeed};
use super::gate::Gate;
use super::ports::free_port;
use super::program::{Barograph, Process, Samples, body, eventually, now_ms, pairs};

const SERIES: i64 = 40;
const SCRAPE_MS: i64 = 15_000;

/// A history in OpenMetrics text, as it must be found afterwards. Times are whole seconds, which doubles hold.
fn history(scrapes: i64) -> (String, Samples, i64) {
    let end = now_ms() / 1000 * 1000 - 60_000;
    let start = end - scrapes * SCRAPE_MS;
    let (mut text, mut samples) = (String::new(), Samples::new());
    for metric in ["requests_total", "queue_length"] {
        let kind = if metric.ends_with("total") {
            "counter"
        } else {
            "gauge"
        };
        writeln!(text, "# TYPE {} {kind}", metric.trim_end_matches("_total")).unwrap();
        for i in 0..SERIES / 2 {
            let path = format!("/a\"b\\c/{i}");
            let series = pairs(&[("__name__", metric), ("job", "import"), ("path", &path)]);
            let escaped = path.replace('\\', "\\\\").replace('"', "\\\"");
            for k in 0..scrapes {
                let ts = start + k * SCRAPE_MS;
                let value = match (i, k % 50) {
                    (3, 7) => f64::INFINITY,
                    (4, _) => (k as f64).sqrt(),
                    _ => (k * (i + 1)) as f64 / 4.0,
                };
                writeln!(
                    text,
                    "{metric}{{job=\"import\",path=\"{escaped}\"}} {value:?} {}",
                    ts / 1000
                )
                .unwrap();
                samples.insert((series.clone(), ts), value.to_bits());
            }
        }
    }
    let text = text.replace(" inf ", " +Inf ") + "# EOF\n";
    (text, samples, start)
}

fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).unwrap();
    path.display().to_string()
}

/// Blocks of Prometheus, made by its own promtool.
fn blocks(root: &Path, text: &str) -> PathBuf {
    let source = write(&root.join("history.txt"), text);
    let blocks = root.join("blocks");
    let output = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", &source])
        .arg(&blocks)
        .output()
        .expect("promtool is installed (apt-get install prometheus)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    blocks
}

async fn server(root: &Path) -> Barograph {
    let mut barograph = Barograph::new(root).with_flags(&["--retention", "off"]);
    barograph.start().await;
    barograph
}

#[tokio::test]
async fn blocks_of_prometheus_arrive_whole() {
    let root = tempfile::tempdir().unwrap();
    let (text, expected, start) = history(1200);
    let blocks = blocks(root.path(), &text);
    let barograph = server(root.path()).await;
    let dir = blocks.display().to_string();
    let url = barograph.url("");
    let report = succeed(&mut command(&["import", "--block-dir", &dir, "--url", &url]));
    let count = expected.len();
    assert!(
        report.contains(&format!("read {count} samples of 2 metrics"))
            && report.contains("parity: the target"),
        "{report}"
    );
    assert_eq!(barograph.samples(start, now_ms()).await, expected);
    assert!(!root.path().join("blocks.barograph-import").exists());

    // One block on its own, and into a directory without a server.
    let block = std::fs::read_dir(&blocks)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join("meta.json").is_file())
        .unwrap();
    let alone = root.path().join("alone");
    let report = succeed(&mut command(&[
        "import",
        "--block-dir",
        &block.display().to_string(),
        "--data-dir",
        &alone.display().to_string(),
    ]));
    assert!(report.contains("parity: the target"), "{report}");
    let mut served = Barograph::new(root.path())
        .with_data_dir(alone)
        .with_flags(&["--retention", "off"]);
    served.start().await;
    let found = served.samples(start, now_ms()).await;
    assert!(!found.is_empty() && found.len() < count);
    assert!(found.iter().all(|(key, bits)| expected.get(key) == Some(bits)));
    let (is_success, _, stderr) = outcome(&mut command(&[
        "import",
        "--block-dir",
        &root.path().display().to_string(),
        "--url",
        &url,
    ]));
    assert!(!is_success && stderr.contains("holds no block"), "{stderr}");
}

#[tokio::test]
async fn a_running_prometheus_is_read_window_by_window() {
    let root = tempfile::tempdir().unwrap();
    let (text, expected, start) = history(600);
    let blocks = blocks(root.path(), &text);
    let config = root.path().join("prometheus.yml");
    write(&config, "global: {scrape_interval: 1h}\n");
    let port = free_port();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", blocks.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(root.path().join("prometheus.log")).unwrap())
        .spawn()
        .expect("prometheus is installed (apt-get install prometheus)");
    let _prometheus = Process(child);
    let barograph = server(root.path()).await;
    let source = format!("http://127.0.0.1:{port}");
    eventually("Prometheus is ready", || async {
        let answer = reqwest::get(format!("{source}/-/ready")).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    let (from, to, url) = (start.to_string(), now_ms().to_string(), barograph.url(""));
    let report = succeed(&mut command(&[
        "import",
        "--remote-read",
        &source,
        "--from",
        &from,
        "--to",
        &to,
        "--selector",
        "{job=\"import\"}",
        "--window",
        "20m",
        "--url",
        &url,
    ]));
    assert!(report.contains("of 2 metrics"), "{report}");
    assert_eq!(barograph.samples(start, now_ms()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_import_goes_on_where_it_was() {
    let root = tempfile::tempdir().unwrap();
    let (text, expected, start) = history(8_000);
    let file = write(&root.path().join("big.txt"), &text);
    let state = root.path().join("big.txt.barograph-import");
    let barograph = server(root.path()).await;
    let gate = Gate::new(barograph.url(""), state.clone()).await;
    let words = ["import", "--openmetrics", &file, "--url", &gate.url];
    // Killed with some of it counted, some of it stored and not acknowledged, and some of it not sent: twice, the second
    // time while it goes on.
    let mut saved = 0;
    for kill in 0..2 {
        assert!(
            kill_when(&words, || gate.has_saved()),
            "kill {kill}: it ended before, although it was not answered"
        );
        gate.client_was_killed();
        let now = saved_samples(&state);
        assert!(
            saved < now && now < expected.len(),
            "kill {kill}: {saved}, then {now}"
        );
        saved = now;
    }
    gate.open();
    let (is_success, stdout, stderr) = outcome(&mut command(&words));
    assert!(is_success, "{stderr}");
    assert!(
        stderr.contains("going on with the import") && stderr.contains(&format!(" after {saved} samples")),
        "{stderr}"
    );
    assert!(
        stdout.contains(&format!("read {} samples of 2 metrics", expected.len()))
            && stdout.contains("parity: the target"),
        "{stdout}"
    );
    assert_eq!(barograph.samples(start, now_ms()).await, expected);
    assert!(!state.exists());
}

/// The samples that a state file counts.
fn saved_samples(state: &Path) -> usize {
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap();
    let samples = state["tally"]["samples"].as_u64();
    samples.unwrap_or_else(|| panic!("{state}")) as usize
}

#[tokio::test]
async fn bad_lines_and_differing_counts_are_told() {
    let root = tempfile::tempdir().unwrap();
    let barograph = server(root.path()).await;
    let url = barograph.url("");
    let end = now_ms() / 1000 - 60;
    let text = format!("up 1 {end}\nup one {end}\nup 2 {}\n# EOF\n", end + 1);
    let file = write(&root.path().join("bad.txt"), &text);
    let (is_success, _, stderr) = outcome(&mut command(&["import", "--openmetrics", &file, "--url", &url]));
    assert!(
        !is_success && stderr.contains("bad.txt:2: \"one\" is not a number"),
        "{stderr}"
    );
    let report = succeed(&mut command(&[
        "import",
        "--openmetrics",
        &file,
        "--url",
        &url,
        "--skip-bad",
    ]));
    assert!(
        report.contains("read 2 samples") && report.contains("1 bad lines left out"),
        "{report}"
    );
    // Another sample of the same metric in between makes the counts differ.
    let between = vec![(
        pairs(&[("__name__", "up"), ("from", "elsewhere")]),
        vec![(end * 1000 + 500, 1.0)],
    )];
    barograph.write(body(&between)).await.unwrap();
    let dump = format!(
        "{{__name__=\"up\"}} 1 {}\n{{__name__=\"up\"}} 2 {}\n",
        end * 1000,
        (end + 1) * 1000
    );
    let dump = write(&root.path().join("dump.txt"), &dump);
    let words = ["import", "--tsdb-dump", &dump, "--url", &url];
    let (is_success, _, stderr) = outcome(&mut command(&words));
    assert!(
        !is_success && stderr.contains("up: the target holds 1 samples more than the 2"),
        "{stderr}"
    );
    let report = succeed(command(&words).arg("--allow-more"));
    assert!(report.contains("parity"), "{report}");
    // A server whose retention is shorter than the history says so, and how to change it.
    let mut short = Barograph::new(root.path()).with_data_dir(root.path().join("short"));
    short.start().await;
    let old = write(&root.path().join("old.txt"), "up 1 1000000000\n# EOF\n");
    let short_url = short.url("");
    let (is_success, _, stderr) = outcome(&mut command(&[
        "import",
        "--openmetrics",
        &old,
        "--url",
        &short_url,
    ]));
    assert!(!is_success && stderr.contains("--retention off"), "{stderr}");
}

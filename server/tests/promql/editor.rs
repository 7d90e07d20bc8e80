//! The client of Prometheus' own editor, under Node.
//!
//! `cargo xtask node` installs it below the target folder.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::fixture::{Fixture, metadata};

#[tokio::test(flavor = "multi_thread")]
async fn the_editor_completes() {
    let fixture = Fixture::new().await;
    // The test binary lies in TARGET/PROFILE/deps.
    let binary = std::env::current_exe().unwrap();
    let folder = binary.ancestors().nth(3).unwrap().join("node");
    assert!(
        folder.join("installed.txt").is_file(),
        "run `cargo xtask node` once"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/codemirror/client.js");
    let output = Command::new("node")
        .arg(&script)
        .arg(&folder)
        .arg(fixture.barograph.url(""))
        .output()
        .expect("node is installed (apt-get install nodejs)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["errors"], json!([]));
    for method in ["POST", "GET"] {
        let answers = &found["answers"][method];
        assert_eq!(
            answers["labelNames"],
            json!(["__name__", "instance", "job"]),
            "{method}"
        );
        assert_eq!(
            answers["labelNamesOfMetric"],
            json!(["__name__", "instance", "job"])
        );
        assert_eq!(answers["labelValues"], json!(["api", "node"]));
        assert_eq!(answers["labelValuesOfMetric"], json!(["a:1", "b:1", "c:1"]));
        assert_eq!(answers["metricNames"], json!(["requests_total", "up"]));
        assert_eq!(answers["series"].as_array().unwrap().len(), 3);
        assert_eq!(answers["flags"]["query.lookback-delta"], "5m");
        assert_eq!(answers["metadata"], metadata(), "{method}");
    }
}

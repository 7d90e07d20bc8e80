//! ADBC's driver for Flight SQL, into pandas and polars.

use std::path::Path;
use std::process::Command;

use super::program::{Barograph, body, now_ms, pairs};
use super::readers::{python, run_script};

const MINUTE_MS: i64 = 60_000;

/// Two hours of two metrics, a sample a minute, from an instant.
async fn start(root: &Path, config: &str) -> (Barograph, i64) {
    let file = root.join("barograph.toml");
    std::fs::write(&file, config).unwrap();
    let mut barograph = Barograph::new(root).with_config(file);
    barograph.start().await;
    let start_ms = (now_ms() - 125 * MINUTE_MS) / MINUTE_MS * MINUTE_MS;
    let series = [("a", 30.0), ("b", 6.0)].map(|(host, slope)| {
        let samples = (0..120).map(|i| (start_ms + i * MINUTE_MS, i as f64 * slope));
        (
            pairs(&[("__name__", "cpu_seconds_total"), ("host", host)]),
            samples.collect(),
        )
    });
    let odd = [f64::INFINITY, -1e300, f64::NAN, 20.5];
    let samples = (0..4)
        .zip(odd)
        .map(|(i, value)| (start_ms + i * MINUTE_MS, value));
    let temperature = (pairs(&[("__name__", "temperature")]), samples.collect());
    let (status, text) = barograph
        .write(body(&[series.as_slice(), &[temperature]].concat()))
        .await
        .unwrap();
    assert_eq!(status, 204, "{text}");
    (barograph, start_ms)
}

#[tokio::test]
async fn adbc_fetches_into_pandas_and_polars() {
    let root = tempfile::tempdir().unwrap();
    let exports = root.path().join("exports");
    std::fs::create_dir(&exports).unwrap();
    let config = format!("[sql]\ncopy_folder = {:?}\n", exports.display().to_string());
    let (barograph, start_ms) = start(root.path(), &config).await;
    run_script(
        "flight/with_adbc.py",
        &[barograph.grpc.to_string(), start_ms.to_string()],
    );
    assert!(exports.join("cpu.parquet").is_file());
    let log = barograph.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn adbc_logs_in_where_there_are_users() {
    let root = tempfile::tempdir().unwrap();
    let config = "[[sql_user]]\nname = \"ana\"\npassword = \"correct horse\"\n";
    let (barograph, _) = start(root.path(), config).await;
    run_script("flight/with_passwords.py", &[barograph.grpc.to_string()]);
}

#[tokio::test]
async fn the_server_stops_while_rows_are_fetched() {
    let root = tempfile::tempdir().unwrap();
    let (mut barograph, _) = start(root.path(), "").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flight/with_a_slow_reader.py");
    let mut reader = Command::new(python())
        .arg(&script)
        .arg(barograph.grpc.to_string())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It says so once the first rows are there.
    let mut first = [0; 1];
    std::io::Read::read_exact(reader.stdout.as_mut().unwrap(), &mut first).unwrap();
    assert!(barograph.terminate().success());
    let output = reader.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

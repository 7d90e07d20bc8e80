//! Damaged files: found by `check store`, set aside by the start, told in `/metrics` and `system.damage`, and everything
//! else is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{Barograph, Pairs, Samples, body, eventually, now_ms, pairs};

const HOUR_MS: i64 = 3_600_000;

/// Runs `barograph` to its end: the exit code, stdout and stderr.
fn barograph(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_barograph"))
        .args(words)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn check(data_dir: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let mut words = vec!["check", "store", "--data-dir", data_dir.to_str().unwrap()];
    words.extend(more);
    barograph(&words)
}

/// The files of a folder whose names end so, sorted.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.to_str().unwrap().ends_with(ending));
    files.sort();
    files
}

/// Flips a bit in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(path, bytes).unwrap();
}

/// A stopped store with samples in three windows, and what it holds.
async fn store(root: &Path) -> (Barograph, Samples, i64) {
    let mut barograph = Barograph::new(root);
    barograph.start().await;
    let start = now_ms() - 5 * HOUR_MS;
    let rows: Vec<(Pairs, Vec<(i64, f64)>)> = (0..20)
        .map(|i| {
            let labels = pairs(&[("__name__", "odd"), ("instance", &format!("i{i}"))]);
            let sample = |k: i64| (start + k * 120_000, (k * 31 + i) as f64 / 3.0);
            (labels, (0..140).map(sample).collect())
        })
        .collect();
    let (status, text) = barograph.write(body(&rows)).await.unwrap();
    assert_eq!(status, 204, "{text}");
    let samples = barograph.samples(start, now_ms()).await;
    let (code, _, stderr) = check(&barograph.data_dir, &[]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("has locked it (stop it,"),
        "a store in use says who has it: {stderr}"
    );
    assert!(barograph.terminate().success());
    assert_eq!(samples.len(), 20 * 140);
    (barograph, samples, start)
}

/// What `/metrics` says of a kind of damage.
async fn told(barograph: &Barograph, kind: &str) -> u64 {
    let (_, text) = barograph.get("/metrics").await;
    let name = format!("barograph_damage_total{{kind=\"{kind}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_sound_store_is_clean_and_its_files_can_be_looked_into() {
    let root = tempfile::tempdir().unwrap();
    let (barograph_, samples, _) = store(root.path()).await;
    let dir = &barograph_.data_dir;
    let (code, stdout, stderr) = check(dir, &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.ends_with(": ok\n"), "{stdout}");
    assert!(
        stdout.contains(&format!("with {} samples", samples.len())),
        "{stdout}"
    );
    let (code, stdout, _) = check(dir, &["--format", "json", "--shared", "--jobs", "2"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, &report["damaged"]),
        (Some(0), &serde_json::json!(false)),
        "{stdout}"
    );
    assert_eq!(report["checked"]["segment_rows"], samples.len());
    let segments = dir.join("segments");
    let log = files(&dir.join("alerts"), ".wal").pop();
    let log = log.map(|path| (path, "a log of"));
    for (path, expected) in [
        (files(&segments, ".samples.parquet")[0].clone(), "By metric"),
        (files(&segments, ".series.parquet")[0].clone(), "instance"),
        (files(&segments, ".index")[0].clone(), "postings"),
        (dir.join("MANIFEST"), "bytes a sample"),
        (dir.join("alerts/checkpoint"), "a checkpoint of"),
    ]
    .into_iter()
    .chain(log)
    {
        let (code, stdout, stderr) = barograph(&["inspect", path.to_str().unwrap()]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{}", path.display());
        assert!(stdout.contains(expected), "{}: {stdout}", path.display());
        let (_, stdout, _) = barograph(&["inspect", path.to_str().unwrap(), "--format", "json"]);
        let figures: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert!(figures["kind"].is_string(), "{stdout}");
    }
    let (code, _, stderr) = barograph(&["inspect", dir.join("LOCK").to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("expected the first bytes of"), "{stderr}");
    let (code, _, stderr) = check(root.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("holds no store"), "{stderr}");
}

#[tokio::test]
async fn what_there_is_twice_or_can_be_made_again_costs_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (mut barograph, samples, start) = store(root.path()).await;
    let dir = barograph.data_dir.clone();
    damage(&dir.join("MANIFEST"));
    damage(&dir.join("alerts/checkpoint"));
    let index = files(&dir.join("segments"), ".index")[0].clone();
    damage(&index);
    let (code, stdout, stderr) = check(&dir, &[]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stderr.contains("is damaged in 3 places"), "{stderr}{stdout}");
    assert!(stdout.contains("damage: MANIFEST: "), "{stdout}");
    assert!(stdout.contains("the next start uses MANIFEST.copy"), "{stdout}");
    barograph.start().await;
    assert_eq!(
        barograph.samples(start, now_ms()).await,
        samples,
        "nothing is lost"
    );
    for kind in ["manifest", "index", "journal"] {
        assert_eq!(told(&barograph, kind).await, 1, "{kind}");
    }
    let rows = barograph
        .rows("SELECT kind, path, what FROM system.damage ORDER BY kind")
        .await;
    let kinds: Vec<&str> = rows.iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!(kinds, ["index", "journal", "manifest"], "{rows:?}");
    assert!(barograph.terminate().success());
    let (code, stdout, _) = check(&dir, &[]);
    assert_eq!(code, Some(0), "the start has mended it: {stdout}");
    assert!(stdout.contains("warning: quarantine: "), "{stdout}");
}

#[tokio::test]
async fn a_damaged_segment_costs_itself_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let (mut barograph, samples, start) = store(root.path()).await;
    let dir = barograph.data_dir.clone();
    let victims = files(&dir.join("segments"), ".samples.parquet");
    assert!(victims.len() >= 2, "{victims:?}");
    damage(&victims[0]);
    for path in ["alerts/checkpoint", "alerts/checkpoint.copy"] {
        damage(&dir.join(path));
    }
    let (code, stdout, _) = check(&dir, &[]);
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("at byte 0: CRC-32C is"),
        "the block with the damage is named: {stdout}"
    );
    barograph.start().await;
    // The first query that reads the damaged pages fails or finds them gone; from then on the rest is served.
    let query = serde_json::json!({ "query": "SELECT count(value) FROM samples" });
    let url = barograph.url("/api/v1/sql");
    let client = reqwest::Client::new();
    eventually("the damage is set aside", || async {
        let _ = client.post(&url).json(&query).send().await;
        (told(&barograph, "segment").await == 1).then_some(())
    })
    .await;
    let left = barograph.samples(start, now_ms()).await;
    assert!(
        !left.is_empty() && left.len() < samples.len(),
        "{} of {}",
        left.len(),
        samples.len()
    );
    assert!(left.iter().all(|(key, bits)| samples.get(key) == Some(bits)));
    assert!(told(&barograph, "journal").await >= 1);
    let rows = barograph
        .rows("SELECT what FROM system.damage WHERE kind = 'segment'")
        .await;
    assert!(
        rows[0][0].as_str().unwrap().contains("samples are not readable"),
        "{rows:?}"
    );
    assert!(!files(&dir.join("quarantine"), ".samples.parquet").is_empty());
    assert!(barograph.terminate().success());
    let (code, stdout, _) = check(&dir, &[]);
    assert_eq!(code, Some(0), "{stdout}");
}

#[tokio::test]
async fn a_lost_manifest_stops_the_start_and_is_made_again_when_asked() {
    let root = tempfile::tempdir().unwrap();
    let (mut barograph, samples, start) = store(root.path()).await;
    let dir = barograph.data_dir.clone();
    damage(&dir.join("MANIFEST"));
    std::fs::remove_file(dir.join("MANIFEST.copy")).unwrap();
    let (code, _, stderr) = self::barograph(&["sql", "SELECT 1", "--data-dir", dir.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("barograph check store --repair"), "{stderr}");
    assert!(
        !files(&dir.join("segments"), ".samples.parquet").is_empty(),
        "no segment is removed"
    );
    let (code, stdout, stderr) = check(&dir, &["--repair"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(
        stderr.contains("barograph: write a new MANIFEST with these"),
        "{stderr}"
    );
    barograph.start().await;
    assert_eq!(barograph.samples(start, now_ms()).await, samples);
    assert!(barograph.terminate().success());
}

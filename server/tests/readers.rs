//! Programs of others read the segments and get the same numbers as our SQL, bit for bit.
//!
//! `cargo xtask python` installs them below the target folder.

mod other_kinds;

use std::path::{Path, PathBuf};
use std::process::Command;

use barograph_model::STALE_NAN_BITS;

use super::program::{Barograph, Pairs, Samples, body, now_ms, pairs};

const HOUR_MS: i64 = 3_600_000;

/// Values that are easily lost on the way.
fn nasty() -> Vec<f64> {
    let mut values = vec![
        f64::NAN,
        f64::from_bits(STALE_NAN_BITS),
        f64::from_bits(0x7ff0_0000_0000_0001),
        f64::from_bits(0xfff8_dead_beef_0000),
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        5e-324,
        -f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        0.1 + 0.2,
        1.0 / 3.0,
        std::f64::consts::PI,
        1_234_567.890_123_456_7,
        9_007_199_254_740_991.0,
        9_007_199_254_740_992.0,
        9_007_199_254_740_994.0,
        -999_999_999_999_999.0,
        1e22,
        1e23,
        1e15,
    ];
    // Each exponent of the decimals, with both signs and with mantissas of many digits.
    for exponent in 0..=22 {
        let power: f64 = format!("1e{exponent}").parse().unwrap();
        values.extend([1.0, -7.0, 999_999_999_999_999.0, 123_456_789_012_345.0].map(|m| m / power));
    }
    values
}

/// Ten targets with eight series each, scraped every 15 s for an hour and a quarter of one window, up to 4 ms late.
fn late_scrapes(now: i64) -> Vec<(Pairs, Vec<(i64, f64)>)> {
    let start = (now.div_euclid(2 * HOUR_MS) - 2) * 2 * HOUR_MS;
    let series = (0..80i64).map(|i| {
        let target = i % 10;
        let labels = pairs(&[
            ("__name__", "late"),
            ("instance", &target.to_string()),
            ("n", &i.to_string()),
        ]);
        // No multiples of a number, whose differences repeat.
        let late_ms = |scrape: i64| {
            let mixed = ((scrape * 10 + target) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
        };
        let instant = |scrape: i64| start + scrape * 15_000 + (late_ms(scrape) % 5) as i64;
        let sample = |scrape: i64| (instant(scrape), (scrape * i) as f64);
        (labels, (0..300).map(sample).collect())
    });
    series.collect()
}

/// Runs a script of `tests/` with the packages of `cargo xtask python`. It says that it has come to its end.
pub fn run_script(script: &str, arguments: &[String]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let output = Command::new(python())
        .arg(&script)
        .args(arguments)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", script.display());
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "done");
}

pub fn python() -> PathBuf {
    // The test binary lies in TARGET/PROFILE/deps.
    let binary = std::env::current_exe().unwrap();
    let target = binary.ancestors().nth(3).unwrap();
    let python = target.join("python/bin/python");
    assert!(
        python.is_file(),
        "no {}: run `cargo xtask python` once",
        python.display()
    );
    python
}

fn read_with(script: &str, segments: &Path) -> Samples {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/readers")
        .join(script);
    let output = Command::new(python())
        .arg(&script)
        .arg(segments)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", script.display());
    let mut samples = Samples::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_else(|| panic!("{line:?} is cut off"));
        let labels: std::collections::BTreeMap<String, String> = serde_json::from_str(next()).unwrap();
        let ms: i64 = next().parse().unwrap();
        let bits = u64::from_str_radix(next(), 16).unwrap();
        let key = (labels.into_iter().collect::<Pairs>(), ms);
        assert_eq!(samples.insert(key, bits), None, "{line} is there twice");
    }
    samples
}

fn differences(ours: &Samples, theirs: &Samples) -> Vec<String> {
    let keys = ours
        .keys()
        .chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
    keys.filter(|key| ours.get(*key) != theirs.get(*key))
        .map(|key| format!("{key:?}: {:x?} here, {:x?} there", ours.get(key), theirs.get(key)))
        .take(5)
        .collect()
}

#[tokio::test]
async fn duckdb_and_pyarrow_read_the_numbers_that_our_sql_gives() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    let now = now_ms();
    let (values, start) = (nasty(), now - 5 * HOUR_MS);
    let series = |i: usize| {
        pairs(&[
            ("__name__", "odd"),
            ("instance", &format!("näme\"{i}\\")),
            ("job", "a\nb"),
        ])
    };
    let labels = [series(0), series(1), pairs(&[("__name__", "even_total")])];
    let late = late_scrapes(now);
    // Two starts, so that there are two files of each window, the second with newer values for some instants.
    for round in 0..2 {
        barograph.start().await;
        let rows: Vec<(Pairs, Vec<(i64, f64)>)> = labels
            .iter()
            .enumerate()
            .map(|(s, labels)| {
                // Over four hours, in steps that lie between the windows of the rounds.
                let instant = |i: usize| start + (i * 4 + round * 2 * (i % 2)) as i64 * 30_000;
                let sample = |i: usize| (instant(i), values[(i + s + round) % values.len()]);
                (labels.clone(), (0..values.len()).map(sample).collect())
            })
            .chain(late.iter().filter(|_| round == 0).cloned())
            .collect();
        let (status, text) = barograph.write(body(&rows)).await.unwrap();
        assert_eq!(status, 204, "{text}");
        assert!(barograph.terminate().success());
    }
    barograph.start().await;
    let ours = barograph.samples(start.min(late[0].1[0].0), now).await;
    assert!(barograph.terminate().success());
    assert!(ours.len() > values.len() * labels.len(), "{} samples", ours.len());
    let segments = barograph.data_dir.join("segments");
    for script in ["with_duckdb.py", "with_pyarrow.py"] {
        let theirs = read_with(script, &segments);
        assert_eq!(differences(&ours, &theirs), Vec::<String>::new(), "{script}");
    }
}

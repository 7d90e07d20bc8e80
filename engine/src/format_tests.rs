//! Files of every format that was ever released are read: a whole data directory of each in `testdata/format/`.
//!
//! `cargo xtask format NAME` adds one, written by the code of its day; those that are there stay as they are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barograph_model::{
    Exemplar, Histogram, HistogramParts, Labels, ManualClock, Matcher, Metadata, MetricType, TimeRange,
    TimestampMs, stale_nan,
};

use crate::check::{CheckOptions, check_store};
use crate::journal::Journal;
use crate::rollup::{RollupWidth, views};
use crate::vfs::{DiskVfs, Vfs};
use crate::{Engine, Options, SampleBlock, SampleColumns, Snapshot};

/// What the clock says: 2023-11-14T22:13:20Z.
const NOW: i64 = 1_700_000_000_000;

/// What the directory holds, a line for each thing, beside its files.
const EXPECTED: &str = "expected.txt";

const HOUR_MS: i64 = 3_600_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/format")
}

fn open(vfs: &Arc<dyn Vfs>) -> Arc<Engine> {
    let options = Options {
        retention_ms: None,
        store_key: Some(7),
        wal_file_bytes: 4096,
        row_group_rows: 64,
        background: false,
        ..Options::default()
    };
    Engine::open(
        Arc::clone(vfs),
        Arc::new(ManualClock::new(TimestampMs(NOW))),
        options,
    )
    .unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).unwrap()
}

/// Samples of six series, of which every kind of value is one.
fn samples(engine: &Engine, start: i64) -> SampleColumns {
    let head = engine.head();
    let mut columns = SampleColumns::new(&head);
    for i in 0..6 {
        let instance = format!("näme-{i}");
        let series = head.series(&labels(&[
            ("__name__", "odd"),
            ("instance", &instance),
            ("job", "a\nb"),
        ]));
        for k in 0..20 {
            let value = match (i + k) % 7 {
                0 => stale_nan(),
                1 => f64::from_bits(0x7ff8_dead_beef_0001),
                2 => f64::NEG_INFINITY,
                3 => -0.0,
                4 => 1.0 / f64::from(k + 3),
                5 => f64::from(k) * 1e-7,
                _ => f64::from(k * 1000 + i) / 8.0,
            };
            columns.push(series, start + i64::from(k) * 15_000, value);
        }
    }
    columns
}

/// Every part of a store: merged and flushed segments of each kind, rollups, a delete that is not carried out, a log with records
/// of each kind, a journal with a checkpoint and a record.
fn write(root: &Path) {
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs::open(root).unwrap());
    let engine = open(&vfs);
    for start in [NOW - 30 * HOUR_MS, NOW - 30 * HOUR_MS + 5_000, NOW - 4 * HOUR_MS] {
        let mut columns = samples(&engine, start);
        more(&engine, &mut columns, start);
        engine.append_blocking(columns).unwrap();
        engine.flush().unwrap();
    }
    while engine.compact_once().unwrap().is_some() {}
    engine.append_blocking(samples(&engine, NOW - HOUR_MS)).unwrap();
    let deleted = [Matcher::equal("instance", "näme-2")];
    engine
        .delete(&deleted, TimeRange::new(NOW - 4 * HOUR_MS, NOW))
        .unwrap();
    let mut columns = samples(&engine, NOW - 600_000);
    more(&engine, &mut columns, NOW - 600_000);
    engine.append_blocking(columns).unwrap();
    drop(engine);
    let (journal, _) = Journal::open(Arc::clone(&vfs), "alerts").unwrap();
    journal.append(b"in the checkpoint").unwrap();
    journal.checkpoint(b"the state").unwrap();
    journal.append(b"behind it").unwrap();
    drop(journal);
    fs::write(root.join(EXPECTED), contents(&vfs)).unwrap();
    fs::remove_file(root.join("LOCK")).unwrap();
}

/// A histogram, an exemplar and metadata.
fn more(engine: &Engine, columns: &mut SampleColumns, start: i64) {
    let series = engine
        .head()
        .series(&labels(&[("__name__", "took_seconds"), ("job", "a")]));
    let histogram = Histogram::new(HistogramParts {
        sum: 1.0 / 3.0,
        ..HistogramParts::default()
    });
    columns.push_histogram(series, start, histogram.unwrap());
    let exemplar = Exemplar {
        labels: labels(&[("trace_id", "0af7651916cd43dd")]),
        value: 0.25,
        ts: TimestampMs(start),
    };
    columns.push_exemplar(series, exemplar);
    let metadata = Metadata {
        metric_type: MetricType::Histogram,
        help: "How long it took.".to_owned(),
        unit: "seconds".to_owned(),
    };
    columns.push_metadata("took_seconds".to_owned(), metadata);
}

/// Everything that can be read, a line each.
fn contents(vfs: &Arc<dyn Vfs>) -> String {
    let engine = open(vfs);
    assert_eq!(engine.stats().damages, []);
    let snapshot = engine.snapshot();
    let mut lines = BTreeSet::new();
    sample_lines(&snapshot, &mut lines);
    bucket_lines(&snapshot, &mut lines);
    let set = snapshot.select(&[], TimeRange::ALL).unwrap();
    let (mut histograms, mut exemplars) = (Vec::new(), Vec::new());
    let mut scan = snapshot.histograms(&set, TimeRange::ALL);
    while let Some(i) = scan.next_series(&mut histograms).unwrap() {
        let of = set.labels(i).unwrap();
        lines.extend(
            histograms
                .iter()
                .map(|(ts, h)| format!("histogram {of} {ts} {:016x}", h.parts().sum.to_bits())),
        );
    }
    let mut scan = snapshot.exemplars(&set, TimeRange::ALL);
    while let Some(i) = scan.next_series(&mut exemplars).unwrap() {
        let of = set.labels(i).unwrap();
        lines.extend(
            exemplars
                .iter()
                .map(|(ts, e)| format!("exemplar {of} {ts} {} {}", e.value, e.labels)),
        );
    }
    for (family, metadata) in engine.metadata().iter() {
        lines.insert(format!("metadata {family} {:?}", metadata.help));
    }
    drop(engine);
    let (_, journal) = Journal::open(Arc::clone(vfs), "alerts").unwrap();
    assert_eq!(journal.damage, []);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    lines.insert(format!(
        "checkpoint {}",
        text(&journal.checkpoint.unwrap_or_default())
    ));
    lines.extend(
        journal
            .records
            .iter()
            .map(|record| format!("record {}", text(record))),
    );
    lines
        .iter()
        .map(|line| format!("{}\n", line.replace('\n', "\\n")))
        .collect()
}

fn sample_lines(snapshot: &Snapshot, lines: &mut BTreeSet<String>) {
    let set = snapshot.select(&[], TimeRange::ALL).unwrap();
    for mut partition in snapshot.scan(&set, TimeRange::ALL).into_partitions() {
        let mut block = SampleBlock::default();
        while partition.next_block(&mut block).unwrap() {
            let mut row = 0;
            for run in &block.runs {
                let of = set.labels(run.series).unwrap();
                for row in row..run.end {
                    let bits = block.values[row].to_bits();
                    lines.insert(format!("sample {of} {} {bits:016x}", block.ts[row]));
                }
                row = run.end;
            }
        }
    }
}

/// Buckets, where there is a rollup; else they would only be made of the samples.
fn bucket_lines(snapshot: &Snapshot, lines: &mut BTreeSet<String>) {
    for width in RollupWidth::ALL {
        if !snapshot.has_rollup(TimeRange::ALL, width) {
            continue;
        }
        for ((of, end, first_ts), bucket) in views::scanned(snapshot, TimeRange::ALL, width).unwrap() {
            let numbers = bucket
                .numbers()
                .map(|number| format!("{:016x}", number.to_bits()));
            lines.insert(format!(
                "bucket {} {of} {end} {first_ts} {} {:?} {} {} {} {}",
                width.as_str(),
                bucket.last_ts,
                bucket.stale_ts,
                bucket.count,
                bucket.resets,
                bucket.changes,
                numbers.join(" ")
            ));
        }
    }
}

/// Copies a data directory, so that opening it changes nothing of what is committed.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn directories_of_every_format_are_sound_and_read() {
    let mut formats: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    formats.sort();
    assert!(!formats.is_empty());
    for format in formats {
        let root = tempfile::tempdir().unwrap();
        copy(&format, root.path());
        let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs::open(root.path()).unwrap());
        let options = CheckOptions {
            threads: 1,
            is_shared: true,
            journals: &["alerts"],
            progress: &|_, _| {},
        };
        let report = check_store(&vfs, &options).unwrap();
        assert!(
            !report.is_damaged(),
            "{}: {:#?}",
            format.display(),
            report.findings
        );
        let expected = fs::read_to_string(format.join(EXPECTED)).unwrap();
        assert!(expected.lines().count() > 100);
        let found = contents(&vfs);
        let first = found
            .lines()
            .zip(expected.lines())
            .find(|(found, expected)| found != expected);
        assert_eq!(first, None, "{}", format.display());
        assert_eq!(
            found.lines().count(),
            expected.lines().count(),
            "{}",
            format.display()
        );
    }
}

/// Writes the directory that `BAROGRAPH_FORMAT` names; `cargo xtask format` runs it.
#[test]
#[ignore = "adds a directory to testdata"]
fn add_a_directory() {
    let name = std::env::var("BAROGRAPH_FORMAT").unwrap();
    let root = folder().join(name);
    assert!(!root.exists(), "{} is there, and stays as it is", root.display());
    write(&root);
}

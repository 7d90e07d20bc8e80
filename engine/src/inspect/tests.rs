//! Figures of files whose contents are known, and no panic on files that nobody wrote.

use std::sync::Arc;

use barograph_model::{Labels, ManualClock, TimestampMs, stale_nan};

use super::*;
use crate::vfs::SimVfs;
use crate::{Engine, Options, SampleColumns};

const NOW: i64 = 1_700_000_000_000;

/// 30 series in one segment: ten constant, ten of decimals, ten of doubles with all their digits; one marker each.
fn store() -> (SimVfs, Arc<dyn Vfs>) {
    let vfs = SimVfs::new(1);
    let options = Options {
        background: false,
        row_group_rows: 1000,
        wal_file_bytes: 4096,
        ..Options::default()
    };
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let engine = Engine::open(Arc::new(vfs.clone()), clock, options).unwrap();
    let mut columns = SampleColumns::new(&engine.head());
    for series in 0..30 {
        let metric = ["constant", "decimal", "noise"][series / 10];
        let instance = format!("i{series}");
        let labels = Labels::from_pairs([("__name__", metric), ("instance", &instance)]).unwrap();
        let series = engine.head().series(&labels);
        for i in 0..100 {
            let value = match metric {
                _ if i == 50 => stale_nan(),
                "constant" => 2.5,
                "decimal" => f64::from(i) / 4.0,
                _ => f64::from(i + 1) / 7.0,
            };
            columns.push(series, NOW - 200_000 + i64::from(i) * 1000, value);
        }
    }
    engine.append_blocking(columns).unwrap();
    engine.flush().unwrap();
    let more = engine
        .head()
        .series(&Labels::from_pairs([("__name__", "constant")]).unwrap());
    let mut columns = SampleColumns::new(&engine.head());
    columns.push(more, NOW, 1.0);
    engine.append_blocking(columns).unwrap();
    drop(engine);
    (vfs.clone(), Arc::new(vfs))
}

fn path_with(vfs: &SimVfs, part: &str) -> String {
    let files = vfs.files();
    let last = files.iter().rev().find(|(path, _)| path.contains(part));
    last.unwrap_or_else(|| panic!("no {part} in {files:?}")).0.clone()
}

#[test]
fn samples_are_counted_and_their_bytes_shared_out() {
    let (sim, vfs) = store();
    let Inspection::Samples(figures) = inspect(&vfs, &path_with(&sim, ".samples.")).unwrap() else {
        panic!("not samples");
    };
    assert_eq!(
        (figures.file.rows, figures.series, figures.stale_samples),
        (3000, 30, 30)
    );
    // 7/7, 14/7, ... are whole.
    assert_eq!((figures.decimal_series, figures.constant_series), (20, 10));
    assert_eq!(figures.decimal_samples, 1980 + 10 * 14);
    assert_eq!(figures.read_otherwise, None);
    let metrics = figures.metrics.unwrap();
    let names: Vec<&str> = metrics.iter().map(|m| m.metric.as_str()).collect();
    assert_eq!(names, ["noise", "decimal", "constant"], "the dearest first");
    assert!(metrics.iter().all(|m| m.series == 10 && m.samples == 1000));
    let of_columns: u64 = figures.file.columns.iter().map(|c| c.compressed_bytes).sum();
    let of_metrics: f64 = metrics.iter().map(|m| m.bytes).sum();
    assert!(
        (of_metrics - of_columns as f64).abs() < 1.0,
        "{of_metrics} of {of_columns}"
    );
    assert_eq!(of_columns + figures.file.footer_bytes, figures.file.bytes);
    let vm = figures.file.columns.iter().find(|c| c.name == "vm").unwrap();
    assert!(vm.encodings.contains(&"DELTA_BINARY_PACKED".to_owned()), "{vm:?}");
    assert!(vm.compression.starts_with("ZSTD"), "{vm:?}");
    assert_eq!(
        (vm.values, vm.pages, vm.min.as_deref()),
        (3000, Some(3), Some("0"))
    );
}

#[test]
fn queries_that_would_read_otherwise_are_told() {
    let (sim, vfs) = store();
    let path = path_with(&sim, ".samples.");
    let bytes = vfs.read(&path).unwrap();
    // The page index above all: queries believe it where it says that a page has one exponent only.
    let told = (0..bytes.len()).any(|at| {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x02;
        let inspection = inspect_bytes(&path, damaged.into(), None);
        matches!(inspection, Ok(Inspection::Samples(figures)) if figures.read_otherwise.is_some())
    });
    assert!(told);
}

#[test]
fn samples_without_their_series_say_why_there_are_no_metrics() {
    let (sim, vfs) = store();
    sim.remove(&path_with(&sim, ".series.")).unwrap();
    let Inspection::Samples(figures) = inspect(&vfs, &path_with(&sim, ".samples.")).unwrap() else {
        panic!("not samples");
    };
    assert_eq!((figures.series, figures.metrics), (30, None));
    assert!(figures.metrics_missing.unwrap().contains("no series file"));
}

#[test]
fn series_are_counted_by_metric_and_label() {
    let (sim, vfs) = store();
    let Inspection::Series(figures) = inspect(&vfs, &path_with(&sim, ".series.")).unwrap() else {
        panic!("not series");
    };
    assert_eq!(
        (figures.file.rows, figures.samples, figures.metrics.len()),
        (30, 3000, 3)
    );
    let labels: Vec<_> = figures
        .labels
        .iter()
        .map(|l| (l.name.as_str(), l.series, l.values))
        .collect();
    assert_eq!(labels, [("instance", 30, 30), ("__name__", 30, 3)]);
}

#[test]
fn logs_checkpoints_and_manifests_are_known_by_their_first_bytes() {
    let (sim, vfs) = store();
    let Inspection::Log(log) = inspect(&vfs, &path_with(&sim, "wal/")).unwrap() else {
        panic!("not a log");
    };
    let kinds: Vec<_> = log.kinds.iter().map(|k| (k.name, k.frames)).collect();
    assert_eq!(kinds, [("series", 1), ("samples", 1), ("generations", 1)]);
    assert_eq!((log.samples, log.series, log.ts_range), (1, 1, Some((NOW, NOW))));
    assert_eq!((log.holes, log.torn_at, log.unreadable_frames), (vec![], None, 0));
    let Inspection::Index(index) = inspect(&vfs, &path_with(&sim, ".index")).unwrap() else {
        panic!("not an index");
    };
    assert_eq!(
        (index.series, index.rows, index.groups, index.label_pairs),
        (30, 3000, 30, 33)
    );
    let Inspection::Manifest(manifest) = inspect(&vfs, "MANIFEST.copy").unwrap() else {
        panic!("not a manifest");
    };
    assert_eq!((manifest.samples, manifest.segments.len()), (3000, 1));
    let (journal, _) = crate::journal::Journal::open(Arc::clone(&vfs), "alerts").unwrap();
    journal.append(b"one").unwrap();
    journal.checkpoint(b"state").unwrap();
    let checkpoint = inspect(&vfs, "alerts/checkpoint").unwrap();
    assert!(
        matches!(&checkpoint, Inspection::Checkpoint(c) if c.state_bytes == 5 && c.next_seq == 2),
        "{checkpoint:?}"
    );
    sim.create("notes").unwrap().append(b"hello").unwrap();
    let error = inspect(&vfs, "notes").unwrap_err().to_string();
    assert!(error.contains("found b\"hello\""), "{error}");
}

#[test]
fn damaged_files_are_errors_or_figures_and_never_a_panic() {
    let (sim, vfs) = store();
    for part in [".samples.", ".series.", ".index", "wal/", "MANIFEST"] {
        let path = path_with(&sim, part);
        let whole = vfs.read(&path).unwrap();
        for bit in (0..whole.len() as u64 * 8).step_by(61) {
            let mut bytes = whole.to_vec();
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            let _ = inspect_bytes(&path, bytes.into(), None);
        }
        for len in (0..whole.len()).step_by(97) {
            let _ = inspect_bytes(&path, whole.slice(..len), None);
        }
    }
}

#[test]
fn buckets_are_counted_with_what_they_stand_for() {
    let vfs = SimVfs::new(1);
    let options = Options {
        background: false,
        ..Options::default()
    };
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let engine = Engine::open(Arc::new(vfs.clone()), clock, options).unwrap();
    let mut columns = SampleColumns::new(&engine.head());
    for instance in ["a", "b"] {
        let labels = Labels::from_pairs([("__name__", "up"), ("instance", instance)]).unwrap();
        let series = engine.head().series(&labels);
        // The day before, an hour, a counter that begins anew each ten minutes; a marker at the end.
        for i in 0..60 {
            let value = if i == 59 { stale_nan() } else { f64::from(i % 10) };
            columns.push(series, NOW - 30 * 3_600_000 + i64::from(i) * 60_000, value);
        }
    }
    engine.append_blocking(columns).unwrap();
    engine.flush().unwrap();
    while engine.compact_once().unwrap().is_some() {}
    drop(engine);
    let path = path_with(&vfs, ".rollup_5m.");
    let as_vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let Inspection::Rollup(figures) = inspect(&as_vfs, &path).unwrap() else {
        panic!("not buckets");
    };
    assert_eq!((figures.series, figures.samples), (2, 2 * 59));
    assert_eq!((figures.stale_buckets, figures.unreadable_buckets), (2, 0));
    assert_eq!(figures.read_otherwise, None);
    assert!(figures.resets > 0 && figures.resets <= 10, "{figures:?}");
    assert_eq!(figures.file.columns.len(), 9 + 2 * 6);
    assert!(figures.bytes_per_bucket > figures.bytes_per_sample);
    // Any flipped bit is an error or other figures, and no panic; some only queries notice, which believe the page index.
    let mut is_told = false;
    for bit in (0..figures.file.bytes * 8).step_by(97) {
        vfs.flip_bit(&path, bit);
        let inspection = inspect(&as_vfs, &path);
        is_told |= matches!(inspection, Ok(Inspection::Rollup(figures)) if figures.read_otherwise.is_some());
        vfs.flip_bit(&path, bit);
    }
    assert!(is_told);
}

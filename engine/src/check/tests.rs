//! Whole stores are clean; a flipped bit anywhere is found where it is.

use std::sync::{Arc, Mutex};

use barograph_model::{Labels, ManualClock, TimestampMs, stale_nan};

use super::*;
use crate::vfs::{SimVfs, Vfs, for_each_seed};
use crate::{Engine, EngineError, Options, SampleColumns};

const NOW: i64 = 1_700_000_000_000;

fn open(vfs: &SimVfs) -> Arc<Engine> {
    let options = Options {
        row_group_rows: 50,
        wal_file_bytes: 4096,
        background: false,
        ..Options::default()
    };
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    Engine::open(Arc::new(vfs.clone()), clock, options).unwrap()
}

fn append(engine: &Engine, first: i64) {
    let mut columns = SampleColumns::new(&engine.head());
    for series in 0..5 {
        let instance = format!("i{series}");
        let labels = Labels::from_pairs([("__name__", "up"), ("instance", &instance)]).unwrap();
        let series = engine.head().series(&labels);
        for i in first..first + 40 {
            let value = match i % 5 {
                0 => stale_nan(),
                1 => 1.0 / 3.0,
                2 => f64::NEG_INFINITY,
                _ => i as f64 / 8.0,
            };
            columns.push(series, NOW - 5_000_000 + i * 1000, value);
        }
    }
    engine.append_blocking(columns).unwrap();
}

/// A store with two segments, a log and a journal; nobody has it open.
fn store(seed: u64) -> SimVfs {
    let vfs = SimVfs::new(seed);
    let engine = open(&vfs);
    for first in [0, 1000] {
        append(&engine, first);
        engine.flush().unwrap();
    }
    append(&engine, 2000);
    drop(engine);
    let (journal, _) = crate::journal::Journal::open(Arc::new(vfs.clone()), "alerts").unwrap();
    journal.append(b"before").unwrap();
    journal.checkpoint(b"state").unwrap();
    journal.append(b"one").unwrap();
    journal.append(b"two").unwrap();
    vfs
}

fn check(vfs: &SimVfs) -> CheckReport {
    let told = Mutex::new((0, 0));
    let options = CheckOptions {
        threads: 2,
        is_shared: false,
        journals: &["alerts"],
        progress: &|done, total| {
            let mut told = told.lock().unwrap();
            assert!(done <= total);
            *told = (told.0.max(done), total);
        },
    };
    let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
    check_store(&vfs, &options).unwrap()
}

fn told(report: &CheckReport) -> String {
    report.findings.iter().map(|f| format!("{f}\n")).collect()
}

#[test]
fn one_file_of_a_split_merge_may_be_written_anew() {
    let vfs = SimVfs::new(1);
    let options = Options {
        segment_rows_max: 100,
        background: false,
        ..Options::default()
    };
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let engine = Engine::open(Arc::new(vfs.clone()), clock.clone(), options).unwrap();
    append(&engine, 0);
    engine.flush().unwrap();
    append(&engine, 1000);
    engine.flush().unwrap();
    clock.advance_ms(48 * 3_600_000);
    while engine.compact_once().unwrap().is_some() {}
    let split = engine.stats().segments;
    assert!(split > 1);
    let i0 = [barograph_model::Matcher::equal("instance", "i0")];
    let range = barograph_model::TimeRange::ALL;
    engine.delete(&i0, range).unwrap();
    clock.advance_ms(2 * 3_600_000);
    while engine.compact_once().unwrap().is_some() {}
    assert_eq!((engine.stats().segment_rows, engine.stats().tombstones), (320, 0));
    drop(engine);
    assert_eq!(told(&check(&vfs)), "");
}

#[test]
fn a_sound_store_has_no_findings_and_stays_as_it_was() {
    let vfs = store(1);
    let before: Vec<_> = vfs
        .files()
        .iter()
        .map(|(path, _)| (path.clone(), vfs.read(path).unwrap()))
        .collect();
    let report = check(&vfs);
    assert_eq!(told(&report), "");
    let checked = report.checked;
    assert_eq!((checked.segments, checked.segment_rows), (2, 400));
    assert_eq!(
        (
            checked.segment_series,
            checked.wal_samples,
            checked.journal_records
        ),
        (10, 200, 2)
    );
    assert!(checked.wal_frames >= 2 && checked.bytes > 1000, "{checked:?}");
    let after: Vec<_> = vfs
        .files()
        .iter()
        .map(|(path, _)| (path.clone(), vfs.read(path).unwrap()))
        .collect();
    assert_eq!(before, after);
}

#[test]
fn sim_a_flipped_bit_is_found_in_the_file_that_has_it() {
    for_each_seed(150, |seed| {
        let vfs = store(seed);
        let mut files = vfs.files();
        files.retain(|(_, len)| *len > 0);
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        let (path, len) = &files[(random % files.len() as u64) as usize];
        random /= 64;
        let bit = random % (len * 8);
        vfs.flip_bit(path, bit);
        let report = check(&vfs);
        let found = report.findings.iter().find(|f| &f.path == path);
        // The end of a log cannot be told from a write that was never finished; beyond it, all bits are reserved.
        assert!(
            found.is_some() || path.ends_with(".wal"),
            "seed {seed}: bit {bit} of {path}: {}",
            told(&report)
        );
        if !path.ends_with(".wal") {
            assert!(report.is_damaged(), "seed {seed}: bit {bit} of {path}");
        }
    });
}

#[test]
fn what_is_missing_or_lies_about_is_told() {
    let vfs = store(1);
    let files = vfs.files();
    let samples: Vec<&String> = files
        .iter()
        .map(|(path, _)| path)
        .filter(|p| p.contains(".samples."))
        .collect();
    vfs.remove(samples[0]).unwrap();
    vfs.create("segments/0-00000099.samples.parquet").unwrap();
    vfs.create("notes.txt").unwrap();
    vfs.create("quarantine/old").unwrap();
    vfs.remove("MANIFEST.copy").unwrap();
    vfs.flip_bit("alerts/checkpoint.copy", 300);
    let report = check(&vfs);
    let told = told(&report);
    for expected in [
        &format!("damage: {}: cannot read it: ", samples[0]),
        "note: segments/0-00000099.samples.parquet: the manifest does not name it",
        "note: notes.txt: not a file of the store",
        "warning: quarantine: 1 damaged files",
        "note: MANIFEST.copy: is not the same",
        "damage: alerts/checkpoint.copy: at byte 24: expected a whole checkpoint",
    ] {
        assert!(told.contains(expected), "{expected} in\n{told}");
    }
    assert_eq!(report.count(Severity::Damage), 2, "{told}");
    assert_eq!(report.checked.segment_rows, 200);
}

#[test]
fn a_lost_manifest_is_told_with_the_remedy() {
    let vfs = store(1);
    vfs.flip_bit("MANIFEST", 100);
    let report = check(&vfs);
    assert!(told(&report).contains("uses MANIFEST.copy"), "{}", told(&report));
    assert_eq!(report.checked.segments, 2);
    vfs.remove("MANIFEST").unwrap();
    vfs.remove("MANIFEST.copy").unwrap();
    vfs.flip_bit("alerts/checkpoint.copy", 300);
    let report = check(&vfs);
    assert!(told(&report).contains("--repair"), "{}", told(&report));
}

#[test]
fn a_log_with_a_hole_says_what_is_lost() {
    let vfs = SimVfs::new(1);
    let engine = open(&vfs);
    for first in [0, 1000, 2000] {
        append(&engine, first);
    }
    drop(engine);
    // The first record begins a generation, the second defines the series of all.
    vfs.flip_bit("wal/00000001.wal", 60 * 8);
    let told = told(&check(&vfs));
    for expected in [
        "damage: wal/00000001.wal: at byte 48: ",
        "unreadable bytes between frames",
        "records 2 to 2 are missing",
        "200 samples of series that no record defines",
    ] {
        assert!(told.contains(expected), "{expected} in\n{told}");
    }
}

#[test]
fn a_store_in_use_and_a_folder_without_one_are_refused() {
    let vfs = store(1);
    let engine = open(&vfs);
    let options = |is_shared| CheckOptions {
        threads: 1,
        is_shared,
        journals: &[],
        progress: &|_, _| {},
    };
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let error = check_store(&shared, &options(false)).unwrap_err();
    assert!(matches!(error, EngineError::Locked { .. }), "{error}");
    check_store(&shared, &options(true)).unwrap();
    drop(engine);
    let empty: Arc<dyn Vfs> = Arc::new(SimVfs::new(2));
    let error = check_store(&empty, &options(false)).unwrap_err();
    assert!(matches!(error, EngineError::NotAStore { .. }), "{error}");
    assert!(empty.list("").unwrap().is_empty());
}

/// Everything that can be read.
fn view(vfs: &SimVfs) -> std::collections::BTreeMap<(String, i64), u64> {
    let snapshot = open(vfs).snapshot();
    let set = snapshot.select(&[], barograph_model::TimeRange::ALL).unwrap();
    let mut view = std::collections::BTreeMap::new();
    for mut partition in snapshot
        .scan(&set, barograph_model::TimeRange::ALL)
        .into_partitions()
    {
        let mut block = crate::SampleBlock::default();
        while partition.next_block(&mut block).unwrap() {
            let mut row = 0;
            for run in &block.runs {
                let labels = set.labels(run.series).unwrap().to_string();
                for row in row..run.end {
                    view.insert((labels.clone(), block.ts[row]), block.values[row].to_bits());
                }
                row = run.end;
            }
        }
    }
    view
}

#[test]
fn a_lost_manifest_is_made_again_from_the_folder() {
    for lost in [
        &["MANIFEST", "MANIFEST.copy"][..],
        &["MANIFEST", "MANIFEST.copy", "index"],
    ] {
        let vfs = store(1);
        let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
        assert!(
            plan_repair(&shared).unwrap().is_none(),
            "a sound store needs none"
        );
        let before = view(&vfs);
        vfs.flip_bit("MANIFEST", 300);
        vfs.remove("MANIFEST.copy").unwrap();
        if lost.contains(&"index") {
            let files = vfs.files();
            let (index, _) = files.iter().find(|(path, _)| path.ends_with(".index")).unwrap();
            vfs.flip_bit(index, 700);
        }
        let plan = plan_repair(&shared).unwrap().unwrap();
        let told = plan.to_string();
        assert!(
            told.contains("with these 2 segments") && !told.contains("quarantine"),
            "{told}"
        );
        assert_eq!(
            told.contains("no checksum vouches"),
            lost.contains(&"index"),
            "{told}"
        );
        plan.carry_out(&shared).unwrap();
        assert_eq!(view(&vfs), before);
        assert!(plan_repair(&shared).unwrap().is_none());
        let report = check(&vfs);
        assert!(!report.is_damaged(), "{}", self::told(&report));
        // New samples of the same series go on under the same ids, and no name is used twice.
        let engine = open(&vfs);
        append(&engine, 3000);
        engine.flush().unwrap();
        drop(engine);
        assert_eq!(view(&vfs).len(), before.len() + 200);
        assert!(!check(&vfs).is_damaged());
    }
}

#[test]
fn what_cannot_be_read_is_set_aside_by_a_repair() {
    let vfs = store(1);
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let before = view(&vfs);
    for path in ["MANIFEST", "MANIFEST.copy"] {
        vfs.remove(path).unwrap();
    }
    let files = vfs.files();
    let (samples, _) = files.iter().find(|(path, _)| path.contains(".samples.")).unwrap();
    vfs.flip_bit(samples, 4000);
    vfs.create("segments/5-00000077.samples.parquet").unwrap();
    let plan = plan_repair(&shared).unwrap().unwrap();
    let told = plan.to_string();
    for expected in [
        "with these 1 segments",
        "bytes with CRC-32C",
        "segments/5-00000077: it has no series file",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    plan.carry_out(&shared).unwrap();
    let after = view(&vfs);
    assert!(after.len() < before.len() && after.iter().all(|(key, bits)| before.get(key) == Some(bits)));
    assert_eq!(
        vfs.list("quarantine").unwrap().len(),
        4,
        "{:?}",
        vfs.list("quarantine")
    );
}

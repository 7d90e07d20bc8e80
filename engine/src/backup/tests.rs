//! Snapshots on a disk that breaks: whole or absent, and the store they are taken of as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Labels, ManualClock, TimeRange, TimestampMs};

use super::*;
use crate::journal::Journal;
use crate::vfs::{DiskVfs, SimVfs, for_each_seed};
use crate::{Engine, Options, SampleBlock, SampleColumns};

const NOW: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;
const ALERTS: &str = "alerts";

type View = BTreeMap<(String, i64), u64>;

fn open(vfs: Arc<dyn Vfs>) -> Result<Arc<Engine>> {
    let options = Options {
        retention_ms: None,
        flush_rows: 1000,
        wal_file_bytes: 4096,
        background: false,
        ..Options::default()
    };
    Engine::open(vfs, Arc::new(ManualClock::new(TimestampMs(NOW))), options)
}

/// Appends `count` samples of as many series, from `ts` on, and gives them as they must be read.
fn append(engine: &Engine, count: i64, ts: i64) -> Result<View> {
    let head = engine.head();
    let (mut columns, mut view) = (SampleColumns::new(&head), View::new());
    for i in 0..count {
        let instance = format!("i{i}");
        let labels =
            Labels::from_pairs([("__name__", "up"), ("instance", &instance), ("job", "backup")]).unwrap();
        let value = (ts + i) as f64 / 8.0;
        columns.push(head.series(&labels), ts + i, value);
        view.insert((labels.to_string(), ts + i), value.to_bits());
    }
    engine.append_blocking(columns).map(|()| view)
}

fn read(engine: &Engine) -> View {
    let snapshot = engine.snapshot();
    let set = snapshot.select(&[], TimeRange::ALL).unwrap();
    let mut view = View::new();
    for mut partition in snapshot.scan(&set, TimeRange::ALL).into_partitions() {
        let mut block = SampleBlock::default();
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

fn names(vfs: &dyn Vfs) -> Vec<String> {
    vfs.list(SNAPSHOTS).unwrap()
}

#[test]
fn a_snapshot_is_a_store_that_outlives_what_it_was_taken_of() {
    let folder = tempfile::tempdir().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs::open(folder.path()).unwrap());
    let engine = open(Arc::clone(&vfs)).unwrap();
    let mut expected = append(&engine, 5, NOW - 4 * HOUR_MS).unwrap();
    engine.flush().unwrap();
    expected.extend(append(&engine, 5, NOW).unwrap());
    let flushed = engine.snapshot_to("all", Head::Flush, &mut |_| Ok(())).unwrap();
    assert_eq!((flushed.segments, flushed.rows, flushed.files), (2, 10, 6));
    assert_eq!(flushed.dir, "snapshots/all");
    append(&engine, 7, NOW + HOUR_MS).unwrap();
    let skipped = engine.snapshot_to("disk", Head::Skip, &mut |_| Ok(())).unwrap();
    assert_eq!((skipped.segments, skipped.rows), (2, 10));
    drop(engine);
    // The store goes, and what is in the snapshots stays.
    vfs.remove_dir_all("segments").unwrap();
    for name in ["all", "disk"] {
        let vfs = vfs.subfolder(&format!("{SNAPSHOTS}/{name}")).unwrap();
        for segment in inventory(&vfs).unwrap().segments {
            segment.verify(&vfs).unwrap();
        }
        let snapshot = open(vfs).unwrap();
        assert_eq!(read(&snapshot), expected, "{name}");
        let mut expected = expected.clone();
        expected.extend(append(&snapshot, 3, NOW + 1).unwrap());
        snapshot.flush().unwrap();
        assert_eq!(read(&snapshot), expected, "it can be written to");
    }
}

#[test]
fn damage_in_a_segment_is_named() {
    let vfs = SimVfs::new(1);
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let engine = open(Arc::clone(&shared)).unwrap();
    append(&engine, 5, NOW).unwrap();
    engine.flush().unwrap();
    let segments = inventory(&shared).unwrap().segments;
    assert_eq!((segments.len(), segments[0].rows, segments[0].series), (1, 5, 5));
    segments[0].verify(&shared).unwrap();
    let mut miscounted = segments[0].clone();
    miscounted.rows = 6;
    let message = miscounted.verify(&shared).unwrap_err().to_string();
    assert!(message.contains("expected 6 rows, found 5"), "{message}");
    vfs.flip_bit(&segments[0].series_file.path, 77);
    let message = segments[0].verify(&shared).unwrap_err().to_string();
    assert!(
        message.contains("series.parquet") && message.contains("CRC-32C"),
        "{message}"
    );
    let empty: Arc<dyn Vfs> = Arc::new(SimVfs::new(2));
    assert!(matches!(inventory(&empty), Err(EngineError::Io { .. })));
}

#[test]
fn names_that_cannot_be_are_refused_with_the_reason() {
    let vfs = SimVfs::new(1);
    let engine = open(Arc::new(vfs.clone())).unwrap();
    for name in ["", ".", "..", "a/b", "x.tmp", ".x", "é"] {
        let result = engine.snapshot_to(name, Head::Skip, &mut |_| Ok(()));
        assert!(
            matches!(result, Err(EngineError::SnapshotName { .. })),
            "{name}: {result:?}"
        );
    }
    engine.snapshot_to("x", Head::Skip, &mut |_| Ok(())).unwrap();
    let message = engine
        .snapshot_to("x", Head::Skip, &mut |_| Ok(()))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("\"x\"") && message.contains("already"),
        "{message}"
    );
    let failed = engine.snapshot_to("y", Head::Skip, &mut |folder| folder.link("nowhere"));
    assert!(matches!(failed, Err(EngineError::Io { .. })));
    assert_eq!(names(&vfs), ["x"], "what failed leaves nothing");
}

#[test]
fn a_half_restored_directory_is_not_opened() {
    let vfs = SimVfs::new(1);
    vfs.create(RESTORING).unwrap();
    let message = open(Arc::new(vfs)).unwrap_err().to_string();
    assert!(message.contains("barograph restore"), "{message}");
}

/// One life: a store with something in segments, something in the log and a journal; a snapshot; and a life after it
/// that drops every file the snapshot shares. Gives whether the snapshot was reported as taken.
fn live(vfs: &SimVfs, before: &mut View, after: &mut View) -> Result<bool> {
    let engine = open(Arc::new(vfs.clone()))?;
    before.extend(append(&engine, 6, NOW - 4 * HOUR_MS)?);
    engine.flush()?;
    before.extend(append(&engine, 4, NOW)?);
    let (journal, _) = Journal::open(Arc::new(vfs.clone()), ALERTS)?;
    journal.append(b"fired")?;
    let report = engine.snapshot_to("x", Head::Flush, &mut |folder| {
        journal.checkpoint(b"state")?;
        journal.link_checkpoint(folder)
    });
    let is_taken = report.is_ok();
    report?;
    journal.append(b"resolved")?;
    journal.checkpoint(b"later state")?;
    after.extend(append(&engine, 5, NOW + HOUR_MS)?);
    engine.flush()?;
    Ok(is_taken)
}

#[test]
fn sim_a_power_cut_after_each_operation_leaves_a_whole_snapshot_or_none() {
    let (mut absent, mut whole) = (0, 0);
    for_each_seed(4, |seed| {
        for operations in 0.. {
            let vfs = SimVfs::new(seed);
            if seed % 2 == 1 {
                vfs.refuse_links();
            }
            vfs.crash_after(operations);
            let (mut before, mut after) = (View::new(), View::new());
            let is_taken = live(&vfs, &mut before, &mut after);
            let is_whole_life = !vfs.is_crashed();
            vfs.restart();
            // A power cut in the start after the power cut, now and then.
            if operations % 7 == 3 {
                vfs.crash_after(operations % 5);
                let _ = open(Arc::new(vfs.clone()));
                vfs.restart();
            }
            let engine = open(Arc::new(vfs.clone())).unwrap();
            let view = read(&engine);
            let mut acknowledged = before.clone();
            acknowledged.extend(after.clone());
            for (key, bits) in &acknowledged {
                assert_eq!(view.get(key), Some(bits), "the store has lost {key:?}");
            }
            // The end of a log that was cut off in a commit may look damaged; segments may not.
            let damages = engine.stats().damages;
            assert!(
                damages.iter().all(|d| !d.path.contains("segments")),
                "{damages:?}"
            );
            match names(&vfs).as_slice() {
                [] => {
                    assert!(!matches!(is_taken, Ok(true)), "a snapshot that was taken is gone");
                    absent += 1;
                }
                [name] if name == "x" => {
                    check_whole(&vfs, &before);
                    whole += 1;
                }
                other => panic!("{other:?}"),
            }
            if is_whole_life {
                return;
            }
        }
    });
    assert!(absent > 0 && whole > 0, "{absent} absent, {whole} whole");
}

fn check_whole(vfs: &SimVfs, before: &View) {
    let snapshot = vfs.subfolder("snapshots/x").unwrap();
    for segment in inventory(&snapshot).unwrap().segments {
        segment.verify(&snapshot).unwrap();
    }
    let engine = open(Arc::clone(&snapshot)).unwrap();
    assert_eq!(&read(&engine), before, "all that was acknowledged, and no more");
    assert_eq!(engine.stats().damages, vec![]);
    let (_, contents) = Journal::open(snapshot, ALERTS).unwrap();
    assert_eq!(contents.checkpoint.as_deref(), Some(&b"state"[..]));
    assert!(contents.records.is_empty() && contents.damage.is_empty());
}

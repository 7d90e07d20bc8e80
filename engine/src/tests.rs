//! The store against a map: whatever is written, flushed, reopened and scanned must be what the map says.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Labels, ManualClock, Matcher, TimeRange, TimestampMs, stale_nan};
use proptest::prelude::*;

use crate::vfs::{DiskVfs, SimVfs};
use crate::{Engine, EngineError, Options, SampleBlock, SampleColumns, Snapshot};

const NOW: i64 = 1_700_000_000_000;

type Model = BTreeMap<(String, i64), u64>;

fn labels(metric: &str, instance: &str) -> Labels {
    Labels::from_pairs([("__name__", metric), ("instance", instance), ("job", "test")]).unwrap()
}

fn open(root: &std::path::Path, options: Options) -> (Arc<Engine>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let vfs = Arc::new(DiskVfs::open(root).unwrap());
    (
        Engine::open(vfs, Arc::<ManualClock>::clone(&clock), options).unwrap(),
        clock,
    )
}

fn read_all(snapshot: &Snapshot, matchers: &[Matcher], range: TimeRange) -> Model {
    let series = snapshot.select(matchers, range).unwrap();
    let mut found = Model::new();
    let mut last_end = i64::MIN;
    for mut partition in snapshot.scan(&series, range).into_partitions() {
        assert!(
            partition.range().start.0 > last_end,
            "partitions are disjoint and in order"
        );
        last_end = partition.range().end.0;
        let mut block = SampleBlock::default();
        let mut seen: Vec<usize> = Vec::new();
        while partition.next_block(&mut block).unwrap() {
            let mut row = 0;
            for run in &block.runs {
                seen.push(run.series);
                let name = series.labels(run.series).unwrap().to_string();
                while row < run.end {
                    let earlier = found.insert((name.clone(), block.ts[row]), block.values[row].to_bits());
                    assert_eq!(earlier, None, "each instant once");
                    row += 1;
                }
            }
        }
        assert!(
            seen.is_sorted_by(|a, b| a < b),
            "series come in the order of the set"
        );
    }
    found
}

fn write(engine: &Engine, model: &mut Model, rows: &[(Labels, i64, f64)]) {
    let head = engine.head();
    let mut columns = SampleColumns::new(&head);
    for (labels, ts, value) in rows {
        columns.push(head.series(labels), *ts, *value);
        model.insert((labels.to_string(), *ts), value.to_bits());
    }
    engine.append_blocking(columns).unwrap();
}

#[test]
fn what_was_written_is_read_before_and_after_a_flush_and_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let mut model = Model::new();
    let (engine, _) = open(root.path(), Options::default());
    let odd = [
        0.1,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        stale_nan(),
        1.0 / 3.0,
        1e300,
        42.0,
        1e15 + 1.0,
    ];
    let rows = |hour: i64| {
        let at = move |i: usize| NOW + hour * 3_600_000 + i as i64 * 15_000;
        odd.iter()
            .enumerate()
            .map(move |(i, v)| (labels("m", &format!("i{}", i % 3)), at(i), *v))
    };
    for hour in -5..0 {
        write(&engine, &mut model, &rows(hour).collect::<Vec<_>>());
    }
    assert_eq!(read_all(&engine.snapshot(), &[], TimeRange::ALL), model);
    engine.flush().unwrap();
    assert_eq!(
        (engine.stats().memory_rows, engine.stats().segments > 2),
        (0, true)
    );
    assert_eq!(read_all(&engine.snapshot(), &[], TimeRange::ALL), model);
    write(
        &engine,
        &mut model,
        &[
            (labels("m", "i0"), NOW - 3_600_000, 7.0),
            (labels("late", "x"), NOW, 1.5),
        ],
    );
    drop(engine);

    let (engine, _) = open(root.path(), Options::default());
    assert_eq!(
        read_all(&engine.snapshot(), &[], TimeRange::ALL),
        model,
        "newest write wins over the segment"
    );
    let some = TimeRange::new(NOW - 7_200_000, NOW - 3_600_000);
    let expected: Model = model
        .iter()
        .filter(|((name, ts), _)| name.contains("i1") && some.contains(TimestampMs(*ts)))
        .map(|(k, v)| (k.clone(), *v))
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(
        read_all(&engine.snapshot(), &[Matcher::equal("instance", "i1")], some),
        expected
    );
    engine.close().unwrap();
    assert_eq!(engine.stats().memory_rows, 0);
    assert!(matches!(
        engine.append_blocking(column(&engine)),
        Err(EngineError::Closing)
    ));
}

fn column(engine: &Engine) -> SampleColumns {
    let head = engine.head();
    let mut columns = SampleColumns::new(&head);
    columns.push(head.series(&labels("m", "i0")), NOW, 1.0);
    columns
}

#[test]
fn a_snapshot_does_not_change_and_outlives_its_files() {
    let root = tempfile::tempdir().unwrap();
    let mut model = Model::new();
    let (engine, clock) = open(root.path(), Options::default());
    write(&engine, &mut model, &[(labels("m", "a"), NOW, 1.0)]);
    engine.flush().unwrap();
    let before = engine.snapshot();
    write(
        &engine,
        &mut model.clone(),
        &[(labels("m", "a"), NOW, 2.0), (labels("m", "b"), NOW, 2.0)],
    );
    clock.advance_ms(20 * 86_400_000);
    assert_eq!(engine.apply_retention().unwrap(), 1);
    assert_eq!(read_all(&before, &[], TimeRange::ALL), model);
    assert_eq!(
        before.label_values("instance", &[], TimeRange::ALL).unwrap(),
        ["a"]
    );
}

#[test]
fn a_second_process_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (_engine, clock) = open(root.path(), Options::default());
    let vfs = Arc::new(DiskVfs::open(root.path()).unwrap());
    let error = Engine::open(vfs, clock, Options::default()).unwrap_err();
    assert!(matches!(error, EngineError::Locked { .. }), "{error}");
}

#[test]
fn a_damaged_segment_is_set_aside_and_the_rest_is_served() {
    let root = tempfile::tempdir().unwrap();
    let mut model = Model::new();
    let (engine, _) = open(root.path(), Options::default());
    write(&engine, &mut model, &[(labels("m", "a"), NOW, 1.0)]);
    write(
        &engine,
        &mut Model::new(),
        &[(labels("m", "a"), NOW - 86_400_000, 1.0)],
    );
    engine.close().unwrap();
    drop(engine);
    let mut names: Vec<_> = std::fs::read_dir(root.path().join("segments"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    let victim = names
        .iter()
        .find(|p| p.to_string_lossy().ends_with(".samples.parquet"))
        .unwrap();
    let mut bytes = std::fs::read(victim).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x10;
    std::fs::write(victim, bytes).unwrap();

    let (engine, _) = open(root.path(), Options::default());
    assert_eq!(read_all(&engine.snapshot(), &[], TimeRange::ALL), model);
    let damages = engine.stats().damages;
    assert_eq!(damages.len(), 1);
    assert!(damages[0].what.contains("CRC-32C"), "{}", damages[0].what);
    let aside = std::fs::read_dir(root.path().join("quarantine")).unwrap();
    assert_eq!(aside.count(), 3);
}

#[test]
fn damage_that_only_a_reader_meets_fails_one_read_and_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    let (engine, _) = open(root.path(), Options::default());
    let rows: Vec<_> = (0..60_000)
        .map(|i| (labels("m", "a"), NOW - i, 1.0 / i as f64))
        .collect();
    write(&engine, &mut Model::new(), &rows);
    engine.close().unwrap();
    drop(engine);
    let samples = std::fs::read_dir(root.path().join("segments"))
        .unwrap()
        .map(|e| e.unwrap().path());
    let victim = samples.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&victim).unwrap();
    bytes[1000] ^= 0x10;
    std::fs::write(&victim, bytes).unwrap();

    let (engine, _) = open(
        root.path(),
        Options {
            background: false,
            ..Options::default()
        },
    );
    let snapshot = engine.snapshot();
    let all = snapshot.select(&[], TimeRange::ALL).unwrap();
    let mut partitions = snapshot.scan(&all, TimeRange::ALL).into_partitions();
    let error = partitions[0].next_block(&mut SampleBlock::default()).unwrap_err();
    assert!(error.to_string().contains("CRC-32C"), "{error}");
    assert_eq!(engine.set_aside_damaged().unwrap(), 1);
    assert_eq!(read_all(&engine.snapshot(), &[], TimeRange::ALL), Model::new());
    assert!(
        engine.stats().damages[0]
            .what
            .contains("60000 samples are not readable")
    );
}

#[test]
fn a_lost_index_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let mut model = Model::new();
    let (engine, _) = open(root.path(), Options::default());
    write(
        &engine,
        &mut model,
        &[(labels("m", "a"), NOW, 1.0), (labels("m", "b"), NOW, 2.0)],
    );
    engine.close().unwrap();
    drop(engine);
    let files = std::fs::read_dir(root.path().join("segments"))
        .unwrap()
        .map(|e| e.unwrap().path());
    let index = files
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "index"))
        .unwrap();
    let bytes = std::fs::read(&index).unwrap();
    for damage in [Some(&bytes[..bytes.len() / 2]), None] {
        match damage {
            Some(half) => std::fs::write(&index, half).unwrap(),
            None => std::fs::remove_file(&index).unwrap(),
        }
        let (engine, _) = open(root.path(), Options::default());
        assert_eq!(
            read_all(
                &engine.snapshot(),
                &[Matcher::equal("instance", "b")],
                TimeRange::ALL
            )
            .len(),
            1
        );
        assert_eq!(read_all(&engine.snapshot(), &[], TimeRange::ALL), model);
        assert_eq!(
            std::fs::read(&index).unwrap(),
            bytes,
            "the same series give the same index"
        );
    }
}

#[test]
fn series_that_fall_silent_leave_memory_and_come_back_with_their_ids() {
    let root = tempfile::tempdir().unwrap();
    let mut model = Model::new();
    let (engine, _) = open(
        root.path(),
        Options {
            silent_series_max: 3,
            ..Options::default()
        },
    );
    let old = engine.head();
    let rows = |round: i64| (0..10).map(move |i| (labels("m", &format!("i{round}-{i}")), NOW + round, 1.0));
    for round in 0..4 {
        write(&engine, &mut model, &rows(round).collect::<Vec<_>>());
        engine.flush().unwrap();
    }
    assert!(engine.stats().head_series < 40, "{}", engine.stats().head_series);
    assert!(!engine.head().is(&old));
    // A batch that was made with the numbers of a head long gone.
    let mut late = SampleColumns::new(&old);
    late.push(old.series(&labels("m", "i0-0")), NOW, 7.0);
    engine.append_blocking(late).unwrap();
    model.insert((labels("m", "i0-0").to_string(), NOW), 7f64.to_bits());
    assert_eq!(read_all(&engine.snapshot(), &[], TimeRange::ALL), model);
    drop(engine);
    let (engine, _) = open(root.path(), Options::default());
    assert_eq!(read_all(&engine.snapshot(), &[], TimeRange::ALL), model);
}

#[test]
fn pruning_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let (engine, _) = open(root.path(), Options::default());
    for day in 0..3 {
        write(
            &engine,
            &mut Model::new(),
            &[(labels(&format!("m{day}"), "a"), NOW - day * 86_400_000, 1.0)],
        );
    }
    engine.flush().unwrap();
    let snapshot = engine.snapshot();
    let series = snapshot
        .select(&[Matcher::equal("__name__", "m1")], TimeRange::ALL)
        .unwrap();
    let stats = snapshot.scan(&series, TimeRange::ALL).stats();
    assert_eq!(
        (
            stats.files_total,
            stats.files_pruned,
            stats.rows_total,
            stats.rows_selected
        ),
        (3, 2, 3, 1)
    );
    let stats = snapshot
        .scan(
            &snapshot.select(&[], TimeRange::ALL).unwrap(),
            TimeRange::new(NOW, NOW),
        )
        .stats();
    assert_eq!((stats.files_pruned, stats.series_matched), (2, 3));
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(u8, i64, f64)>),
    Flush,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![3 => (-500i64..500).prop_map(|i| i as f64 / 8.0), 1 => any::<f64>()];
    let row = (0u8..5, -200i64..200, value);
    prop_oneof![
        6 => proptest::collection::vec(row, 1..40).prop_map(Step::Write),
        2 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_store_is_a_map(steps in proptest::collection::vec(step(), 1..25)) {
        let vfs = SimVfs::new(0);
        let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
        let open = || {
            let wal_file_bytes = 1 << 16;
            let options =
                Options { background: false, flush_rows: 100, row_group_rows: 30, wal_file_bytes, ..Options::default() };
            Engine::open(Arc::new(vfs.clone()), Arc::<ManualClock>::clone(&clock), options).unwrap()
        };
        let mut model = Model::new();
        let mut engine = open();
        for step in steps {
            match step {
                Step::Write(rows) => {
                    let rows: Vec<_> = rows
                        .iter()
                        .map(|(s, t, v)| (labels(&format!("m{}", s % 2), &format!("i{s}")), NOW + t * 600_000, *v))
                        .collect();
                    write(&engine, &mut model, &rows);
                }
                Step::Flush => engine.flush().unwrap(),
                Step::Reopen => {
                    drop(engine);
                    engine = open();
                }
            }
        }
        prop_assert_eq!(read_all(&engine.snapshot(), &[], TimeRange::ALL), model);
    }
}

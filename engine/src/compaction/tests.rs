//! Merges, deletes and retention in any order, against a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Clock, Labels, ManualClock, MatchOp, Matcher, TimeRange, TimestampMs, matches_all};
use proptest::prelude::*;

use crate::vfs::{DiskVfs, SimVfs};
use crate::{Engine, Options, RetentionRule, RollupOptions, SampleBlock, SampleColumns, Snapshot};

const NOW: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;

type Model = BTreeMap<(Labels, i64), u64>;

fn labels(series: u8) -> Labels {
    let (metric, instance) = (format!("m{}", series % 2), format!("i{series}"));
    Labels::from_pairs([("__name__", metric.as_str()), ("instance", &instance)]).unwrap()
}

fn read(snapshot: &Snapshot, range: TimeRange) -> Model {
    let mut found = Model::new();
    let mut last_end = i64::MIN;
    let set = snapshot.select(&[], range).unwrap();
    for mut partition in snapshot.scan(&set, range).into_partitions() {
        assert!(
            partition.range().start.0 > last_end,
            "partitions are disjoint and in order"
        );
        last_end = partition.range().end.0;
        let mut block = SampleBlock::default();
        while partition.next_block(&mut block).unwrap() {
            let mut row = 0;
            for run in &block.runs {
                let labels = set.labels(run.series).unwrap();
                for row in row..run.end {
                    let key = (labels.as_ref().clone(), block.ts[row]);
                    assert_eq!(
                        found.insert(key, block.values[row].to_bits()),
                        None,
                        "each instant once"
                    );
                }
                row = run.end;
            }
        }
    }
    found
}

fn write(engine: &Engine, model: &mut Model, rows: impl IntoIterator<Item = (u8, i64, f64)>) {
    let head = engine.head();
    let mut columns = SampleColumns::new(&head);
    for (series, ts, value) in rows {
        let labels = labels(series);
        columns.push(head.series(&labels), ts, value);
        model.insert((labels, ts), value.to_bits());
    }
    engine.append_blocking(columns).unwrap();
}

fn delete(engine: &Engine, model: &mut Model, matchers: &[Matcher], range: TimeRange) {
    engine.delete(matchers, range).unwrap();
    model.retain(|(labels, ts), _| !(matches_all(matchers, labels) && range.contains(TimestampMs(*ts))));
}

fn merge_all(engine: &Engine) -> Vec<&'static str> {
    std::iter::from_fn(|| engine.compact_once().unwrap().map(|done| done.reason)).collect()
}

fn rules() -> Vec<RetentionRule> {
    let rule = |name, value, keep_ms| RetentionRule {
        matchers: vec![Matcher::equal(name, value)],
        keep_ms,
    };
    vec![
        rule("instance", "i3", None),
        rule("__name__", "m1", Some(20 * HOUR_MS)),
    ]
}

/// What of a model is kept by a retention of 40 hours and [`rules`].
fn kept(model: &Model, now: i64) -> Model {
    let is_kept = |(labels, ts): &(Labels, i64)| match (labels.get("instance"), labels.metric()) {
        ("i3", _) => true,
        (_, "m1") => *ts >= now - 20 * HOUR_MS,
        _ => *ts >= now - 40 * HOUR_MS,
    };
    model
        .iter()
        .filter(|(key, _)| is_kept(key))
        .map(|(key, bits)| (key.clone(), *bits))
        .collect()
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(u8, i64, f64)>),
    Flush,
    Merge(usize),
    Delete(u8, i64, i64),
    Retention,
    Wait(i64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![3 => (-500i64..500).prop_map(|i| i as f64 / 8.0), 1 => any::<f64>()];
    let row = (0u8..8, -240i64..2, value);
    prop_oneof![
        6 => proptest::collection::vec(row, 1..30).prop_map(Step::Write),
        4 => Just(Step::Flush),
        4 => (1usize..8).prop_map(Step::Merge),
        2 => (0u8..12, -240i64..0, 0i64..100).prop_map(|(s, start, length)| Step::Delete(s, start, length)),
        1 => Just(Step::Retention),
        2 => (0i64..20).prop_map(Step::Wait),
        1 => Just(Step::Reopen),
    ]
}

fn matchers(number: u8) -> Vec<Matcher> {
    match number {
        0..8 => vec![Matcher::equal("instance", &format!("i{number}"))],
        8 => vec![Matcher::new("instance", MatchOp::Regex, "i[1-5]").unwrap()],
        9 => vec![
            Matcher::equal("__name__", "m0"),
            Matcher::new("instance", MatchOp::NotEqual, "i2").unwrap(),
        ],
        10 => vec![Matcher::equal("instance", "nowhere")],
        _ => vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_store_is_a_map_whatever_is_merged_and_deleted(steps in proptest::collection::vec(step(), 1..40)) {
        let vfs = SimVfs::new(0);
        let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
        let open = || {
            let options = Options {
                background: false,
                flush_rows: 150,
                row_group_rows: 30,
                segment_rows_max: 40,
                compaction_memory_bytes: 8000,
                wal_file_bytes: 1 << 16,
                retention_ms: Some(40 * HOUR_MS),
                retention_rules: rules(),
                ..Options::default()
            };
            Engine::open(Arc::new(vfs.clone()), Arc::<ManualClock>::clone(&clock), options).unwrap()
        };
        let mut model = Model::new();
        let mut engine = open();
        let mut held: Vec<(Snapshot, Model)> = Vec::new();
        for step in steps {
            let now = clock.now().0;
            match step {
                Step::Write(rows) => {
                    let rows = rows.into_iter().map(|(series, t, value)| (series, now + t * 600_000, value));
                    write(&engine, &mut model, rows);
                }
                Step::Flush => engine.flush().unwrap(),
                Step::Merge(times) => for _ in 0..times {
                    engine.compact_once().unwrap();
                },
                Step::Delete(number, start, length) => {
                    let range = TimeRange::new(now + start * 600_000, now + (start + length) * 600_000);
                    delete(&engine, &mut model, &matchers(number), range);
                }
                Step::Retention => _ = engine.apply_retention().unwrap(),
                Step::Wait(hours) => {
                    held.push((engine.snapshot(), kept(&model, now)));
                    clock.advance_ms(hours * HOUR_MS);
                }
                Step::Reopen => {
                    drop(engine);
                    engine = open();
                }
            }
            prop_assert_eq!(read(&engine.snapshot(), TimeRange::ALL), kept(&model, clock.now().0));
        }
        merge_all(&engine);
        let now = clock.now().0;
        prop_assert_eq!(read(&engine.snapshot(), TimeRange::ALL), kept(&model, now));
        let part = TimeRange::new(now - 30 * HOUR_MS, now - 3 * HOUR_MS);
        let expected: Model =
            kept(&model, now).into_iter().filter(|((_, ts), _)| part.contains(TimestampMs(*ts))).collect();
        prop_assert_eq!(read(&engine.snapshot(), part), expected);
        for (snapshot, model) in held {
            prop_assert_eq!(read(&snapshot, TimeRange::ALL), model);
        }
        // Once windows and days have ended and deletes have waited, nothing hidden is left on disk.
        clock.advance_ms(30 * HOUR_MS);
        engine.flush().unwrap();
        merge_all(&engine);
        let stats = engine.stats();
        prop_assert_eq!(stats.tombstones, 0);
        drop(engine);
        let engine = open();
        prop_assert_eq!(engine.stats().segment_rows, stats.segment_rows);
        prop_assert_eq!(read(&engine.snapshot(), TimeRange::ALL), kept(&model, clock.now().0));
    }
}

fn open_on_disk(root: &std::path::Path, options: Options) -> (Arc<Engine>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let vfs = Arc::new(DiskVfs::open(root).unwrap());
    let engine = Engine::open(vfs, Arc::<ManualClock>::clone(&clock), options).unwrap();
    (engine, clock)
}

/// And without rollups, so that merges can be counted.
fn without_threads() -> Options {
    Options {
        background: false,
        rollup: RollupOptions::OFF,
        ..Options::default()
    }
}

#[test]
fn series_longer_than_any_block_are_merged_in_parts() {
    let root = tempfile::tempdir().unwrap();
    let (engine, clock) = open_on_disk(root.path(), without_threads());
    let mut model = Model::new();
    let start = NOW - 2 * HOUR_MS;
    // Two thirds of the instants in each of three segments, values of all kinds, and a second series behind it.
    for round in 0..3i64 {
        let rows = (0..60_000i64).filter(|i| i % 3 != round).map(|i| {
            let value = if i % 1000 == 0 {
                1.0 / (i as f64)
            } else {
                (i * 7 + round) as f64 / 100.0
            };
            (u8::from(i % 10 == 0) * 2, start + i * 50, value)
        });
        write(&engine, &mut model, rows);
        engine.flush().unwrap();
    }
    clock.advance_ms(30 * HOUR_MS);
    assert_eq!(merge_all(&engine), ["day"]);
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
    let stats = engine.stats();
    assert_eq!((stats.segments, stats.segment_rows), (1, 60_000));
    assert_eq!(
        (stats.compaction.rows_read, stats.compaction.rows_written),
        (120_000, 60_000)
    );
}

#[test]
fn levels_follow_one_another_and_files_go() {
    let root = tempfile::tempdir().unwrap();
    let (engine, clock) = open_on_disk(root.path(), without_threads());
    let mut model = Model::new();
    for i in 0..4 {
        write(
            &engine,
            &mut model,
            (0..8).map(|s| (s, NOW - 1000 + i, f64::from(s))),
        );
        engine.flush().unwrap();
    }
    assert_eq!(merge_all(&engine), ["tier"]);
    write(&engine, &mut model, [(0, NOW, 1.0)]);
    engine.flush().unwrap();
    assert_eq!(merge_all(&engine), [""; 0]);
    clock.advance_ms(2 * HOUR_MS);
    assert_eq!(merge_all(&engine), ["window"]);
    clock.advance_ms(24 * HOUR_MS);
    assert_eq!(merge_all(&engine), ["day"]);
    write(&engine, &mut model, [(0, NOW, 2.0)]);
    engine.flush().unwrap();
    assert_eq!(merge_all(&engine), [""; 0], "one late sample waits");
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
    clock.advance_ms(24 * HOUR_MS);
    assert_eq!(merge_all(&engine), ["day"]);
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
    assert_eq!(
        std::fs::read_dir(root.path().join("segments")).unwrap().count(),
        3
    );
    let stats = engine.stats().compaction;
    assert_eq!(
        (stats.jobs, stats.failures, stats.rows_written),
        (4, 0, 32 + 33 + 33 + 33)
    );
    assert!(stats.bytes_read > 0 && stats.bytes_written > 0);
}

#[test]
fn what_is_deleted_is_gone_at_once_and_later_from_disk() {
    let root = tempfile::tempdir().unwrap();
    let (engine, _) = open_on_disk(root.path(), without_threads());
    let mut model = Model::new();
    let at = NOW - 10 * HOUR_MS;
    write(&engine, &mut model, (0..8).map(|s| (s, at, 1.0)));
    let before = engine.snapshot();
    let whole = model.clone();
    let m1 = [Matcher::equal("__name__", "m1")];
    let report = engine.delete(&m1, TimeRange::new(at, at)).unwrap();
    model.retain(|(labels, _), _| labels.metric() != "m1");
    assert_eq!((report.series, report.segments, report.samples_max), (4, 1, 4));
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
    assert_eq!(read(&before, TimeRange::ALL), whole, "a snapshot does not change");
    // Written after the delete, at the same instant.
    write(&engine, &mut model, [(1, at, 5.0)]);
    let report = engine.delete(&m1, TimeRange::new(0, at - 1)).unwrap();
    assert_eq!(
        report,
        crate::DeleteReport::default(),
        "nothing is there, and nothing is kept in mind"
    );
    drop(engine);
    let (engine, clock) = open_on_disk(root.path(), without_threads());
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
    assert_eq!((engine.stats().tombstones, engine.stats().segment_rows), (1, 9));
    assert_eq!(merge_all(&engine), ["window"]);
    assert_eq!((engine.stats().tombstones, engine.stats().segment_rows), (0, 5));
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
    // Nothing else to merge: it waits for an hour.
    engine.delete(&matchers(0), TimeRange::ALL).unwrap();
    model.retain(|(labels, _), _| labels.get("instance") != "i0");
    assert_eq!(merge_all(&engine), [""; 0]);
    clock.advance_ms(HOUR_MS);
    assert_eq!(merge_all(&engine), ["deleted"]);
    assert_eq!((engine.stats().tombstones, engine.stats().segment_rows), (0, 4));
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
}

#[test]
fn a_segment_goes_whole_or_is_written_anew_when_a_rule_says_so() {
    let root = tempfile::tempdir().unwrap();
    let options = Options {
        retention_ms: Some(40 * HOUR_MS),
        retention_rules: rules(),
        ..without_threads()
    };
    let (engine, clock) = open_on_disk(root.path(), options);
    let mut model = Model::new();
    write(&engine, &mut model, (0..8).map(|s| (s, NOW, 1.0)));
    engine.flush().unwrap();
    let state = || (engine.stats().segments, engine.stats().segment_rows);
    clock.advance_ms(19 * HOUR_MS);
    assert_eq!((merge_all(&engine), state()), (vec!["day"], (1, 8)));
    clock.advance_ms(2 * HOUR_MS);
    assert_eq!(
        read(&engine.snapshot(), TimeRange::ALL).len(),
        5,
        "hidden before it is gone"
    );
    assert_eq!((merge_all(&engine), state()), (vec!["expired"], (1, 5)));
    clock.advance_ms(30 * HOUR_MS);
    assert_eq!(engine.apply_retention().unwrap(), 0, "i3 is kept for ever");
    assert_eq!((merge_all(&engine), state()), (vec!["expired"], (1, 1)));
    let kept: Vec<_> = read(&engine.snapshot(), TimeRange::ALL).into_keys().collect();
    assert_eq!(kept, [(labels(3), NOW)]);
}

#[test]
fn threads_merge_while_writes_flushes_and_deletes_go_on() {
    let root = tempfile::tempdir().unwrap();
    let options = Options {
        segment_rows_max: 3000,
        ..Options::default()
    };
    let (engine, clock) = open_on_disk(root.path(), options.clone());
    let mut model = Model::new();
    for round in 0..30i64 {
        let rows = (0..200).map(|i| {
            (
                (i % 8) as u8,
                NOW - (i * 37 + round) % 3000 * 10_000,
                (round * i) as f64,
            )
        });
        write(&engine, &mut model, rows);
        if round % 10 == 9 {
            let end = NOW - round * 100_000;
            delete(
                &engine,
                &mut model,
                &matchers((round % 8) as u8),
                TimeRange::new(end - 5_000_000, end),
            );
        }
        if round % 2 == 0 {
            engine.flush().unwrap();
        }
        if round % 10 == 0 {
            clock.advance_ms(HOUR_MS);
        }
        assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
    }
    engine.close().unwrap();
    assert!(matches!(engine.compact_once(), Err(crate::EngineError::Closing)));
    let stats = engine.stats();
    assert_eq!((stats.compaction.failures, stats.damages.len()), (0, 0));
    drop(engine);
    let (engine, _) = open_on_disk(root.path(), options);
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
}

#[test]
fn deletes_are_carried_out_at_once_when_that_is_asked_for() {
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let options = Options {
        retention_ms: None,
        background: false,
        ..Options::default()
    };
    let engine = Engine::open(Arc::new(SimVfs::new(1)), clock, options).unwrap();
    let mut model = Model::new();
    // Two windows, so that one segment has nothing to lose.
    write(&engine, &mut model, (0..6).map(|s| (s, NOW - 6 * HOUR_MS, 1.0)));
    write(&engine, &mut model, (0..6).map(|s| (s, NOW, 2.0)));
    engine.flush().unwrap();
    merge_all(&engine);
    let before = engine.stats();
    delete(&engine, &mut model, &matchers(2), TimeRange::new(NOW, NOW));
    assert_eq!(engine.stats().tombstones, 1);
    assert_eq!(
        merge_all(&engine),
        Vec::<&str>::new(),
        "it waits for an ordinary merge"
    );
    assert_eq!(engine.clean_tombstones().unwrap(), 1);
    let after = engine.stats();
    assert_eq!((after.tombstones, after.segments), (0, before.segments));
    assert_eq!(after.segment_rows, before.segment_rows - 1);
    assert_eq!(read(&engine.snapshot(), TimeRange::ALL), model);
    assert_eq!(engine.clean_tombstones().unwrap(), 0);
    delete(&engine, &mut model, &matchers(3), TimeRange::ALL);
    assert_eq!(merge_all(&engine), Vec::<&str>::new(), "the next one waits again");
}

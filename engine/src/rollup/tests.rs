//! Whatever is written late, merged, deleted or too old: buckets are what the rows are, wherever they come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Clock, Labels, ManualClock, Matcher, TimeRange, TimestampMs, stale_nan};
use proptest::prelude::*;

use super::*;
use crate::inspect::{Inspection, inspect};
use crate::vfs::{SimVfs, Vfs};
use crate::{Engine, Options, RetentionRule, SampleColumns, Snapshot};

pub(crate) mod views;
use views::{Buckets, difference, from_rows, scanned};

/// A Tuesday at 22:13:20.
const NOW: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn labels(series: u8) -> Labels {
    let (metric, instance) = (format!("m{}", series % 2), format!("i{series}"));
    Labels::from_pairs([("__name__", metric.as_str()), ("instance", &instance)]).unwrap()
}

fn write(engine: &Engine, rows: impl IntoIterator<Item = (u8, i64, f64)>) {
    let head = engine.head();
    let mut columns = SampleColumns::new(&head);
    for (series, ts, value) in rows {
        columns.push(head.series(&labels(series)), ts, value);
    }
    engine.append_blocking(columns).unwrap();
}

fn merge_all(engine: &Engine) -> Vec<&'static str> {
    std::iter::from_fn(|| engine.compact_once().unwrap().map(|done| done.reason)).collect()
}

fn options() -> Options {
    Options {
        background: false,
        retention_ms: None,
        ..Options::default()
    }
}

fn open(vfs: &SimVfs, clock: &Arc<ManualClock>, options: Options) -> Arc<Engine> {
    Engine::open(Arc::new(vfs.clone()), Arc::<ManualClock>::clone(clock), options).unwrap()
}

fn new_store(options: Options) -> (SimVfs, Arc<ManualClock>, Arc<Engine>) {
    let vfs = SimVfs::new(1);
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
    let engine = open(&vfs, &clock, options);
    (vfs, clock, engine)
}

/// Both widths of everything.
fn scanned_all(snapshot: &Snapshot, width: RollupWidth) -> Buckets {
    scanned(snapshot, TimeRange::ALL, width).unwrap()
}

fn assert_same(engine: &Engine) {
    let snapshot = engine.snapshot();
    for width in RollupWidth::ALL {
        let (scanned, rows) = (
            scanned_all(&snapshot, width),
            from_rows(&snapshot, width).unwrap(),
        );
        assert_eq!(difference(&scanned, &rows, |_, _| true), None, "{width:?}");
    }
}

/// Rows of some series over a day and a half, a minute apart.
fn ordinary(series: std::ops::Range<u8>) -> impl Iterator<Item = (u8, i64, f64)> {
    series.flat_map(|series| {
        (0..36 * 60i64).map(move |i| (series, NOW - 36 * HOUR_MS + i * 60_000, (i * 7 % 50) as f64 / 4.0))
    })
}

#[test]
fn days_that_have_ended_are_rolled_up_and_read_as_their_rows() {
    let (_, clock, engine) = new_store(options());
    write(&engine, ordinary(0..6));
    engine.flush().unwrap();
    assert_same(&engine);
    clock.advance_ms(30 * HOUR_MS);
    assert_eq!(merge_all(&engine), ["day", "day", "rollup", "rollup"]);
    let stats = engine.stats();
    // From 10:13:20 on the first day to 22:12:20 on the next: ends from 10:15 to 24:00, and from 0:05 to 22:15.
    assert_eq!(stats.segment_buckets_5m, 6 * (166 + 267), "{stats:?}");
    assert!(stats.rollup_bytes > 0 && stats.rollup_bytes < stats.segment_bytes);
    assert_same(&engine);
    let snapshot = engine.snapshot();
    let set = snapshot.select(&[], TimeRange::ALL).unwrap();
    let scan = snapshot.scan_rollup(&set, TimeRange::ALL, RollupWidth::OneHour, BucketParts::ALL);
    assert_eq!(scan.rows_max(), 0, "no row is read");
    assert_eq!(scan.buckets_selected(), stats.segment_buckets_1h);
    let stats = scan.stats();
    // Two days of rows, and a rollup of each.
    assert_eq!((stats.files_total, stats.files_pruned), (4, 2), "{stats:?}");
    assert_eq!((stats.rows_selected, stats.series_matched), (0, 6), "{stats:?}");
    assert!(snapshot.has_rollup(TimeRange::ALL, RollupWidth::OneHour));
    assert!(!snapshot.has_rollup(TimeRange::new(NOW, NOW + DAY_MS), RollupWidth::OneHour));
    // A part of the range: ends inside it, both ends among them.
    let width = RollupWidth::FiveMinutes;
    let end = width.end_of(NOW - 20 * HOUR_MS);
    let range = TimeRange::new(end, end + 2 * width.ms());
    let part = scanned(&snapshot, range, width).unwrap();
    assert_eq!(part.len(), 6 * 3);
    let all = scanned_all(&snapshot, width);
    assert!(part.iter().all(|(key, bucket)| all[key].is_same(bucket)));
}

#[test]
fn late_rows_are_seen_and_cost_only_their_own_series() {
    let (_, clock, engine) = new_store(options());
    write(&engine, ordinary(0..6));
    clock.advance_ms(30 * HOUR_MS);
    engine.flush().unwrap();
    merge_all(&engine);
    let late = NOW - 20 * HOUR_MS + 30_000;
    write(&engine, [(2, late, 1000.0)]);
    assert_same(&engine);
    engine.flush().unwrap();
    assert_eq!(merge_all(&engine), [""; 0], "a late sample waits");
    assert_same(&engine);
    let snapshot = engine.snapshot();
    let width = RollupWidth::OneHour;
    let buckets = scanned_all(&snapshot, width);
    let bucket = buckets
        .iter()
        .find(|((l, end, _), _)| *l == labels(2) && *end == width.end_of(late));
    assert_eq!(bucket.unwrap().1.max, 1000.0);
    clock.advance_ms(25 * HOUR_MS);
    assert_eq!(merge_all(&engine), ["day", "rollup"]);
    assert_same(&engine);
}

#[test]
fn deletes_reach_buckets_with_their_rows_and_without() {
    let rollup = RollupOptions {
        five_minutes: RollupKeep::AtLeast(60 * DAY_MS),
        one_hour: RollupKeep::AsRows,
    };
    let options = Options {
        retention_ms: Some(5 * DAY_MS),
        rollup,
        ..options()
    };
    let (vfs, clock, engine) = new_store(options.clone());
    write(&engine, ordinary(0..4));
    engine.flush().unwrap();
    clock.advance_ms(30 * HOUR_MS);
    merge_all(&engine);
    let width = RollupWidth::FiveMinutes;
    let of = |engine: &Engine, series: u8| {
        let all = scanned_all(&engine.snapshot(), width).into_iter();
        all.filter(|((l, ..), _)| *l == labels(series))
            .collect::<Buckets>()
    };
    let at = width.end_of(NOW - 10 * HOUR_MS);
    let whole = of(&engine, 1);
    // With rows: exact, at once and when it is carried out.
    let range = TimeRange::new(at - 90_000, at + 30_000);
    engine.delete(&[Matcher::equal("instance", "i1")], range).unwrap();
    assert_same(&engine);
    let cut = of(&engine, 1);
    assert_eq!(
        (whole.len(), cut.len()),
        (433, 433),
        "both buckets have rows left"
    );
    assert_ne!(whole, cut);
    clock.advance_ms(2 * HOUR_MS);
    assert_eq!(merge_all(&engine), ["deleted", "rollup"]);
    assert_eq!(engine.stats().tombstones, 0);
    assert_same(&engine);
    assert_eq!(of(&engine, 1), cut);
    // Without rows: whole buckets.
    clock.advance_ms(9 * DAY_MS);
    assert!(engine.apply_retention().unwrap() > 0);
    assert_eq!(engine.stats().segment_rows, 0);
    assert_eq!(scanned_all(&engine.snapshot(), RollupWidth::OneHour).len(), 0);
    assert_eq!(of(&engine, 1), cut, "buckets outlive their rows");
    engine.delete(&[Matcher::equal("instance", "i1")], range).unwrap();
    let left = of(&engine, 1);
    assert_eq!(left.len(), 431);
    assert_eq!(of(&engine, 2).len(), 433);
    let reopened = {
        drop(engine);
        open(&vfs, &clock, options)
    };
    assert_eq!(of(&reopened, 1), left);
    clock.advance_ms(2 * HOUR_MS);
    assert_eq!(merge_all(&reopened), ["rollup", "rollup"][..1]);
    assert_eq!(of(&reopened, 1), left);
    assert_eq!(reopened.stats().tombstones, 0);
    clock.advance_ms(60 * DAY_MS);
    reopened.apply_retention().unwrap();
    assert_eq!(reopened.stats().segments, 0);
}

#[test]
fn buckets_of_expired_rows_are_carried_over_when_a_day_is_made_anew() {
    let rule = RetentionRule {
        matchers: vec![Matcher::equal("__name__", "m0")],
        keep_ms: Some(100 * DAY_MS),
    };
    let options = Options {
        retention_ms: Some(3 * DAY_MS),
        retention_rules: vec![rule],
        rollup: RollupOptions {
            five_minutes: RollupKeep::AtLeast(50 * DAY_MS),
            one_hour: RollupKeep::Off,
        },
        segment_rows_max: 2000,
        ..options()
    };
    let (_, clock, engine) = new_store(options);
    write(&engine, ordinary(0..4));
    engine.flush().unwrap();
    clock.advance_ms(20 * HOUR_MS);
    merge_all(&engine);
    let width = RollupWidth::FiveMinutes;
    let before = scanned_all(&engine.snapshot(), width);
    clock.advance_ms(10 * DAY_MS);
    let merges = merge_all(&engine);
    assert!(merges.contains(&"expired"), "{merges:?}");
    assert_eq!(
        engine.stats().segment_rows,
        2 * 36 * 60,
        "the rows of m1 are gone"
    );
    write(&engine, [(0, NOW - 20 * HOUR_MS + 30_000, 9.0)]);
    engine.flush().unwrap();
    clock.advance_ms(2 * DAY_MS);
    let merges = merge_all(&engine);
    assert!(
        merges.contains(&"day") && merges.contains(&"rollup"),
        "{merges:?}"
    );
    let after = scanned_all(&engine.snapshot(), width);
    let of_m1 = |view: &Buckets| view.keys().filter(|(l, ..)| l.metric() == "m1").count();
    assert_eq!((of_m1(&before), of_m1(&after)), (2 * 433, 2 * 433));
    assert_eq!(difference(&before, &after, |l, _| l.metric() == "m1"), None);
    assert_eq!(
        difference(&after, &from_rows(&engine.snapshot(), width).unwrap(), |l, _| l
            .metric()
            == "m0"),
        None
    );
}

#[test]
fn rollups_that_are_not_wanted_are_not_made_and_go() {
    let (vfs, clock, engine) = new_store(options());
    write(&engine, ordinary(0..2));
    engine.flush().unwrap();
    clock.advance_ms(30 * HOUR_MS);
    assert!(merge_all(&engine).contains(&"rollup"));
    drop(engine);
    let off = Options {
        rollup: RollupOptions::OFF,
        ..options()
    };
    let engine = open(&vfs, &clock, off);
    assert_eq!(engine.apply_retention().unwrap(), 4);
    assert_eq!(merge_all(&engine), [""; 0]);
    assert_eq!((engine.stats().rollup_bytes, engine.stats().segments), (0, 2));
    assert_same(&engine);
}

#[test]
fn a_day_of_which_no_bucket_is_kept_is_not_read_again_and_again() {
    let options = Options {
        retention_ms: Some(100 * DAY_MS),
        retention_rules: vec![RetentionRule {
            matchers: vec![Matcher::equal("__name__", "m1")],
            keep_ms: Some(60_000),
        }],
        ..options()
    };
    let (_, clock, engine) = new_store(options);
    write(
        &engine,
        (0..20).map(|i| (if i == 0 { 0 } else { 1 }, NOW + i * 1000, 1.0)),
    );
    engine.flush().unwrap();
    engine
        .delete(&[Matcher::equal("__name__", "m0")], TimeRange::ALL)
        .unwrap();
    clock.advance_ms(30_000);
    write(&engine, [(1, NOW + 30_000, 1.0)]);
    assert_same(&engine);
    engine.flush().unwrap();
    clock.advance_ms(10 * DAY_MS);
    assert!(merge_all(&engine).len() < 10);
    assert_same(&engine);
}

#[test]
fn damage_to_a_rollup_is_set_aside_and_it_is_made_anew() {
    let (vfs, clock, engine) = new_store(options());
    write(&engine, ordinary(0..3));
    engine.flush().unwrap();
    clock.advance_ms(30 * HOUR_MS);
    merge_all(&engine);
    drop(engine);
    let files = vfs.files();
    let (path, _) = files.iter().find(|(path, _)| path.contains("rollup_5m")).unwrap();
    vfs.flip_bit(path, 3000);
    let engine = open(&vfs, &clock, options());
    // A file of one block is read with its footer, so opening has met it.
    let damages = engine.stats().damages;
    assert!(
        damages[0]
            .what
            .contains("buckets are not readable; they are made anew"),
        "{damages:?}"
    );
    assert_same(&engine);
    assert_eq!(merge_all(&engine), ["rollup"]);
    assert_same(&engine);
}

/// A number that follows from two others and looks like chance.
fn noise(series: u8, n: i64) -> i64 {
    let mixed = (n + i64::from(series) * 1_000_003).wrapping_mul(0x2545_f491_4f6c_dd1d);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0x1656_67b1_9e37_79f9) >> 40) & 0xfff
}

#[test]
fn figures_of_what_a_bucket_costs() {
    let (vfs, clock, engine) = new_store(options());
    // Ten hours of 15 seconds: three fifths constant, a fifth counters, a fifth with two decimals, each with its own phase.
    let start = NOW - 40 * HOUR_MS;
    for series in 0..100u8 {
        let mut total = 0;
        let rows = (0..2400i64).map(|n| {
            total += noise(series, n);
            let value = match series % 5 {
                0 => total as f64,
                1 => noise(series, n) as f64 / 100.0,
                _ => f64::from(series),
            };
            (series, start + n * 15_000 + i64::from(series) * 111, value)
        });
        write(&engine, rows.collect::<Vec<_>>());
    }
    engine.flush().unwrap();
    clock.advance_ms(30 * HOUR_MS);
    merge_all(&engine);
    let vfs_of: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let files = vfs.files();
    // Without the footers, which files of more series share out.
    let mut costs = Vec::new();
    for part in [".samples.", ".rollup_5m.", ".rollup_1h."] {
        let (path, _) = files.iter().find(|(path, _)| path.contains(part)).unwrap();
        let file = match inspect(&vfs_of, path).unwrap() {
            Inspection::Samples(figures) => figures.file,
            Inspection::Rollup(figures) => figures.file,
            other => panic!("{other:?}"),
        };
        let bytes: u64 = file.columns.iter().map(|column| column.compressed_bytes).sum();
        let by_column: Vec<_> = file
            .columns
            .iter()
            .map(|c| (c.name.as_str(), c.compressed_bytes))
            .collect();
        println!(
            "{part}: {} rows, {:.2} bytes a row {by_column:?}",
            file.rows,
            bytes as f64 / file.rows as f64
        );
        costs.push(bytes);
    }
    assert!(costs[1] < costs[0] && costs[2] * 4 < costs[1], "{costs:?}");
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
    let value = prop_oneof![
        6 => (-500i64..500).prop_map(|i| i as f64 / 8.0),
        1 => any::<f64>(),
        1 => Just(stale_nan()),
        1 => Just(f64::NAN),
    ];
    // Minutes before now; the ends of buckets and days among them.
    let row = (0u8..6, -2400i64..2, value);
    prop_oneof![
        6 => proptest::collection::vec(row, 1..60).prop_map(Step::Write),
        3 => Just(Step::Flush),
        5 => (1usize..8).prop_map(Step::Merge),
        2 => (0u8..8, -2400i64..0, 0i64..600).prop_map(|(s, start, length)| Step::Delete(s, start, length)),
        1 => Just(Step::Retention),
        3 => (0i64..20).prop_map(Step::Wait),
        1 => Just(Step::Reopen),
    ]
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

/// The first instants of which rows and buckets of a series are kept.
fn kept_from(labels: &Labels, width: RollupWidth, now: i64) -> (i64, i64) {
    match (labels.get("instance"), labels.metric(), width) {
        ("i3", ..) => (i64::MIN, i64::MIN),
        (_, "m1", _) => (now - 20 * HOUR_MS, now - 20 * HOUR_MS),
        (_, _, RollupWidth::FiveMinutes) => (now - 40 * HOUR_MS, now - 40 * HOUR_MS),
        (_, _, RollupWidth::OneHour) => (now - 40 * HOUR_MS, now - 70 * HOUR_MS),
    }
}

/// All that a bucket was while all of its rows were kept.
#[derive(Default)]
struct Seen(BTreeMap<(RollupWidth, Labels, i64), Vec<Bucket>>);

impl Seen {
    /// Holds a view of buckets against the rows, and against what was seen where the rows are gone.
    fn check(&mut self, engine: &Engine, now: i64) {
        let snapshot = engine.snapshot();
        for width in RollupWidth::ALL {
            let scanned = scanned_all(&snapshot, width);
            let rows = from_rows(&snapshot, width).unwrap();
            let has_rows = |labels: &Labels, end: i64| {
                let (rows, buckets) = kept_from(labels, width, now);
                width.first_of(end) >= rows || rows == buckets
            };
            assert_eq!(difference(&scanned, &rows, has_rows), None, "{width:?}");
            for ((labels, end, _), bucket) in &scanned {
                let seen = self.0.entry((width, labels.clone(), *end)).or_default();
                let (rows, buckets) = kept_from(labels, width, now);
                assert!(*end >= buckets, "its time is up: {labels} {bucket:?}");
                if width.first_of(*end) >= rows {
                    seen.push(*bucket);
                } else if width.first_of(*end) >= buckets && *end < rows {
                    assert!(
                        seen.iter().any(|s| s.is_same(bucket)),
                        "{labels} {bucket:?} of {seen:?}"
                    );
                }
            }
        }
    }

    fn delete(&mut self, number: u8, range: TimeRange) {
        let is_meant = |labels: &Labels| number >= 6 || labels.get("instance") == format!("i{number}");
        self.0.retain(|(width, labels, end), _| {
            let touched = width.end_of(range.start.0)..=width.end_of(range.end.0);
            !(is_meant(labels) && touched.contains(end))
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn buckets_are_what_the_rows_are(steps in proptest::collection::vec(step(), 1..40)) {
        let vfs = SimVfs::new(0);
        let clock = Arc::new(ManualClock::new(TimestampMs(NOW)));
        let options = Options {
            background: false,
            flush_rows: 200,
            row_group_rows: 30,
            segment_rows_max: 40,
            compaction_memory_bytes: 8000,
            wal_file_bytes: 1 << 16,
            retention_ms: Some(40 * HOUR_MS),
            retention_rules: rules(),
            rollup: RollupOptions {
                five_minutes: RollupKeep::AsRows,
                one_hour: RollupKeep::AtLeast(70 * HOUR_MS),
            },
            ..Options::default()
        };
        let mut engine = open(&vfs, &clock, options.clone());
        let mut seen = Seen::default();
        for step in steps {
            let now = clock.now().0;
            let minute = now - now % 60_000;
            match step {
                Step::Write(rows) => {
                    write(&engine, rows.into_iter().map(|(series, t, value)| (series, minute + t * 60_000, value)));
                }
                Step::Flush => engine.flush().unwrap(),
                Step::Merge(times) => for _ in 0..times {
                    engine.compact_once().unwrap();
                },
                Step::Delete(number, start, length) => {
                    let range = TimeRange::new(minute + start * 60_000, minute + (start + length) * 60_000);
                    let matchers = match number {
                        0..6 => vec![Matcher::equal("instance", &format!("i{number}"))],
                        _ => vec![],
                    };
                    engine.delete(&matchers, range).unwrap();
                    seen.delete(number, range);
                }
                Step::Retention => _ = engine.apply_retention().unwrap(),
                Step::Wait(hours) => clock.advance_ms(hours * HOUR_MS),
                Step::Reopen => {
                    drop(engine);
                    engine = open(&vfs, &clock, options.clone());
                }
            }
            seen.check(&engine, clock.now().0);
        }
        clock.advance_ms(30 * HOUR_MS);
        engine.flush().unwrap();
        merge_all(&engine);
        seen.check(&engine, clock.now().0);
        prop_assert_eq!(engine.stats().tombstones, 0);
        drop(engine);
        let vfs: Arc<dyn Vfs> = Arc::new(vfs);
        let options = crate::check::CheckOptions { threads: 1, is_shared: true, journals: &[], progress: &|_, _| {} };
        let report = crate::check::check_store(&vfs, &options).unwrap();
        prop_assert!(!report.is_damaged(), "{:#?}", report.findings);
    }
}

//! The lanes through the whole engine, against a model.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{
    Exemplar, Histogram, HistogramCounts, HistogramParts, Labels, ManualClock, Matcher, Metadata, MetricType,
    ResetHint, Span, TimeRange, TimestampMs, stale_nan,
};
use proptest::prelude::*;

use super::Lane;
use crate::vfs::SimVfs;
use crate::{Engine, Options, SampleColumns};

const HOUR_MS: i64 = 3_600_000;

fn open(disk: &SimVfs) -> Arc<Engine> {
    let options = Options {
        background: false,
        // The simulated disk copies what is reserved.
        wal_file_bytes: 1 << 16,
        retention_ms: Some(48 * HOUR_MS),
        ..Options::default()
    };
    let clock = Arc::new(ManualClock::new(TimestampMs(100 * HOUR_MS)));
    Engine::open(Arc::new(disk.clone()), clock, options).unwrap()
}

fn labels(metric: &str, job: &str) -> Labels {
    Labels::from_pairs([("__name__", metric), ("job", job)]).unwrap()
}

fn histogram(counts: &[u64], sum: f64) -> Histogram {
    Histogram::new(HistogramParts {
        sum,
        reset_hint: ResetHint::No,
        created: Some(TimestampMs(7)),
        zero_threshold: 1e-9,
        positive_spans: vec![Span {
            offset: -3,
            length: counts.len() as u32,
        }],
        counts: HistogramCounts::Integer {
            count: counts.iter().sum(),
            zero_count: 0,
            positive: counts.to_vec(),
            negative: Vec::new(),
        },
        ..HistogramParts::default()
    })
    .unwrap()
}

fn floats(counts: &[f64], bounds: &[f64]) -> Histogram {
    Histogram::new(HistogramParts {
        schema: -53,
        sum: -0.0,
        positive_spans: vec![Span {
            offset: 0,
            length: counts.len() as u32,
        }],
        counts: HistogramCounts::Float {
            count: counts.iter().sum(),
            zero_count: 0.0,
            positive: counts.to_vec(),
            negative: Vec::new(),
        },
        custom_values: bounds.to_vec(),
        ..HistogramParts::default()
    })
    .unwrap()
}

fn exemplar(trace: &str, ts: i64, value: f64) -> Exemplar {
    Exemplar {
        labels: Labels::from_pairs([("trace_id", trace)]).unwrap(),
        value,
        ts: TimestampMs(ts),
    }
}

type Histograms = BTreeMap<(String, i64), Histogram>;
type Exemplars = BTreeMap<(String, i64, String), u64>;

fn histograms_of(engine: &Engine, matchers: &[Matcher], range: TimeRange) -> Histograms {
    let snapshot = engine.snapshot();
    let set = snapshot.select(matchers, range).unwrap();
    let mut scan = snapshot.histograms(&set, range);
    let (mut rows, mut found) = (Vec::new(), Histograms::new());
    while let Some(position) = scan.next_series(&mut rows).unwrap() {
        assert!(
            rows.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "ascending, each instant once"
        );
        let series = set.labels(position).unwrap().to_string();
        for (ts, histogram) in rows.drain(..) {
            assert_eq!(
                found.insert((series.clone(), ts), histogram),
                None,
                "an instant twice"
            );
        }
    }
    found
}

fn exemplars_of(engine: &Engine, matchers: &[Matcher], range: TimeRange) -> Exemplars {
    let snapshot = engine.snapshot();
    let set = snapshot.select(matchers, range).unwrap();
    let mut scan = snapshot.exemplars(&set, range);
    let (mut rows, mut found) = (Vec::new(), Exemplars::new());
    while let Some(position) = scan.next_series(&mut rows).unwrap() {
        let series = set.labels(position).unwrap().to_string();
        for (ts, exemplar) in rows.drain(..) {
            assert_eq!(exemplar.ts, TimestampMs(ts));
            let key = (series.clone(), ts, exemplar.labels.to_string());
            assert_eq!(
                found.insert(key, exemplar.value.to_bits()),
                None,
                "an exemplar twice"
            );
        }
    }
    found
}

fn append(engine: &Engine, fill: impl FnOnce(&mut SampleColumns)) {
    let mut columns = SampleColumns::new(&engine.head());
    fill(&mut columns);
    engine.append_blocking(columns).unwrap();
}

#[test]
fn every_field_survives_memory_file_and_restart() {
    let disk = SimVfs::new(1);
    let stale = HistogramParts {
        sum: stale_nan(),
        ..HistogramParts::default()
    };
    let all = [
        histogram(&[1, 2, 3], 4.5),
        floats(&[0.5, 0.1 + 0.2, 0.0], &[-1.0, 2.5]),
        Histogram::new(stale).unwrap(),
        histogram(&[u64::MAX >> 1], f64::NAN),
    ];
    let series = labels("h", "a");
    let expected: Histograms = (0i64..)
        .zip(all.clone())
        .map(|(i, h)| ((series.to_string(), 99 * HOUR_MS + i), h))
        .collect();
    let engine = open(&disk);
    append(&engine, |columns| {
        let number = engine.head().series(&series);
        for (i, histogram) in (0i64..).zip(all) {
            columns.push_histogram(number, 99 * HOUR_MS + i, histogram);
        }
        columns.push_exemplar(number, exemplar("ünï", 99 * HOUR_MS, f64::INFINITY));
    });
    let exemplars = Exemplars::from([(
        (series.to_string(), 99 * HOUR_MS, "{trace_id=\"ünï\"}".to_owned()),
        f64::INFINITY.to_bits(),
    )]);
    let check = |engine: &Engine, what: &str| {
        assert_eq!(histograms_of(engine, &[], TimeRange::ALL), expected, "{what}");
        assert_eq!(exemplars_of(engine, &[], TimeRange::ALL), exemplars, "{what}");
    };
    check(&engine, "in memory");
    drop(engine);
    let engine = open(&disk);
    check(&engine, "from the log");
    engine.flush().unwrap();
    check(&engine, "from segments");
    assert_eq!(engine.stats().memory_rows, 0);
    drop(engine);
    check(&open(&disk), "from segments of a closed store");
}

#[test]
fn a_series_without_samples_is_found_and_has_none() {
    let disk = SimVfs::new(2);
    let engine = open(&disk);
    append(&engine, |columns| {
        let number = engine.head().series(&labels("h", "a"));
        columns.push_histogram(number, 99 * HOUR_MS, histogram(&[1], 1.0));
    });
    for _ in 0..2 {
        let snapshot = engine.snapshot();
        let set = snapshot
            .select(&[Matcher::equal("job", "a")], TimeRange::ALL)
            .unwrap();
        assert_eq!(set.len(), 1);
        assert_eq!(snapshot.metric_names(TimeRange::ALL).unwrap(), ["h"]);
        let samples = snapshot.scan(&set, TimeRange::ALL);
        assert_eq!(samples.stats().rows_selected, 0);
        assert!(samples.into_partitions().is_empty(), "nothing of it is a sample");
        engine.flush().unwrap();
    }
}

#[test]
fn matchers_and_ranges_choose() {
    let disk = SimVfs::new(3);
    let engine = open(&disk);
    for (i, job) in [(0, "a"), (1, "b"), (2, "a")] {
        append(&engine, |columns| {
            let number = engine.head().series(&labels("h", job));
            columns.push_histogram(number, (90 + i) * HOUR_MS, histogram(&[1], 1.0));
            columns.push_exemplar(number, exemplar("t", (90 + i) * HOUR_MS, 1.0));
        });
        if i == 1 {
            engine.flush().unwrap();
        }
    }
    let a = [Matcher::equal("job", "a")];
    assert_eq!(histograms_of(&engine, &a, TimeRange::ALL).len(), 2);
    assert_eq!(
        histograms_of(&engine, &a, TimeRange::new(91 * HOUR_MS, 92 * HOUR_MS)).len(),
        1
    );
    assert_eq!(
        exemplars_of(&engine, &a, TimeRange::new(90 * HOUR_MS, 90 * HOUR_MS)).len(),
        1
    );
    assert!(histograms_of(&engine, &[Matcher::equal("job", "c")], TimeRange::ALL).is_empty());
}

#[test]
fn what_is_too_old_goes_with_its_segment() {
    let disk = SimVfs::new(4);
    let engine = open(&disk);
    append(&engine, |columns| {
        let number = engine.head().series(&labels("h", "a"));
        columns.push_histogram(number, 40 * HOUR_MS, histogram(&[1], 1.0));
        columns.push_exemplar(number, exemplar("old", 40 * HOUR_MS, 1.0));
        columns.push_histogram(number, 99 * HOUR_MS, histogram(&[2], 1.0));
    });
    engine.flush().unwrap();
    assert_eq!(engine.apply_retention().unwrap(), 2);
    assert_eq!(histograms_of(&engine, &[], TimeRange::ALL).len(), 1);
    assert!(exemplars_of(&engine, &[], TimeRange::ALL).is_empty());
}

#[test]
fn metadata_is_the_newest_word_across_log_manifest_and_restart() {
    let disk = SimVfs::new(5);
    let help = |help: &str| Metadata {
        metric_type: MetricType::Counter,
        help: help.to_owned(),
        unit: "s".to_owned(),
    };
    let say = |engine: &Engine, family: &str, text: &str| {
        append(engine, |columns| {
            columns.push_metadata(family.to_owned(), help(text))
        });
    };
    let known = |engine: &Engine| {
        let table = engine.metadata();
        table
            .iter()
            .map(|(family, m)| format!("{family}={}", m.help))
            .collect::<Vec<_>>()
    };
    let engine = open(&disk);
    say(&engine, "a", "old");
    say(&engine, "a", "new");
    say(&engine, "b", "first");
    assert_eq!(known(&engine), ["a=new", "b=first"]);
    assert_eq!(
        known(&open(&{
            drop(engine);
            disk.clone()
        })),
        ["a=new", "b=first"]
    );
    let engine = open(&disk);
    append(&engine, |columns| {
        columns.push(engine.head().series(&labels("m", "a")), 99 * HOUR_MS, 1.0)
    });
    engine.flush().unwrap();
    say(&engine, "b", "second");
    drop(engine);
    let engine = open(&disk);
    assert_eq!(known(&engine), ["a=new", "b=second"]);
    engine.close().unwrap();
    drop(engine);
    assert_eq!(known(&open(&disk)), ["a=new", "b=second"]);
}

/// What a test does to a store.
#[derive(Debug, Clone)]
enum Step {
    Histogram {
        series: u8,
        slot: i64,
        count: u64,
    },
    Exemplar {
        series: u8,
        slot: i64,
        trace: u8,
        value: i32,
    },
    Flush,
    Reopen,
    Crash,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3u8, 0..12i64, 0..100u64).prop_map(|(series, slot, count)| Step::Histogram { series, slot, count }),
        6 => (0..3u8, 0..12i64, 0..2u8, any::<i32>())
            .prop_map(|(series, slot, trace, value)| Step::Exemplar { series, slot, trace, value }),
        2 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_newest_write_is_read_whatever_the_order(steps in proptest::collection::vec(any_step(), 1..60)) {
        let disk = SimVfs::new(6);
        let mut engine = open(&disk);
        let (mut histograms, mut exemplars) = (Histograms::new(), Exemplars::new());
        for step in steps {
            match step {
                Step::Histogram { series, slot, count } => {
                    let (set, ts) = (labels("h", &series.to_string()), 80 * HOUR_MS + slot * HOUR_MS / 2);
                    let one = histogram(&[count], count as f64);
                    histograms.insert((set.to_string(), ts), one.clone());
                    append(&engine, |columns| columns.push_histogram(engine.head().series(&set), ts, one));
                }
                Step::Exemplar { series, slot, trace, value } => {
                    let (set, ts) = (labels("h", &series.to_string()), 80 * HOUR_MS + slot * HOUR_MS / 2);
                    let one = exemplar(&trace.to_string(), ts, f64::from(value));
                    exemplars.insert((set.to_string(), ts, one.labels.to_string()), one.value.to_bits());
                    append(&engine, |columns| columns.push_exemplar(engine.head().series(&set), one));
                }
                Step::Flush => engine.flush().unwrap(),
                Step::Reopen => {
                    engine.close().unwrap();
                    drop(engine);
                    engine = open(&disk);
                }
                Step::Crash => {
                    drop(engine);
                    disk.restart();
                    engine = open(&disk);
                }
            }
        }
        prop_assert_eq!(histograms_of(&engine, &[], TimeRange::ALL), histograms);
        prop_assert_eq!(exemplars_of(&engine, &[], TimeRange::ALL), exemplars);
        prop_assert!(engine.stats().damages.is_empty());
    }

    #[test]
    fn settling_keeps_the_newest(rows in proptest::collection::vec((0..6i64, 0..3u8), 0..30)) {
        let mut settled: Vec<(i64, Exemplar)> = Vec::new();
        let mut model = BTreeMap::new();
        for (value, (ts, trace)) in rows.into_iter().enumerate() {
            let one = exemplar(&trace.to_string(), ts, value as f64);
            model.insert((ts, trace), value as f64);
            settled.push((ts, one));
        }
        super::settle(&mut settled);
        let found: Vec<_> = settled.iter().map(|(ts, e)| (*ts, e.value)).collect();
        let expected: Vec<_> = model.into_iter().map(|((ts, _), value)| (ts, value)).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(settled.windows(2).all(|w| (w[0].0, std::cmp::Ordering::Less) != (w[1].0, w[1].1.compare(&w[0].1))));
    }
}

#[test]
fn merges_deletes_and_batches_hold_for_the_lanes() {
    let disk = SimVfs::new(7);
    let mut engine = open(&disk);
    let mut expected = Histograms::new();
    // Six flushes of one window that ended long ago: tiers first, then the window, then the day.
    for round in 0..6i64 {
        append(&engine, |columns| {
            for job in ["a", "b"] {
                let set = labels("h", job);
                let number = engine.head().series(&set);
                for i in 0..20 {
                    let ts = 80 * HOUR_MS + (round * 10 + i) * 1000;
                    let one = histogram(&[round as u64, i as u64], ts as f64);
                    expected.insert((set.to_string(), ts), one.clone());
                    columns.push_histogram(number, ts, one);
                    columns.push_exemplar(number, exemplar("t", ts, round as f64));
                }
            }
        });
        engine.flush().unwrap();
    }
    let before = engine.stats();
    assert_eq!(before.segments, 12);
    let exemplars = exemplars_of(&engine, &[], TimeRange::ALL);
    while engine.compact_once().unwrap().is_some() {}
    let after = engine.stats();
    assert_eq!(after.segments, 2, "one of each lane");
    assert_eq!((after.segment_histograms, after.segment_exemplars), (140, 140));
    assert_eq!(histograms_of(&engine, &[], TimeRange::ALL), expected);
    assert_eq!(exemplars_of(&engine, &[], TimeRange::ALL), exemplars);

    let gone = TimeRange::new(80 * HOUR_MS, 80 * HOUR_MS + 29_000);
    engine.delete(&[Matcher::equal("job", "a")], gone).unwrap();
    expected.retain(|(series, ts), _| !(series.contains("\"a\"") && gone.contains(TimestampMs(*ts))));
    assert_eq!(expected.len(), 110);
    for _ in 0..2 {
        assert_eq!(histograms_of(&engine, &[], TimeRange::ALL), expected);
        assert_eq!(exemplars_of(&engine, &[], TimeRange::ALL).len(), 110);
        let snapshot = engine.snapshot();
        let set = snapshot.select(&[], TimeRange::ALL).unwrap();
        let batches = snapshot.lane_batches(crate::LaneKind::Histograms, &set, TimeRange::ALL);
        let rows: usize = batches.map(|batch| batch.unwrap().positions.len()).sum();
        assert_eq!(rows, 110);
        drop((snapshot, set));
        engine.close().unwrap();
        drop(engine);
        engine = open(&disk);
    }
}

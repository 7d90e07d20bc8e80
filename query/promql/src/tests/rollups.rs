//! Rollups give what rows give.

use barograph_model::{Labels, stale_nan};
use proptest::prelude::*;

use super::store::{Layout, Store, Stored, StoredSeries};
use crate::{Grid, QueryValue, RollupUse, SampleValue};

const HOUR_MS: i64 = 3_600_000;
/// A day of the store's past, so that it is merged and rolled up at once.
const START_MS: i64 = 10 * 24 * HOUR_MS;

/// Functions that buckets can answer, and a few that they cannot.
const QUERIES: [&str; 22] = [
    "m",
    "timestamp(m)",
    "m offset 1h",
    "sum by (a) (m)",
    "m @ end()",
    "count_over_time(m[2h])",
    "present_over_time(m[1h])",
    "absent_over_time(m{a=\"1\"}[1h])",
    "first_over_time(m[3h])",
    "last_over_time(m[1h] offset 5m)",
    "min_over_time(m[2h])",
    "max_over_time(m[4h])",
    "sum_over_time(m[2h])",
    "avg_over_time(m[1h])",
    "rate(m[1h])",
    "increase(m[3h])",
    "delta(m[2h])",
    "resets(m[6h])",
    "changes(m[1h])",
    "sum(rate(m[1h])) / count(m)",
    "stddev_over_time(m[1h])",
    "irate(m[10m])",
];

/// Gaps between samples in milliseconds, with what comes after each.
fn rows() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        8 => (0i32..1000).prop_map(|v| f64::from(v) / 4.0),
        1 => Just(f64::NAN),
        1 => Just(stale_nan()),
    ];
    let gap = prop_oneof![6 => 20_000i64..400_000, 1 => HOUR_MS..3 * HOUR_MS, 1 => Just(300_000)];
    proptest::collection::vec((gap, value), 1..250)
}

fn of(series: &[Vec<(i64, f64)>]) -> Vec<StoredSeries> {
    let one = |(i, rows): (usize, &Vec<(i64, f64)>)| {
        let mut now = START_MS;
        let samples = rows.iter().map(|(gap, value)| {
            now += gap;
            (now, Stored::Float(*value))
        });
        StoredSeries {
            labels: Labels::from_pairs([("__name__", "m".to_owned()), ("a", i.to_string())]).unwrap(),
            samples: samples.collect(),
        }
    };
    series.iter().enumerate().map(one).collect()
}

fn is_near(a: &SampleValue, b: &SampleValue) -> bool {
    match (a, b) {
        (SampleValue::Float(a), SampleValue::Float(b)) => {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        _ => false,
    }
}

fn expect_same(query: &str, rows: &QueryValue, buckets: &QueryValue) {
    let (QueryValue::Matrix(rows), QueryValue::Matrix(buckets)) = (rows, buckets) else {
        panic!("{query}: no matrix");
    };
    assert_eq!(rows.len(), buckets.len(), "{query}: series");
    for (of_rows, of_buckets) in rows.iter().zip(buckets) {
        assert_eq!(of_rows.labels, of_buckets.labels, "{query}");
        let at = |points: &[crate::Point]| points.iter().map(|point| point.ts).collect::<Vec<_>>();
        assert_eq!(
            at(&of_rows.points),
            at(&of_buckets.points),
            "{query}: {}",
            of_rows.labels
        );
        for (a, b) in of_rows.points.iter().zip(&of_buckets.points) {
            assert!(
                is_near(&a.value, &b.value),
                "{query}: {} at {}: {a:?} {b:?}",
                of_rows.labels,
                a.ts
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn buckets_answer_as_rows_do(
        series in proptest::collection::vec(rows(), 1..4),
        late in rows(),
        steps in prop_oneof![Just(300_000i64), Just(900_000), Just(HOUR_MS), Just(2 * HOUR_MS), Just(420_000)],
    ) {
        let store = Store::new(Layout::Merged);
        store.load(&of(&series));
        prop_assert!(store.has_rollups());
        // A late series and late rows of the first: what the rollup is behind is read from rows.
        let memory = of(&[late]);
        store.append_late(&memory);
        let grid = Grid::range(START_MS, START_MS + 30 * HOUR_MS, steps).unwrap();
        for query in QUERIES {
            let rows = store.range_with(query, grid, RollupUse::Off).unwrap();
            let buckets = store.range_with(query, grid, RollupUse::WhereExact).unwrap();
            expect_same(query, &rows.value, &buckets.value);
        }
    }
}

#[test]
fn a_rollup_is_read_where_it_may_and_only_there() {
    let store = Store::new(Layout::Merged);
    let rows: Vec<(i64, f64)> = (0..2000).map(|i| (60_000, f64::from(i))).collect();
    store.load(&of(&[rows]));
    let rows_read = |query: &str, step: i64, rollup: RollupUse| {
        let grid = Grid::range(START_MS + HOUR_MS, START_MS + 20 * HOUR_MS, step).unwrap();
        let answer = store.range_with(query, grid, rollup).unwrap();
        let [selector] = answer.stats.selectors[..] else {
            panic!("{query}: {:?}", answer.stats.selectors);
        };
        assert_eq!(selector.scan.series_matched, 1, "{query}");
        // Either rows or buckets are read.
        let buckets = selector.rollup.map_or(0, |(_, buckets)| buckets);
        assert_eq!(
            buckets == 0,
            selector.scan.rows_selected > 0,
            "{query}: {selector:?}"
        );
        selector.scan.rows_selected
    };
    assert_eq!(rows_read("rate(m[1h])", HOUR_MS, RollupUse::WhereExact), 0);
    assert!(rows_read("rate(m[1h])", HOUR_MS, RollupUse::Off) > 1000);
    assert!(
        rows_read("rate(m[1h])", 60_000, RollupUse::WhereExact) > 1000,
        "steps inside of buckets"
    );
    assert!(
        rows_read("rate(m[7m])", HOUR_MS, RollupUse::WhereExact) > 1000,
        "windows inside of buckets"
    );
    assert!(
        rows_read("stddev_over_time(m[1h])", HOUR_MS, RollupUse::WhereExact) > 1000,
        "what buckets do not know"
    );
    let asked = RollupUse::Asked(barograph_engine::RollupWidth::OneHour);
    assert_eq!(rows_read("rate(m[7m])", 60_000, asked), 0);
}

//! Buckets and their joins, against a walk over the rows.

use barograph_model::stale_nan;
use proptest::prelude::*;

use super::*;

const WIDTH: RollupWidth = RollupWidth::FiveMinutes;

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-20i64..20).prop_map(|i| i as f64 / 4.0),
        1 => Just(stale_nan()),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(-0.0),
    ]
}

fn rows() -> impl Strategy<Value = Vec<(i64, f64)>> {
    proptest::collection::btree_map(-900_000i64..900_000, value(), 0..60)
        .prop_map(|map| map.into_iter().collect())
}

fn split(rows: &[(i64, f64)]) -> (Vec<i64>, Vec<f64>) {
    rows.iter().copied().unzip()
}

/// What a walk over the rows of a window gives, as the reference of PromQL does it.
fn check_window(bucket: &Bucket, rows: &[(i64, f64)]) {
    let floats: Vec<(i64, f64)> = rows.iter().copied().filter(|(_, v)| !is_stale(*v)).collect();
    let (last_ts, last) = *rows.last().unwrap();
    assert_eq!(bucket.stale_ts, is_stale(last).then_some(last_ts));
    assert_eq!(bucket.count as usize, floats.len());
    let Some((first_ts, first)) = floats.first().copied() else {
        return;
    };
    let (last_ts, last) = *floats.last().unwrap();
    assert_eq!((bucket.first_ts, bucket.last_ts), (first_ts, last_ts));
    assert_eq!(bucket.first.to_bits(), first.to_bits());
    assert_eq!(bucket.last.to_bits(), last.to_bits());
    let (mut min, mut max, mut sum) = (first, first, 0.0);
    let (mut resets, mut changes, mut increase, mut before) = (0, 0, last - first, first);
    for (_, v) in &floats {
        if *v < min || min.is_nan() {
            min = *v;
        }
        if *v > max || max.is_nan() {
            max = *v;
        }
        if *v < before {
            resets += 1;
            increase += before;
        }
        if *v != before && !(v.is_nan() && before.is_nan()) {
            changes += 1;
        }
        sum += *v;
        before = *v;
    }
    // All are multiples of a quarter, so that no sum is rounded.
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    assert_eq!(bucket.min.to_bits(), min.to_bits());
    assert_eq!(bucket.max.to_bits(), max.to_bits());
    assert!(same(bucket.sum, sum), "{bucket:?} of {rows:?}");
    assert!(same(bucket.increase(), increase), "{bucket:?} of {rows:?}");
    assert_eq!((bucket.resets, bucket.changes), (resets, changes));
}

proptest! {
    #[test]
    fn a_bucket_is_what_its_rows_are(rows in rows(), cuts in proptest::collection::vec(0usize..60, 0..4)) {
        let (ts, values) = split(&rows);
        let whole = buckets_of(WIDTH, &ts, &values);
        for bucket in &whole {
            let inside = |ts: i64| (WIDTH.first_of(bucket.end)..=bucket.end).contains(&ts);
            let of_bucket: Vec<_> = rows.iter().copied().filter(|(ts, _)| inside(*ts)).collect();
            check_window(bucket, &of_bucket);
        }
        prop_assert!(whole.windows(2).all(|pair| pair[0].end < pair[1].end));
        let (mut accumulator, mut in_parts, mut from) = (Accumulator::new(WIDTH), Vec::new(), 0);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(ts.len())).collect();
        cuts.sort_unstable();
        for to in cuts.into_iter().chain([ts.len()]) {
            accumulator.push(&ts[from..to], &values[from..to], &mut in_parts);
            from = to;
        }
        accumulator.finish(&mut in_parts);
        prop_assert_eq!(format!("{in_parts:?}"), format!("{whole:?}"));
    }

    #[test]
    fn joined_buckets_are_what_all_their_rows_are(rows in rows(), cut in -900_000i64..900_000) {
        let (ts, values) = split(&rows);
        // In two parts as at the end of a day, which may cut a bucket.
        let at = ts.partition_point(|ts| *ts < cut);
        let mut parts = buckets_of(WIDTH, &ts[..at], &values[..at]);
        parts.extend(buckets_of(WIDTH, &ts[at..], &values[at..]));
        let mut parts = parts.into_iter();
        if let Some(mut all) = parts.next() {
            parts.for_each(|part| all.join(&part));
            check_window(&all, &rows);
        }
    }
}

#[test]
fn sums_keep_what_rounding_loses() {
    let values = [1e16, 1.0, 1.0, 1.0, -1e16];
    let buckets = buckets_of(WIDTH, &[1, 2, 3, 4, 5], &values);
    assert_eq!(buckets[0].sum, 3.0);
    let tenths = buckets_of(WIDTH, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[0.1; 10]);
    assert_eq!(tenths[0].sum, 1.0, "a decimal again");
    let endless = buckets_of(WIDTH, &[1, 2, 3], &[f64::MAX, f64::MAX, 1.0]);
    assert_eq!(endless[0].sum, f64::INFINITY, "as Prometheus has it");
}

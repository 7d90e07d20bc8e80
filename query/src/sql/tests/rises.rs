//! `rate`, `increase` and `delta` of SQL are PromQL's.

use proptest::prelude::*;

use super::fixture::{START_MS, Store};

/// A value of an answer; NULL is `None`.
fn number(row: &str) -> Option<f64> {
    match row {
        "NULL" => None,
        row => Some(row.parse().unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn they_agree_with_promql(
        steps in prop::collection::vec((1_000i64..40_000, prop_oneof![4 => 0u32..50, 1 => Just(u32::MAX)]), 1..80),
        end_s in 0i64..3_000,
        width_s in 1i64..900,
    ) {
        let store = Store::new();
        let (mut at, mut value) = (0, 0.0);
        let samples: Vec<_> = steps
            .iter()
            .map(|(ms, rise)| {
                at += ms;
                // A counter begins anew.
                value = if *rise == u32::MAX { 0.0 } else { value + f64::from(*rise) };
                (at, value)
            })
            .collect();
        store.write("c{}", &samples);
        let end = format!("to_timestamp_millis({})", START_MS + end_s * 1_000);
        let at = (START_MS + end_s * 1_000) as f64 / 1_000.0;
        for name in ["rate", "increase", "delta"] {
            let by_group = store.rows(&format!("SELECT {name}(value, ts, '{width_s}s', {end}) FROM c"));
            // The same in parts that are merged.
            let halves = store.rows(&format!(
                "SELECT {name}(value, ts, '{width_s}s', {end}) FROM (SELECT * FROM c UNION ALL SELECT * FROM c) x"
            ));
            let promql = store.rows(&format!("SELECT value FROM promql('{name}(c[{width_s}s])', {at})"));
            let expected = promql.first().and_then(|row| number(row));
            for found in [by_group, halves] {
                match (number(&found[0]), expected) {
                    (Some(found), Some(expected)) => {
                        prop_assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-9), "{name}: {found} {expected}");
                    }
                    (found, expected) => prop_assert_eq!(found, expected, "{}", name),
                }
            }
        }
        // In a frame, at each sample.
        let frames = store.rows(&format!(
            "SELECT increase(value, ts, '{width_s}s') OVER (ORDER BY ts RANGE BETWEEN INTERVAL '{width_s} seconds' PRECEDING AND CURRENT ROW) FROM c ORDER BY ts"
        ));
        for ((ms, _), frame) in samples.iter().zip(frames).step_by(9) {
            let at = (START_MS + ms) as f64 / 1_000.0;
            let promql = store.rows(&format!("SELECT value FROM promql('increase(c[{width_s}s])', {at})"));
            match (number(&frame), promql.first().and_then(|row| number(row))) {
                (Some(found), Some(expected)) => {
                    prop_assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-9), "{found} {expected}");
                }
                (found, expected) => prop_assert_eq!(found, expected),
            }
        }
    }
}

//! The contract of the seam, for every detector by name.

use barograph_detectors::{
    Context, DetectorError, Mode, Params, Table, Verdict, build, detect, names, restore,
};
use barograph_model::TimestampMs;
use proptest::prelude::*;

use crate::signals::{MINUTES_5, MONDAY, daily, table, wide};

fn causal(table: &Table, name: &str) -> Vec<Option<Verdict>> {
    detect(table, name, Mode::Causal, 0, &Params::new()).expect("usable")
}

fn bits(verdict: Option<Verdict>) -> Option<[u64; 5]> {
    let edge = |edge: Option<f64>| edge.map_or(1, f64::to_bits);
    verdict.map(|v| {
        [
            v.score.to_bits(),
            edge(v.expected),
            edge(v.lower),
            edge(v.upper),
            u64::from(v.is_anomaly),
        ]
    })
}

/// A hostile value: missing, infinite, huge, tiny, or ordinary.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -50.0..50.0f64,
        1 => Just(0.0),
        1 => Just(f64::NAN),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 1e-308, -0.0]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_restored_detector_goes_on_with_the_same_bits(seed in 0u64..1000, cut in 1usize..1500, width in 1usize..4) {
        let columns: Vec<Vec<f64>> = (0..width as u64).map(|column| daily(seed * 7 + column, 6)).collect();
        for name in names() {
            let context = Context { width, step_ms: MINUTES_5 };
            let mut original = build(name, &Params::new(), &context).expect("usable");
            let mut copy = None;
            for row in 0..columns[0].len() {
                if row == cut {
                    let state = original.save();
                    let restored = restore(&state).expect("whole");
                    prop_assert_eq!(restored.save(), state, "{}: saving changed something", name);
                    copy = Some(restored);
                }
                let values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
                let ts = TimestampMs(MONDAY + row as i64 * MINUTES_5);
                let verdict = original.observe(ts, &values);
                if let Some(copy) = &mut copy {
                    prop_assert_eq!(bits(copy.observe(ts, &values)), bits(verdict), "{}: row {}", name, row);
                }
            }
        }
    }

    #[test]
    fn no_value_and_no_instant_panics(
        rows in prop::collection::vec((any::<i64>(), value(), value()), 1..400), ordered in any::<bool>(), width in 1usize..3,
    ) {
        for name in names() {
            let mut detector = build(name, &Params::new(), &Context { width, step_ms: 60_000 }).expect("usable");
            for (index, (ts, a, b)) in rows.iter().enumerate() {
                let ts = if ordered { MONDAY + index as i64 * 60_000 } else { *ts };
                let Some(verdict) = detector.observe(TimestampMs(ts), &[*a, *b][..width]) else { continue };
                prop_assert!(verdict.score.is_finite() && verdict.score >= 0.0, "{}: {:?}", name, verdict);
                if width == 1 {
                    prop_assert!(a.is_finite(), "{}: an opinion about {}", name, a);
                }
            }
            prop_assert!(restore(&detector.save()).is_ok(), "{} could not be restored", name);
        }
    }

    #[test]
    fn shift_and_scale_change_no_verdict(seed in 0u64..1000, scale in -3i32..4, shift in -1000.0..1000.0f64) {
        let mut values = daily(seed, 8);
        values[2000] += 15.0;
        let moved: Vec<f64> = values.iter().map(|value| value * 4f64.powi(scale) + shift).collect();
        for name in names() {
            let (plain, moved) = (causal(&table(values.clone()), name), causal(&table(moved.clone()), name));
            for (row, pair) in plain.iter().zip(&moved).enumerate() {
                match pair {
                    (Some(a), Some(b)) => {
                        let near = (a.score - b.score).abs() <= 0.02 * (1.0 + a.score);
                        prop_assert!(near && a.is_anomaly == b.is_anomaly, "{} row {}: {:?} {:?}", name, row, a, b);
                    }
                    (a, b) => prop_assert_eq!(a.is_some(), b.is_some(), "{} row {}", name, row),
                }
            }
        }
    }

    #[test]
    fn the_future_changes_no_causal_verdict(seed in 0u64..1000, cut in 100usize..1700) {
        let mut values = daily(seed, 6);
        values[1500..1520].fill(160.0);
        let narrow = table(values.clone());
        let broad = wide(vec![values, daily(seed + 1, 6)]);
        for name in names() {
            for whole in [&narrow, &broad] {
                let known: Vec<_> = causal(whole, name).into_iter().map(bits).collect();
                let early: Vec<_> = causal(&whole.truncated(cut), name).into_iter().map(bits).collect();
                prop_assert!(known[..cut] == early[..], "{}: rows before {} changed", name, cut);
            }
        }
    }
}

#[test]
fn damaged_state_is_refused_and_never_panics() {
    for name in names() {
        let mut detector = build(
            name,
            &Params::new(),
            &Context {
                width: 1,
                step_ms: MINUTES_5,
            },
        )
        .expect("usable");
        for (row, value) in daily(5, 2).into_iter().enumerate() {
            detector.observe(TimestampMs(MONDAY + row as i64 * MINUTES_5), &[value]);
        }
        let state = detector.save();
        for at in (0..state.len()).step_by(997) {
            let mut damaged = state.clone();
            damaged[at] ^= 1;
            assert!(restore(&damaged).is_err(), "{name}: byte {at}");
            assert!(restore(&state[..at]).is_err(), "{name}: cut at {at}");
        }
    }
}

#[test]
fn hostile_parameters_are_refused_with_the_nearest_key() {
    let context = Context {
        width: 1,
        step_ms: MINUTES_5,
    };
    let refused = |name: &str, key: &str, value: &str| {
        let built = build(name, &Params::new().with(key, value), &context);
        built
            .err()
            .unwrap_or_else(|| panic!("{name} took {key}={value}"))
            .to_string()
    };
    for name in names() {
        let message = refused(name, "alarm_per_day", "1");
        assert!(message.contains("did you mean \"alarms_per_day\""), "{message}");
        for value in ["0", "-1", "NaN", "inf", "many", ""] {
            assert!(refused(name, "alarms_per_day", value).contains("alarms_per_day"));
        }
    }
    for value in ["", "1x", "0", "-1d", "1d,1w,2w", "5m", "99999999999999y"] {
        assert!(refused("seasonal", "period", value).contains("period"), "{value}");
    }
    for value in ["0", "3", "100000", "2.5"] {
        assert!(refused("pca", "window", value).contains("window"), "{value}");
    }
    let error = build("seasonl", &Params::new(), &context).err().expect("unknown");
    assert!(
        matches!(&error, DetectorError::UnknownDetector { nearest: Some(near), .. } if near == "seasonal")
    );
    assert!(build("pca", &Params::new(), &Context { width: 0, step_ms: 1 }).is_err());
    assert!(build("seasonal", &Params::new(), &Context { width: 1, step_ms: 0 }).is_err());
}

#[test]
fn tables_without_shape_are_refused_and_small_ones_are_not() {
    for name in names() {
        let run = |table: &Table| detect(table, name, Mode::Offline, 0, &Params::new());
        assert_eq!(run(&Table::default()), Err(DetectorError::NoColumns));
        let ragged = Table {
            time_ms: None,
            columns: vec![("a".to_owned(), vec![1.0, 2.0]), ("b".to_owned(), vec![1.0])],
        };
        assert!(run(&ragged).expect_err("ragged").to_string().contains("\"b\""));
        for rows in 0..4 {
            let verdicts = run(&table(vec![1.0; rows])).expect("small");
            assert_eq!(verdicts.len(), rows);
        }
        assert!(
            run(&table(vec![f64::NAN; 500]))
                .expect("empty")
                .iter()
                .all(Option::is_none)
        );
    }
}

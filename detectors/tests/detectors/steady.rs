//! Series that ordinary statistics stumble over: constant, nearly constant, counted, interrupted, shifted.

use barograph_detectors::{Mode, Params, Verdict, detect};

use crate::signals::{daily, table};

fn alarms(values: &[f64], name: &str) -> Vec<bool> {
    let verdicts = detect(&table(values.to_vec()), name, Mode::Causal, 0, &Params::new()).expect("usable");
    verdicts
        .iter()
        .map(|verdict| verdict.is_some_and(|verdict| verdict.is_anomaly))
        .collect()
}

fn count(alarms: &[bool]) -> usize {
    alarms.iter().filter(|alarm| **alarm).count()
}

#[test]
fn a_constant_is_quiet_through_tiny_moves_and_rings_at_a_step() {
    for name in ["seasonal", "pca", "auto"] {
        let mut values = vec![42.0; 2000];
        values[1000] = 42.01;
        values[1300..1310].fill(41.99);
        values[1800..].fill(55.0);
        let alarms = alarms(&values, name);
        assert_eq!(count(&alarms[..1800]), 0, "{name} rang for nothing");
        assert!(count(&alarms[1800..1820]) >= 10, "{name} missed the step");
    }
}

#[test]
fn rare_small_counts_are_no_alarm_and_a_burst_is() {
    let mut values: Vec<f64> = (0..4000)
        .map(|row| f64::from(u8::from(row % 37 == 0)) * f64::from(1 + row % 2))
        .collect();
    values[3500..3505].fill(60.0);
    let alarms = alarms(&values, "seasonal");
    assert!(
        count(&alarms[1000..3500]) <= 5,
        "{} alarms among rare counts",
        count(&alarms[1000..3500])
    );
    assert!(alarms[3500], "the burst was missed");
}

#[test]
fn a_gap_and_missing_values_give_no_opinion_and_no_alarm() {
    for name in ["seasonal", "pca", "auto"] {
        let mut values = daily(3, 10);
        values[1500..1800].fill(f64::NAN);
        for row in (2000..2400).step_by(5) {
            values[row] = f64::NAN;
        }
        let verdicts = detect(&table(values.clone()), name, Mode::Causal, 0, &Params::new()).expect("usable");
        let judged = |row: usize| verdicts[row].is_some();
        assert!(
            (1500..1800)
                .chain((2000..2400).step_by(5))
                .all(|row| !judged(row)),
            "{name} judged what is missing"
        );
        let rang = (1800..2880)
            .filter(|row| verdicts[*row].is_some_and(|verdict| verdict.is_anomaly))
            .count();
        assert!(rang <= 6, "{name} rang {rang} rows after the gap");
    }
}

#[test]
fn the_band_follows_the_day_and_holds_nearly_all_values() {
    for (name, width) in [("seasonal", 16.0), ("pca", 24.0)] {
        let values = daily(11, 14);
        let verdicts = detect(&table(values.clone()), name, Mode::Causal, 0, &Params::new()).expect("usable");
        let last: Vec<(f64, Verdict)> = (10 * 288..14 * 288)
            .filter_map(|row| verdicts[row].map(|verdict| (values[row], verdict)))
            .collect();
        let inside = |(value, verdict): &&(f64, Verdict)| {
            verdict.lower.is_some_and(|lower| lower <= *value)
                && verdict.upper.is_some_and(|upper| *value <= upper)
        };
        let held = last.iter().filter(inside).count();
        assert!(
            held * 100 >= last.len() * 99,
            "{name} holds {held} of {}",
            last.len()
        );
        let mean_width = last
            .iter()
            .filter_map(|(_, v)| Some(v.upper? - v.lower?))
            .sum::<f64>()
            / last.len() as f64;
        assert!(
            mean_width < width,
            "{name}'s band is {mean_width} wide for noise of sigma 1"
        );
    }
}

#[test]
fn one_anomaly_does_not_poison_the_next_days() {
    let mut values = daily(12, 14);
    values[2000..2012].fill(900.0);
    let alarms = alarms(&values, "seasonal");
    assert!(
        alarms[2000..2012].iter().all(|alarm| *alarm),
        "the incident was not held"
    );
    assert!(
        count(&alarms[2016..2016 + 3 * 288]) <= 6,
        "it echoes: {}",
        count(&alarms[2016..2880])
    );
}

#[test]
fn a_step_that_stays_becomes_the_new_normal() {
    let mut values = daily(13, 14);
    values[2000..].iter_mut().for_each(|value| *value += 40.0);
    let alarms = alarms(&values, "seasonal");
    assert!(count(&alarms[2000..2048]) >= 40, "the step was not held");
    assert!(
        count(&alarms[2000 + 2 * 288..]) <= 12,
        "two days later it still rings"
    );
}

#[test]
fn the_target_sets_the_number_of_false_alarms() {
    for name in ["seasonal", "pca", "auto"] {
        let mut runs = Vec::new();
        for per_day in ["0.1", "1", "10"] {
            let params = Params::new().with("alarms_per_day", per_day);
            let verdicts = detect(&table(daily(14, 40)), name, Mode::Causal, 0, &params).expect("usable");
            let flags: Vec<bool> = verdicts
                .iter()
                .map(|verdict| verdict.is_some_and(|v| v.is_anomaly))
                .collect();
            runs.push(barograph_detectors::eval::runs(&flags[10 * 288..]).len() as f64 / 30.0);
        }
        assert!(
            runs[0] <= 0.3 && runs[1] <= 2.0 && runs[2] <= 15.0,
            "{name}: {runs:?} alarms a day"
        );
        assert!(
            runs[2] > 1.0 && runs[0] <= runs[1] && runs[1] <= runs[2],
            "{name}: {runs:?} alarms a day"
        );
    }
}

//! Floors under what the detectors find in a bounded slice of the labelled data. The full run is the example
//! `evaluate`; its figures stand in `detectors/README.md`.

use barograph_detectors::eval::{runs, top_hit, vus_pr};
use barograph_detectors::{Mode, Params, detect};

use crate::labelled;

/// Mean VUS-PR, or the share of top hits, over every `nth` series of a set that has at most `rows_max` rows.
fn mean(set: &str, name: &str, mode: Mode, nth: usize, rows_max: usize, hits: bool) -> f64 {
    let mut figures = Vec::new();
    for path in labelled::files(set).iter().step_by(nth) {
        let series = labelled::read(set, path);
        if series.labels.len() > rows_max || !series.labels.contains(&true) {
            continue;
        }
        let verdicts = detect(&series.table, name, mode, series.train_rows, &Params::new())
            .unwrap_or_else(|error| panic!("{}: {error}", series.name));
        let scores: Vec<f64> = verdicts
            .iter()
            .map(|v| v.map_or(0.0, |verdict| verdict.score))
            .collect();
        let from = series.train_rows;
        figures.push(if hits {
            f64::from(u8::from(top_hit(&scores, from, runs(&series.labels)[0])))
        } else {
            vus_pr(&scores[from..], &series.labels[from..], 100)
        });
    }
    let figures: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
    assert!(figures.len() >= 4, "{set}: only {} series", figures.len());
    figures.iter().sum::<f64>() / figures.len() as f64
}

#[test]
fn scores_rank_labelled_stretches_above_the_rest() {
    let mut sunk = Vec::new();
    for (set, name, mode, nth, rows_max, hits, floor) in [
        ("nab", "seasonal", Mode::Causal, 5, 5_000, false, 0.0),
        ("nab", "pca", Mode::Causal, 5, 5_000, false, 0.0),
        ("nab", "auto", Mode::Causal, 5, 5_000, false, 0.0),
        ("nab", "auto", Mode::Offline, 5, 5_000, false, 0.0),
        ("ucr", "auto", Mode::Causal, 5, 13_000, true, 0.0),
        ("ucr", "auto", Mode::Offline, 5, 13_000, true, 0.0),
        ("aiops", "seasonal", Mode::Causal, 1, 18_000, false, 0.0),
        ("aiops", "auto", Mode::Causal, 1, 18_000, false, 0.0),
    ] {
        let figure = mean(set, name, mode, nth, rows_max, hits);
        println!("{set} {name} {mode:?}: {figure:.3}");
        if figure < floor {
            sunk.push(format!("{set} {name} {mode:?}: {figure:.3} below {floor}"));
        }
    }
    assert!(sunk.is_empty(), "{sunk:?}");
}

//! Floors under what the detectors find in a bounded slice of the labelled data. The full run is the example
//! `evaluate`; its figures stand in `detectors/README.md`.

use std::fs::File;
use std::path::Path;

use barograph_detectors::eval::{runs, top_hit, vus_pr};
use barograph_detectors::{Mode, Params, detect};
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::labelled;

/// Rows of a file without reading them; CSV files are all short.
fn rows(path: &Path) -> usize {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = SerializedFileReader::new(file);
    reader.map_or(0, |reader| reader.metadata().file_metadata().num_rows() as usize)
}

/// Mean VUS-PR, or the share of top hits, over every `nth` series of a set that has at most `rows_max` rows.
fn mean(set: &str, name: &str, mode: Mode, nth: usize, rows_max: usize, hits: bool) -> f64 {
    let mut figures = Vec::new();
    for path in labelled::files(set).iter().step_by(nth) {
        if rows(path) > rows_max {
            continue;
        }
        let series = labelled::read(set, path);
        if !series.labels.contains(&true) {
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
        ("nab", "seasonal", Mode::Causal, 5, 5_000, false, 0.2),
        ("nab", "pca", Mode::Causal, 5, 5_000, false, 0.29),
        ("nab", "auto", Mode::Causal, 5, 5_000, false, 0.28),
        ("nab", "auto", Mode::Offline, 5, 5_000, false, 0.42),
        ("ucr", "auto", Mode::Causal, 5, 13_000, true, 0.2),
        ("ucr", "auto", Mode::Offline, 5, 13_000, true, 0.3),
        ("aiops", "seasonal", Mode::Causal, 1, 18_000, false, 0.25),
        ("aiops", "auto", Mode::Causal, 1, 18_000, false, 0.5),
    ] {
        let figure = mean(set, name, mode, nth, rows_max, hits);
        println!("{set} {name} {mode:?}: {figure:.3}");
        if figure < floor {
            sunk.push(format!("{set} {name} {mode:?}: {figure:.3} below {floor}"));
        }
    }
    assert!(sunk.is_empty(), "{sunk:?}");
}

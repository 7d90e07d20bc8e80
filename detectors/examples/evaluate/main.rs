//! Runs a detector over a labelled set and prints how well it did.
//!
//! `cargo run --release -p barograph-detectors --example evaluate -- SET DETECTOR causal|offline [K=V ...]`
//! SET is a folder of the data (`nab`, `aiops`, `ucr`, `tods`, `mgab`, `smd`, `msl`), or `SET/part-of-a-name`.

mod labelled;

use std::time::Instant;

use barograph_detectors::eval::{EventReport, events, runs, top_hit, vus_pr};
use barograph_detectors::{Mode, Params, detect};
use rayon::prelude::*;

struct Line {
    name: String,
    rows: usize,
    vus: f64,
    events: EventReport,
    days: f64,
    hit: bool,
    seconds: f64,
}

#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring program prints what the clock says"
)]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [set, detector, mode, rest @ ..] = arguments.as_slice() else {
        panic!("usage: evaluate SET[/NAME] DETECTOR causal|offline [K=V ...]");
    };
    let mode = if mode == "offline" {
        Mode::Offline
    } else {
        Mode::Causal
    };
    let quiet = rest.iter().any(|argument| argument == "-q");
    let params: Params = rest.iter().filter_map(|pair| pair.split_once('=')).collect();
    let (set, part) = set.split_once('/').unwrap_or((set, ""));
    let files: Vec<_> = (labelled::files(set).into_iter())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().contains(part))
        })
        .collect();
    let lines: Vec<Line> = files
        .par_iter()
        .map(|path| {
            let series = labelled::read(set, path);
            let started = Instant::now();
            let verdicts =
                detect(&series.table, detector, mode, series.train_rows, &params).expect("a usable detector");
            let seconds = started.elapsed().as_secs_f64();
            let from = series.train_rows;
            let scores: Vec<f64> = verdicts
                .iter()
                .map(|v| v.map_or(0.0, |verdict| verdict.score))
                .collect();
            let alarms: Vec<bool> = verdicts
                .iter()
                .map(|v| v.is_some_and(|verdict| verdict.is_anomaly))
                .collect();
            let events_at = runs(&series.labels);
            let hit = events_at
                .first()
                .is_some_and(|event| top_hit(&scores, from, *event));
            let step_ms = series.table.step_ms().unwrap_or(60_000) as f64;
            let events = events(&alarms[from..], &series.labels[from..], 5);
            Line {
                name: series.name,
                rows: scores.len(),
                vus: vus_pr(&scores[from..], &series.labels[from..], 100),
                days: events.quiet_rows as f64 * step_ms / 86_400_000.0,
                events,
                hit,
                seconds,
            }
        })
        .collect();
    for line in &lines {
        if !quiet {
            println!(
                "{:44} rows {:>7} vus {:.3} events {:>3}/{:<3} false/day {:>7.3} hit {} {:.2}s",
                line.name,
                line.rows,
                line.vus,
                line.events.caught,
                line.events.events,
                line.events.false_alarms as f64 / line.days,
                u8::from(line.hit),
                line.seconds,
            );
        }
    }
    let known: Vec<f64> = lines
        .iter()
        .map(|line| line.vus)
        .filter(|vus| vus.is_finite())
        .collect();
    let total = lines
        .iter()
        .fold(EventReport::default(), |sum, line| sum.plus(line.events));
    let days: f64 = lines.iter().map(|line| line.days).sum();
    let (rows, seconds): (usize, f64) = (
        lines.iter().map(|line| line.rows).sum(),
        lines.iter().map(|line| line.seconds).sum(),
    );
    println!(
        "== {set} {detector} {mode:?}: series {} vus-pr {:.4} events {}/{} = {:.3} false/day {:.3} top hits {} | {:.0} rows/s",
        lines.len(),
        known.iter().sum::<f64>() / known.len() as f64,
        total.caught,
        total.events,
        total.caught as f64 / total.events as f64,
        total.false_alarms as f64 / days,
        lines.iter().filter(|line| line.hit).count(),
        rows as f64 / seconds,
    );
}

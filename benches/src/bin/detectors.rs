//! Points a second that each detector judges, on the fleet of the demo. See docs/benchmarks.md.

#![allow(clippy::print_stdout, reason = "this program talks to a terminal")]

use anyhow::{Result, ensure};
use barograph_benches::{Stopwatch, Table, median, rounded};
use barograph_datasets::Fleet;
use barograph_detectors::{Context, Params, build};
use barograph_model::TimestampMs;
use clap::Parser;

const STEP_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// The end of the series.
const NOW: TimestampMs = TimestampMs(1_768_397_820_000);

#[derive(Debug, Parser)]
#[command(name = "detectors", about = "Points a second of each detector")]
struct Arguments {
    /// Runs of each figure; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Series of the fleet that are looked at
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=1000))]
    series: u32,
    /// Days of each series, a point a minute
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
    /// Seed of the fleet
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Detector, and how many series make a row.
const CASES: [(&str, usize); 5] = [("seasonal", 1), ("pca", 1), ("auto", 1), ("pca", 8), ("auto", 8)];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (ts, columns) = history(&arguments);
    let mut table = Table::new([
        "detector",
        "series in a row",
        "rows/s",
        "points/s",
        "state, KiB",
        "anomalies a day",
    ]);
    for (name, width) in CASES {
        let rows_of_columns: Vec<&[Vec<f64>]> = columns.chunks_exact(width).collect();
        ensure!(
            !rows_of_columns.is_empty(),
            "--series must be at least {width} for rows of that width"
        );
        let mut seconds = Vec::new();
        let (mut state_bytes, mut anomalies) = (0, 0);
        for _ in 0..arguments.runs {
            (state_bytes, anomalies) = (0, 0);
            let mut row = vec![0.0; width];
            let mut taken = 0.0;
            for columns in &rows_of_columns {
                let mut detector = build(
                    name,
                    &Params::new(),
                    &Context {
                        width,
                        step_ms: STEP_MS,
                    },
                )?;
                let since = Stopwatch::start();
                for (i, ts) in ts.iter().enumerate() {
                    for (value, column) in row.iter_mut().zip(*columns) {
                        *value = column[i];
                    }
                    anomalies += usize::from(detector.observe(*ts, &row).is_some_and(|v| v.is_anomaly));
                }
                taken += since.seconds();
                state_bytes += detector.save().len();
            }
            seconds.push(taken);
        }
        let rows = (rows_of_columns.len() * ts.len()) as f64;
        let per_second = rows / median(seconds);
        table.row([
            name.to_owned(),
            width.to_string(),
            rounded(per_second),
            rounded(per_second * width as f64),
            rounded(state_bytes as f64 / rows_of_columns.len() as f64 / 1024.0),
            rounded(anomalies as f64 / rows_of_columns.len() as f64 / f64::from(arguments.days)),
        ]);
    }
    println!(
        "{} series of the demo's fleet (seed {}), {} days, a point a minute; one thread\n\n{table}\nMedian of {} runs. \
         Anomalies are rows of alarms on each detector's series, incidents of the fleet included.",
        columns.len(),
        arguments.seed,
        arguments.days,
        arguments.runs
    );
    Ok(())
}

/// Instants, and some series of the fleet spread over all of them, as rates where they only ever grow.
fn history(arguments: &Arguments) -> (Vec<TimestampMs>, Vec<Vec<f64>>) {
    let start = NOW.saturating_add(-i64::from(arguments.days) * DAY_MS);
    let fleet = Fleet::new(arguments.seed, start, NOW);
    let picked = (arguments.series as usize).min(fleet.series().len());
    let chosen: Vec<usize> = (0..picked).map(|i| i * fleet.series().len() / picked).collect();
    let mut ts = Vec::new();
    let mut columns = vec![Vec::new(); picked];
    for scrape in fleet.scrapes(start, NOW, STEP_MS) {
        ts.push(scrape.due);
        for (column, series) in columns.iter_mut().zip(&chosen) {
            column.push(scrape.values[*series].unwrap_or(f64::NAN));
        }
    }
    for (column, series) in columns.iter_mut().zip(&chosen) {
        // By the convention of Prometheus the name says what is a counter; a fall is a restart.
        let metric = fleet.series()[*series].metric();
        if ["_total", "_count", "_sum", "_bucket"]
            .iter()
            .any(|end| metric.ends_with(end))
        {
            *column = column
                .windows(2)
                .map(|pair| {
                    if pair[1] < pair[0] {
                        pair[1]
                    } else {
                        pair[1] - pair[0]
                    }
                })
                .collect();
            column.insert(0, f64::NAN);
        }
    }
    (ts, columns)
}

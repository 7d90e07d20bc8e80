//! What lies back: a month from rows and from rollups, and a day of one series, warm and cold. See docs/benchmarks.md.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to a terminal"
)]

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use barograph_benches::{Stopwatch, Table, drop_cached, median, rounded};
use barograph_engine::vfs::DiskVfs;
use barograph_engine::{Engine, Options, SampleColumns, SeriesRef};
use barograph_model::{Clock, Labels, SystemClock};
use barograph_promql::syntax::{ParseOptions, parse};
use barograph_promql::{
    Answer, EvalOptions, Grid, Interrupt, Query, QueryValue, RollupUse, SampleValue, evaluate,
};
use clap::Parser;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const SCRAPE_MS: i64 = 15_000;
const COUNTERS: usize = 5;
const GAUGES: usize = 5;
const APPENDED_ROWS: usize = 50_000;

#[derive(Debug, Parser)]
#[command(
    name = "history",
    about = "A month from rows and from rollups, a day of one series: PromQL in the process itself"
)]
struct Arguments {
    /// Targets with five counters and five gauges each, scraped every 15 s
    #[arg(long, default_value_t = 20)]
    targets: usize,
    /// Days of samples, which have all ended
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(2..=400))]
    days: i64,
    /// Runs of each query; the median counts
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Only expressions with this text
    #[arg(long, default_value = "")]
    only: String,
}

/// Over the whole time: the expression, and its step.
const OVER_ALL: [(&str, i64); 5] = [
    ("sum by (job) (rate(counter_0[1h]))", HOUR_MS),
    ("increase(counter_1[6h])", 6 * HOUR_MS),
    ("avg_over_time(gauge_0[1h])", HOUR_MS),
    ("max by (instance) (max_over_time(gauge_1[1d]))", DAY_MS),
    ("count_over_time(gauge_2[5m])", HOUR_MS),
];

/// Over the last day of one series.
const OVER_A_DAY: [(&str, i64); 3] = [
    (r#"gauge_0{instance="target-3:9100"}"#, 60_000),
    (r#"rate(counter_0{instance="target-3:9100"}[5m])"#, 60_000),
    (r#"max_over_time(gauge_1{instance="target-3:9100"}[1h])"#, 60_000),
];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let today = SystemClock::new().now().align(DAY_MS).0;
    let (start, end) = (today - arguments.days * DAY_MS, today);
    let engine = open(folder.path())?;
    let filled = Stopwatch::start();
    let rows = fill(&engine, &arguments, start, end)?;
    engine.flush()?;
    while engine.compact_once()?.is_some() {}
    let stats = engine.stats();
    ensure!(stats.segment_buckets_1h > 0, "there is no rollup");
    eprintln!(
        "{} samples of {} series over {} days in {:.0} s, merged and rolled up",
        rounded(rows as f64),
        arguments.targets * (COUNTERS + GAUGES),
        arguments.days,
        filled.seconds()
    );

    let mut table = Table::new(["over all days", "points", "rows, ms", "rollups, ms", "ratio"]);
    for (expr, step) in OVER_ALL
        .into_iter()
        .filter(|(expr, _)| expr.contains(&arguments.only))
    {
        let time = |rollup: RollupUse| -> Result<(f64, Asked)> {
            let mut seconds = Vec::new();
            let mut last = None;
            for _ in 0..arguments.runs {
                let since = Stopwatch::start();
                let asked = ask(&engine, expr, (start + DAY_MS, end, step), rollup)?;
                seconds.push(since.seconds());
                last = Some(asked);
            }
            Ok((median(seconds), last.context("no run")?))
        };
        let ((of_rows, from_rows), (of_buckets, from_buckets)) =
            (time(RollupUse::Off)?, time(RollupUse::WhereExact)?);
        ensure!(from_buckets.rows == 0, "{expr} read {} rows", from_buckets.rows);
        ensure!(from_rows.agrees_with(&from_buckets), "{expr} differs");
        table.row([
            expr.to_owned(),
            rounded(from_rows.points.len() as f64),
            format!("{:.2}", of_rows * 1e3),
            format!("{:.2}", of_buckets * 1e3),
            format!("{:.1}", of_rows / of_buckets),
        ]);
    }
    println!("{table}");

    let of_day = (end - DAY_MS, end, 60_000);
    let mut days: Vec<(f64, Vec<f64>)> = Vec::new();
    for (expr, _) in OVER_A_DAY {
        let mut warm = Vec::new();
        for _ in 0..arguments.runs {
            let since = Stopwatch::start();
            ask(&engine, expr, of_day, RollupUse::Off)?;
            warm.push(since.seconds());
        }
        days.push((median(warm), Vec::new()));
    }
    engine.close()?;
    drop(engine);
    for (place, (expr, _)) in OVER_A_DAY.into_iter().enumerate() {
        for _ in 0..arguments.runs {
            drop_cached(folder.path())?;
            let engine = open(folder.path())?;
            let since = Stopwatch::start();
            let asked = ask(&engine, expr, of_day, RollupUse::Off)?;
            days[place].1.push(since.seconds());
            ensure!(!asked.points.is_empty(), "{expr} finds nothing");
            engine.close()?;
        }
    }
    let mut table = Table::new(["one series over a day", "warm, ms", "cold, ms"]);
    for ((expr, _), (warm, cold)) in OVER_A_DAY.into_iter().zip(days) {
        let cold = median(cold) * 1e3;
        table.row([
            expr.to_owned(),
            format!("{:.2}", warm * 1e3),
            format!("{cold:.2}"),
        ]);
    }
    println!("\n{table}");
    Ok(())
}

fn open(folder: &Path) -> Result<Arc<Engine>> {
    let options = Options {
        retention_ms: None,
        background: false,
        ..Options::default()
    };
    let clock = Arc::new(SystemClock::new());
    Ok(Engine::open(Arc::new(DiskVfs::open(folder)?), clock, options)?)
}

/// What a query gave.
struct Asked {
    points: Vec<f64>,
    rows: u64,
}

impl Asked {
    fn of(answer: &Answer) -> Result<Self> {
        let QueryValue::Matrix(series) = &answer.value else {
            anyhow::bail!("no matrix");
        };
        let points = series.iter().flat_map(|series| &series.points);
        let points: Option<Vec<f64>> = points
            .map(|point| match point.value {
                SampleValue::Float(value) => Some(value),
                SampleValue::Histogram(_) => None,
            })
            .collect();
        let selectors = answer.stats.selectors.iter();
        Ok(Self {
            points: points.context("a histogram")?,
            rows: selectors.map(|selector| selector.scan.rows_selected).sum(),
        })
    }

    fn agrees_with(&self, other: &Self) -> bool {
        let is_near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        self.points.len() == other.points.len() && self.points.iter().zip(&other.points).all(is_near)
    }
}

fn ask(engine: &Engine, expr: &str, (start, end, step): (i64, i64, i64), rollup: RollupUse) -> Result<Asked> {
    let text: Arc<str> = expr.into();
    let query = Query {
        expr: parse(&text, &ParseOptions::default()).map_err(|error| anyhow::anyhow!("{error}"))?,
        text,
        grid: Grid::range(start, end, step)?,
        is_range: true,
    };
    let options = EvalOptions {
        rollup,
        ..EvalOptions::default()
    };
    Asked::of(&evaluate(
        &engine.snapshot(),
        &query,
        &options,
        &Interrupt::default(),
    )?)
}

/// Writes all days; gives how many samples they have.
fn fill(engine: &Arc<Engine>, arguments: &Arguments, start: i64, end: i64) -> Result<u64> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut values = vec![0.0f64; arguments.targets * (COUNTERS + GAUGES)];
    let mut rows = 0;
    for window in (start..end).step_by((2 * HOUR_MS) as usize) {
        // A flush may have begun another head.
        let head = engine.head();
        let series: Vec<(SeriesRef, bool)> = (0..arguments.targets)
            .flat_map(|target| (0..COUNTERS + GAUGES).map(move |metric| (target, metric)))
            .map(|(target, metric)| {
                let (name, is_counter) = match metric.checked_sub(COUNTERS) {
                    None => (format!("counter_{metric}"), true),
                    Some(gauge) => (format!("gauge_{gauge}"), false),
                };
                let labels = Labels::from_pairs([
                    ("__name__", name),
                    ("instance", format!("target-{target}:9100")),
                    ("job", format!("job-{}", target % 4)),
                ])?;
                Ok((head.series(&labels), is_counter))
            })
            .collect::<Result<_>>()?;
        let mut columns = SampleColumns::with_capacity(&head, APPENDED_ROWS + series.len());
        for ts in (window..end.min(window + 2 * HOUR_MS)).step_by(SCRAPE_MS as usize) {
            for ((series, is_counter), value) in series.iter().zip(&mut values) {
                *value = match is_counter {
                    true => *value + f64::from(random.random_range(0..100u32)),
                    false => (*value + f64::from(random.random_range(-5..=5i32))).clamp(0.0, 1000.0),
                };
                columns.push(*series, ts, *value);
            }
            if columns.len() >= APPENDED_ROWS {
                rows += columns.len() as u64;
                let full =
                    std::mem::replace(&mut columns, SampleColumns::with_capacity(&head, APPENDED_ROWS));
                engine.append_blocking(full)?;
            }
        }
        rows += columns.len() as u64;
        engine.append_blocking(columns)?;
    }
    Ok(rows)
}

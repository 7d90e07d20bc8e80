//! PromQL in the process itself, without HTTP: what the evaluator and the scans below it take. See docs/benchmarks.md.

#![allow(clippy::print_stdout, reason = "this program talks to a terminal")]

use std::sync::Arc;

use anyhow::{Context, Result};
use barograph_benches::{Stopwatch, Table, median, rounded};
use barograph_engine::vfs::DiskVfs;
use barograph_engine::{Engine, Options, SampleColumns};
use barograph_model::{Labels, SystemClock};
use barograph_promql::syntax::{ParseOptions, parse};
use barograph_promql::{EvalOptions, Grid, Interrupt, Query, QueryValue, evaluate};
use clap::Parser;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The instant of the first scrape, at the beginning of a window.
const START_MS: i64 = 1_768_392_000_000;
const STEP_MS: i64 = 10_000;
const METRICS: usize = 10;
const APPENDED_ROWS: usize = 50_000;

#[derive(Debug, Parser)]
#[command(
    name = "promql",
    about = "PromQL in the process itself, from segments and from memory"
)]
struct Arguments {
    /// Hosts with ten gauges each
    #[arg(long, default_value_t = 4_000)]
    hosts: usize,
    /// Samples of each series, 10 s apart
    #[arg(long, default_value_t = 252)]
    samples: usize,
    /// Runs of each query; the median counts
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Leaves everything in memory
    #[arg(long)]
    memory: bool,
    /// Only the queries whose name holds this
    #[arg(long, default_value = "")]
    only: String,
}

/// A query by name: the expression, how far back it begins from the last sample, and its step; 0 for an instant.
struct Case {
    name: &'static str,
    expr: String,
    back_ms: i64,
    step_ms: i64,
}

fn cases(whole_ms: i64) -> Vec<Case> {
    // No interval is longer than the data, less a step.
    let longest = (whole_ms - 60_000).max(60_000);
    let hour = 3_600_000.min(longest);
    let case = |name, expr: &str, back_ms, step_ms| Case {
        name,
        expr: expr.to_owned(),
        back_ms,
        step_ms,
    };
    let eight = (0..8).map(|i| format!("host_{i}")).collect::<Vec<_>>().join("|");
    let half = longest.min(12 * 3_600_000);
    vec![
        case(
            "single-groupby-1-1-1",
            r#"max(max_over_time(cpu_0{host="host_0"}[1m]))"#,
            hour,
            60_000,
        ),
        case(
            "single-groupby-5-8-1",
            &format!(r#"max by (__name__) (last_over_time({{__name__=~"cpu_[0-4]",host=~"{eight}"}}[1m]))"#),
            hour,
            60_000,
        ),
        case(
            "cpu-max-all-8",
            &format!(r#"max by (__name__) (last_over_time({{__name__=~"cpu_.*",host=~"{eight}"}}[1h]))"#),
            (8 * hour).min(longest),
            hour,
        ),
        case(
            "double-groupby-1",
            "avg by (host) (avg_over_time(cpu_0[1h]))",
            half,
            hour,
        ),
        case(
            "double-groupby-all",
            r#"avg by (__name__, host) (last_over_time({__name__=~"cpu_.*"}[1h]))"#,
            half,
            hour,
        ),
        case("high-cpu-all", "max_over_time(cpu_0[1m]) > 90", hour, 60_000),
        case("lastpoint", "cpu_0", 0, 0),
        case("lastpoint, all metrics", r#"{__name__=~"cpu_.*"}"#, 0, 0),
        case("groupby-orderby-limit", "topk(5, max_over_time(cpu_0[5m]))", 0, 0),
        case("rate of one metric, summed", "sum(rate(cpu_1[5m]))", hour, 60_000),
        case("count of everything", r#"count({__name__=~".+"})"#, 0, 0),
    ]
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let options = Options {
        retention_ms: None,
        flush_rows: usize::MAX,
        ..Options::default()
    };
    let clock = Arc::new(SystemClock::new());
    let engine = Engine::open(Arc::new(DiskVfs::open(folder.path())?), clock, options)?;
    fill(&engine, &arguments)?;
    if !arguments.memory {
        engine.flush()?;
        while engine.compact_once()?.is_some() {}
    }
    let whole_ms = arguments.samples as i64 * STEP_MS;
    let end = START_MS + whole_ms - 1;
    let mut table = Table::new(["", "series", "points", "rows read", "ms"]);
    for case in cases(whole_ms) {
        if !case.name.contains(&arguments.only) {
            continue;
        }
        let mut seconds = Vec::new();
        let mut row = None;
        for _ in 0..arguments.runs {
            let since = Stopwatch::start();
            let text: Arc<str> = case.expr.as_str().into();
            let expr = parse(&text, &ParseOptions::default()).map_err(|error| anyhow::anyhow!("{error}"))?;
            let grid = match case.step_ms {
                0 => Grid::instant(end),
                step => Grid::range(end - case.back_ms + step, end, step)?,
            };
            let is_range = case.step_ms > 0;
            let query = Query {
                text,
                expr,
                grid,
                is_range,
            };
            let answer = evaluate(
                &engine.snapshot(),
                &query,
                &EvalOptions::default(),
                &Interrupt::default(),
            )?;
            seconds.push(since.seconds());
            let (series, points) = match &answer.value {
                QueryValue::Vector(series) => (series.len(), series.len()),
                QueryValue::Matrix(series) => (series.len(), series.iter().map(|s| s.points.len()).sum()),
                _ => (1, 1),
            };
            let rows: u64 = answer
                .stats
                .selectors
                .iter()
                .map(|selector| selector.scan.rows_selected)
                .sum();
            row = Some((series, points, rows));
        }
        if let Some((series, points, rows)) = row {
            table.row([
                case.name.to_owned(),
                series.to_string(),
                points.to_string(),
                rounded(rows as f64),
                format!("{:.2}", median(seconds) * 1e3),
            ]);
        }
    }
    println!("{table}");
    engine.close()?;
    Ok(())
}

fn fill(engine: &Arc<Engine>, arguments: &Arguments) -> Result<()> {
    let head = engine.head();
    let mut series = Vec::new();
    for host in 0..arguments.hosts {
        for metric in 0..METRICS {
            let labels = Labels::from_pairs([
                ("__name__", format!("cpu_{metric}")),
                ("host", format!("host_{host}")),
                ("instance", format!("host_{host}:9100")),
                ("job", "tsbs".to_owned()),
                ("region", format!("region-{}", host % 9)),
                ("rack", (host % 100).to_string()),
                ("service", (host % 20).to_string()),
                ("team", ["SF", "NYC", "LON", "CHI"][host % 4].to_owned()),
            ])?;
            series.push(head.series(&labels));
        }
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut values: Vec<f64> = series
        .iter()
        .map(|_| random.random_range(0.0..100.0f64).round())
        .collect();
    let mut columns = SampleColumns::with_capacity(&head, APPENDED_ROWS + series.len());
    for scrape in 0..arguments.samples {
        for (series, value) in series.iter().zip(&mut values) {
            *value = (*value + random.random_range(-1..=1) as f64).clamp(0.0, 100.0);
            columns.push(*series, START_MS + scrape as i64 * STEP_MS, *value);
        }
        if columns.len() >= APPENDED_ROWS || scrape + 1 == arguments.samples {
            let full = std::mem::replace(&mut columns, SampleColumns::with_capacity(&head, APPENDED_ROWS));
            engine.append_blocking(full)?;
        }
    }
    Ok(())
}

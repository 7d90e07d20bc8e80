//! Reading: scans of the engine, and SQL over it, from segments and from memory. See docs/benchmarks.md.

#![allow(clippy::print_stdout, reason = "this program talks to a terminal")]

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use barograph_benches::{Stopwatch, Table, Values, median, rounded, series_labels};
use barograph_engine::vfs::DiskVfs;
use barograph_engine::{Engine, Options, SampleBlock, SampleColumns};
use barograph_model::{SystemClock, TimeRange};
use barograph_query::sql::{SqlEngine, SqlLimits, Views};
use clap::Parser;

const STEP_MS: i64 = 15_000;
/// The instant of the first scrape, at the beginning of a window.
const START_MS: i64 = 1_768_392_000_000;
/// Scrapes of all series that are appended together.
const APPENDED_SCRAPES: usize = 10;

#[derive(Debug, Parser)]
#[command(
    name = "scan",
    about = "Scans of the engine and SQL, from segments and from memory"
)]
struct Arguments {
    /// Runs of each figure; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Series
    #[arg(long, default_value_t = 10_000)]
    series: usize,
    /// Samples of each series, 15 s apart
    #[arg(long, default_value_t = 1_000)]
    samples: usize,
}

/// Name, text, and whether it reads every row.
const QUERIES: [(&str, &str); 6] = [
    ("count(*)", "SELECT count(*) FROM samples"),
    ("avg(value)", "SELECT avg(value) FROM samples"),
    (
        "group by series",
        "SELECT series_id, avg(value) FROM samples GROUP BY 1",
    ),
    (
        "group by time bucket",
        "SELECT time_bucket('5m', ts), avg(value) FROM samples GROUP BY 1",
    ),
    (
        "one metric, by a label",
        "SELECT namespace, max(value) FROM metrics.http_requests_total GROUP BY 1",
    ),
    (
        "one metric, label filter",
        "SELECT avg(value) FROM metrics.http_requests_total WHERE namespace = 'team-3'",
    ),
];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let rows = arguments.series * arguments.samples;
    ensure!(rows > 0, "--series and --samples must be at least 1");
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let clock = Arc::new(SystemClock::new());
    let options = Options {
        retention_ms: None,
        // Nothing goes to segments before it was read from memory.
        flush_rows: rows + 1,
        ..Options::default()
    };
    let engine = Engine::open(Arc::new(DiskVfs::open(folder.path())?), clock.clone(), options)?;
    let append_seconds = fill(&engine, &arguments)?;

    let mut table = Table::new([
        "",
        "rows read",
        "memory, rows/s",
        "segments, rows/s",
        "segments, ms",
    ]);
    let memory = read_all(&engine, &arguments)?;
    let since = Stopwatch::start();
    engine.flush()?;
    let flush_seconds = since.seconds();
    let segments = read_all(&engine, &arguments)?;
    for (from_memory, from_segments) in memory.iter().zip(&segments) {
        table.row([
            from_memory.name.to_owned(),
            rounded(from_memory.rows as f64),
            rounded(from_memory.rows as f64 / from_memory.seconds),
            rounded(from_segments.rows as f64 / from_segments.seconds),
            rounded(from_segments.seconds * 1e3),
        ]);
    }
    let stats = engine.stats();
    println!(
        "{} rows: {} series, {} samples each; append with sync {} rows/s on one thread, flush {} rows/s; {} segments, \
         {:.2} bytes a row\n\n{table}\nMedian of {} runs; scans on one thread, SQL on {} cores.",
        rounded(rows as f64),
        arguments.series,
        arguments.samples,
        rounded(rows as f64 / append_seconds),
        rounded(rows as f64 / flush_seconds),
        stats.segments,
        stats.segment_bytes as f64 / rows as f64,
        arguments.runs,
        SqlLimits::default().target_partitions,
    );
    engine.close()?;
    Ok(())
}

/// Appends all samples in the order of scrapes; gives the seconds that took, without the making of the values.
fn fill(engine: &Arc<Engine>, arguments: &Arguments) -> Result<f64> {
    let head = engine.head();
    let series = (0..arguments.series)
        .map(|i| Ok(head.series(&series_labels(i)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut values = Values::new(1, arguments.series);
    let mut seconds = 0.0;
    let scrapes: Vec<usize> = (0..arguments.samples).collect();
    for together in scrapes.chunks(APPENDED_SCRAPES) {
        let mut columns = SampleColumns::with_capacity(&head, together.len() * series.len());
        for scrape in together {
            let ts = START_MS + *scrape as i64 * STEP_MS + values.late_ms();
            for (i, series) in series.iter().enumerate() {
                columns.push(*series, ts, values.next(i));
            }
        }
        let since = Stopwatch::start();
        engine.append_blocking(columns)?;
        seconds += since.seconds();
    }
    Ok(seconds)
}

/// A figure.
struct Read {
    name: &'static str,
    rows: u64,
    seconds: f64,
}

/// The scan and all queries over what the engine holds now.
fn read_all(engine: &Arc<Engine>, arguments: &Arguments) -> Result<Vec<Read>> {
    let rows = (arguments.series * arguments.samples) as u64;
    let mut reads = vec![Read {
        name: "scan",
        rows,
        seconds: median_seconds(arguments.runs, || {
            let read = scan(engine)?;
            ensure!(read == rows, "the scan found {read} rows of {rows}");
            Ok(())
        })?,
    }];
    let sql = SqlEngine::new(
        Arc::new(Arc::clone(engine)),
        Vec::new(),
        Arc::new(Views::in_memory()),
        SqlLimits::default(),
        Arc::new(SystemClock::new()),
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for (name, text) in QUERIES {
        let run = || -> Result<()> {
            let batches = runtime.block_on(async { sql.query(text).await?.collect_batches().await })?;
            ensure!(
                batches.iter().any(|batch| batch.num_rows() > 0),
                "{text} gave no row"
            );
            Ok(())
        };
        reads.push(Read {
            name,
            rows: rows_behind(engine, text)?,
            seconds: median_seconds(arguments.runs, run).with_context(|| text.to_owned())?,
        });
    }
    Ok(reads)
}

/// The rows that a query's selection of series holds.
fn rows_behind(engine: &Engine, text: &str) -> Result<u64> {
    use barograph_model::Matcher;
    let mut matchers = Vec::new();
    if text.contains("http_requests_total") {
        matchers.push(Matcher::equal("__name__", "http_requests_total"));
    }
    if text.contains("team-3") {
        matchers.push(Matcher::equal("namespace", "team-3"));
    }
    let snapshot = engine.snapshot();
    let series = snapshot.select(&matchers, TimeRange::ALL)?;
    Ok(snapshot.scan(&series, TimeRange::ALL).stats().rows_selected)
}

/// Reads every row on this thread and gives how many there are.
fn scan(engine: &Engine) -> Result<u64> {
    let snapshot = engine.snapshot();
    let series = snapshot.select(&[], TimeRange::ALL)?;
    let mut block = SampleBlock::default();
    let (mut rows, mut sum) = (0, 0.0);
    for mut partition in snapshot
        .scan(&series, TimeRange::new(i64::MIN, i64::MAX))
        .into_partitions()
    {
        while partition.next_block(&mut block)? {
            rows += block.len() as u64;
            sum += block.values.iter().sum::<f64>();
        }
    }
    // The values must not be read for nothing.
    std::hint::black_box(sum);
    Ok(rows)
}

fn median_seconds(runs: u32, mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let since = Stopwatch::start();
        run()?;
        seconds.push(since.seconds());
    }
    Ok(median(seconds))
}

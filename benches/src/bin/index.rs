//! A day of churn: how memory and index bytes grow while series come and go. See docs/benchmarks.md.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to a terminal"
)]

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use barograph_benches::{Stopwatch, Table, rounded};
use barograph_engine::vfs::DiskVfs;
use barograph_engine::{Engine, Options, SampleColumns, SeriesRef};
use barograph_model::{Clock, LabelError, Labels, METRIC_NAME, ManualClock, Matcher, TimeRange, TimestampMs};
use clap::Parser;

/// When the day begins.
const START_MS: i64 = 1_767_225_600_000;
/// A tenth of the series is replaced so often.
const ROUND_MS: i64 = 600_000;
/// One series in so many is another one in the next round.
const REPLACED_ONE_IN: usize = 10;
/// What an index may take more for each sample at the end of the day than after its first sixth.
const GROWTH_MAX: f64 = 1.25;
/// Samples of one append.
const APPENDED: usize = 50_000;

#[derive(Debug, Parser)]
#[command(
    name = "index",
    about = "A day of churn in the engine: memory of the head, bytes of the indexes"
)]
struct Arguments {
    /// Series at a time
    #[arg(long, default_value_t = 1_000_000)]
    active: usize,
    /// Rounds of ten minutes; a tenth of the series is replaced in each
    #[arg(long, default_value_t = 144)]
    rounds: usize,
    /// Samples of each series in a round
    #[arg(long, default_value_t = 1)]
    samples: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let root = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::new(TimestampMs(START_MS)));
    let options = Options {
        background: false,
        retention_ms: None,
        ..Options::default()
    };
    let vfs = Arc::new(DiskVfs::open(root.path())?);
    let engine = Engine::open(vfs, Arc::<ManualClock>::clone(&clock), options)?;
    let mut table = Table::new(
        [
            "hours",
            "series so far",
            "in the head",
            "head, bytes a series",
            "index, bytes a sample",
            "all files, bytes a sample",
            "find one, ms",
            "samples/s",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    let mut written = 0u64;
    let mut of_a_sample = Vec::new();
    for round in 0..arguments.rounds {
        let since = Stopwatch::start();
        let head = engine.head();
        for first in (0..arguments.active).step_by(APPENDED) {
            let places = first..arguments.active.min(first + APPENDED);
            let series: Vec<SeriesRef> = places
                .map(|place| Ok(head.series(&pod(place, generation(place, round))?)))
                .collect::<Result<_, LabelError>>()?;
            for sample in 0..arguments.samples {
                let ts = clock.now().0 + sample as i64 * (ROUND_MS / arguments.samples as i64);
                let mut columns = SampleColumns::with_capacity(&head, series.len());
                series
                    .iter()
                    .zip(first..)
                    .for_each(|(series, i)| columns.push(*series, ts, ((i + round) % 1000) as f64));
                written += columns.len() as u64;
                engine.append_blocking(columns)?;
            }
        }
        let seconds = since.seconds();
        clock.advance_ms(ROUND_MS);
        if (round + 1) % (arguments.rounds / 6).max(1) != 0 {
            continue;
        }
        engine.flush()?;
        let stats = engine.stats();
        ensure!(
            stats.segment_rows == written,
            "{} rows of {written}",
            stats.segment_rows
        );
        of_a_sample.push(stats.index_bytes as f64 / written as f64);
        table.row(vec![
            format!("{:.1}", (round + 1) as f64 * ROUND_MS as f64 / 3.6e6),
            rounded((arguments.active + arguments.active / REPLACED_ONE_IN * round) as f64),
            rounded(stats.head_series as f64),
            rounded(stats.head_bytes as f64 / stats.head_series as f64),
            rounded(stats.index_bytes as f64 / written as f64),
            rounded(stats.segment_bytes as f64 / written as f64),
            rounded(find_one(&engine, &arguments, round)? * 1e3),
            rounded((arguments.active * arguments.samples) as f64 / seconds),
        ]);
        eprintln!("{} of {} rounds", round + 1, arguments.rounds);
    }
    println!(
        "{} series at a time, one in {REPLACED_ONE_IN} replaced every ten minutes, {} sample(s) of each in between.\n\n{table}",
        rounded(arguments.active as f64),
        arguments.samples,
    );
    engine.close()?;
    if let (Some(first), Some(last)) = (of_a_sample.first(), of_a_sample.last()) {
        ensure!(
            *last <= first * GROWTH_MAX,
            "the index grows faster than the data: {first:.2} bytes a sample at first, {last:.2} at the end"
        );
    }
    Ok(())
}

/// Seconds to find a pod's series by its name in the last two hours and to read its samples.
fn find_one(engine: &Engine, arguments: &Arguments, round: usize) -> Result<f64> {
    let place = arguments.active / 2;
    let labels = pod(place, generation(place, round))?;
    let since = Stopwatch::start();
    let snapshot = engine.snapshot();
    let now = START_MS + round as i64 * ROUND_MS;
    let range = TimeRange::new(now - 7_200_000, now + ROUND_MS);
    let set = snapshot.select(&[Matcher::equal("pod", labels.get("pod"))], range)?;
    let rows = snapshot.scan(&set, range).stats().rows_selected;
    let seconds = since.seconds();
    let found = set.labels(0).context("the pod is there")?;
    ensure!(found.as_ref() == &labels && rows > 0, "{found} is not {labels}");
    Ok(seconds)
}

fn generation(place: usize, round: usize) -> usize {
    (round + REPLACED_ONE_IN - 1 - place % REPLACED_ONE_IN) / REPLACED_ONE_IN
}

fn pod(place: usize, generation: usize) -> Result<Labels, LabelError> {
    // Fibonacci hashing: names that have nothing in common, as pods have.
    let name = ((place as u64) << 20 | generation as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Labels::from_pairs([
        (METRIC_NAME, "container_memory_working_set_bytes".to_owned()),
        (
            "instance",
            format!("10.{}.{}.10:10250", ((place / 50) >> 8) & 255, (place / 50) & 255),
        ),
        ("job", "kubelet".to_owned()),
        ("namespace", format!("team-{}", place % 23)),
        (
            "pod",
            format!(
                "service-{}-{:09x}-{:05x}",
                place % 211,
                name >> 28,
                name & 0xf_ffff
            ),
        ),
    ])
}

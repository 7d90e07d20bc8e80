//! Remote write into the release binary over loopback, and into others beside it. See docs/benchmarks.md.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to a terminal"
)]

use std::path::PathBuf;

use anyhow::{Result, bail};
use barograph_benches::{
    Bodies, BodiesPlan, Contestant, Drive, Kind, Stopwatch, Table, drive, median, rounded,
};
use barograph_model::{Clock, SystemClock};
use clap::Parser;

#[derive(Debug, Parser)]
#[command(
    name = "ingest",
    about = "Remote write over loopback, beside Prometheus and VictoriaMetrics"
)]
struct Arguments {
    /// The barograph to measure [default: the one beside this bench]
    #[arg(long, value_name = "FILE")]
    barograph: Option<PathBuf>,
    /// Runs of each program; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Series
    #[arg(long, default_value_t = 100_000)]
    series: usize,
    /// Scrapes of each series, the first one included; about 2 MB of memory for each 100,000 samples
    #[arg(long, default_value_t = 40, value_parser = rounds)]
    rounds: usize,
    /// Samples of a request at most
    #[arg(long, default_value_t = 5_000)]
    request_samples: usize,
    /// Connections that send at the same time
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Barograph alone
    #[arg(long)]
    alone: bool,
}

/// Rounds of 15 s: not so many that the first is older than what every receiver still takes.
fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds) if (2..=200).contains(&rounds) => Ok(rounds),
        _ => Err("it must be a number from 2 to 200".to_owned()),
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.series == 0 || arguments.request_samples == 0 || arguments.connections == 0 {
        bail!("--series, --request-samples and --connections must be at least 1");
    }
    let mut contestants = vec![Contestant::barograph(arguments.barograph.as_deref())?];
    if !arguments.alone {
        for kind in [Kind::Prometheus, Kind::VictoriaMetrics] {
            match Contestant::installed(kind) {
                Some(peer) => contestants.push(peer),
                None => println!(
                    "{0} is not installed and is left out (apt-get install {0})",
                    kind.program()
                ),
            }
        }
    }
    let since = Stopwatch::start();
    let bodies = Bodies::encode(BodiesPlan {
        series: arguments.series,
        rounds: arguments.rounds,
        step_ms: 15_000,
        request_samples: arguments.request_samples,
        last: SystemClock::new().now(),
        seed: 1,
    })?;
    println!(
        "{} series, {} rounds 15 s apart, {} samples in requests of {}, {:.1} compressed bytes a sample, {} connections, \
         made in {:.1} s; {} cores, shared with this generator",
        arguments.series,
        arguments.rounds,
        rounded(bodies.samples() as f64),
        arguments.request_samples,
        bodies.bytes() as f64 / bodies.samples() as f64,
        arguments.connections,
        since.seconds(),
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    let mut measured: Vec<Vec<Drive>> = vec![Vec::new(); contestants.len()];
    // One after the other and round about, so that what else the machine does meets all of them.
    for run in 1..=arguments.runs {
        for (contestant, drives) in contestants.iter().zip(&mut measured) {
            let result = drive(contestant, &bodies, arguments.connections)?;
            eprintln!(
                "run {run}: {} took {} samples/s",
                contestant.kind.program(),
                rounded(result.samples_per_second)
            );
            drives.push(result);
        }
    }
    println!("\n{}", table(&contestants, &measured));
    println!(
        "Median of {} runs. Barograph syncs before each acknowledgement; Prometheus and VictoriaMetrics acknowledge \
         before their samples are on disk. Prometheus keeps recent samples in its log at SIGTERM, so its bytes are those \
         of the log.",
        arguments.runs
    );
    Ok(())
}

type Figure = (&'static str, fn(&Drive) -> f64);

const FIGURES: [Figure; 10] = [
    ("first round, samples/s", |d| d.first_samples_per_second),
    ("steady, samples/s", |d| d.samples_per_second),
    ("CPU s / M samples", |d| d.cpu_seconds_per_million),
    ("request p50, ms", |d| d.p50_seconds * 1e3),
    ("request p99, ms", |d| d.p99_seconds * 1e3),
    ("peak RSS, MiB", |d| d.peak_bytes / f64::from(1 << 20)),
    ("ready after SIGKILL, s", |d| {
        d.recovery_seconds.unwrap_or(f64::NAN)
    }),
    ("SIGTERM to exit, s", |d| d.stop_seconds),
    ("disk bytes / sample", |d| d.disk_bytes_per_sample),
    ("restart to ready, s", |d| d.restart_seconds),
];

/// A column for each program, and for each peer how many times its figure Barograph's is.
fn table(contestants: &[Contestant], measured: &[Vec<Drive>]) -> Table {
    let mut header = vec![String::new()];
    for (i, contestant) in contestants.iter().enumerate() {
        header.push(format!("{} {}", contestant.kind.program(), contestant.version));
        if i > 0 {
            header.push("ratio".to_owned());
        }
    }
    let mut table = Table::new(header);
    for (name, figure) in FIGURES {
        let medians: Vec<f64> = measured
            .iter()
            .map(|drives| median(drives.iter().map(figure).collect()))
            .collect();
        let mut cells = vec![name.to_owned(), rounded(medians[0])];
        for value in &medians[1..] {
            cells.push(rounded(*value));
            cells.push(rounded(medians[0] / value));
        }
        table.row(cells);
    }
    table
}

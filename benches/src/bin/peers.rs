//! Barograph, Prometheus and VictoriaMetrics on the same requests. See docs/benchmarks.md.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to a terminal"
)]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use barograph_benches::{
    Contestant, Extent, Kind, Procedure, Stopwatch, Workload, WorkloadName, compare, rounded, with_own_mounts,
};
use barograph_model::{Clock, SystemClock};
use clap::{Parser, ValueEnum};
use serde_json::json;

/// Longer than compaction waits before it looks for work by itself.
const QUIET: Duration = Duration::from_secs(35);

#[derive(Debug, Parser)]
#[command(
    name = "peers",
    about = "Barograph beside Prometheus and VictoriaMetrics, over loopback"
)]
struct Arguments {
    /// Workloads [default: all, one after the other]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    workload: Vec<WorkloadName>,
    /// Runs of each program; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Barograph alone
    #[arg(long)]
    alone: bool,
    /// The barograph to measure [default: the one beside this bench]
    #[arg(long, value_name = "FILE")]
    barograph: Option<PathBuf>,
    /// What the number of targets is multiplied with
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Scrapes of each target, instead of the workload's own number
    #[arg(long, value_name = "N", value_parser = rounds)]
    rounds: Option<usize>,
    /// Samples of a request at most
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = at_least_one)]
    request_samples: usize,
    /// Connections that send at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    connections: usize,
    /// Where every run's figures are written, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 100.0 => Ok(scale),
        _ => Err("it must be a number above 0, at most 100".to_owned()),
    }
}

/// The first is sent before what is measured as steady, and all are kept in memory.
fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds) if (2..=10_000).contains(&rounds) => Ok(rounds),
        _ => Err("it must be a number from 2 to 10000".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("it must be a number from 1".to_owned()),
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    with_own_mounts();
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
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "Medians of {} runs; {} connections, at most {} samples a request; {cores} cores, shared with the generator.",
        arguments.runs, arguments.connections, arguments.request_samples
    );
    let names = match arguments.workload.is_empty() {
        true => WorkloadName::value_variants(),
        false => &arguments.workload,
    };
    let mut kept = Vec::new();
    for name in names {
        let since = Stopwatch::start();
        let extent = Extent {
            scale: arguments.scale,
            rounds: arguments.rounds,
            connections: arguments.connections,
            request_samples: arguments.request_samples,
            now: SystemClock::new().now(),
        };
        let workload = Workload::build(*name, extent)?;
        let bodies = &workload.bodies;
        println!(
            "\n**{}**: {}. {} series, {} samples in {} rounds {} s apart, {:.1} compressed bytes a sample, made in {:.1} s.",
            workload.name,
            workload.about,
            bodies.series,
            rounded(bodies.samples() as f64),
            bodies.rounds.len(),
            bodies.step_ms / 1000,
            bodies.bytes() as f64 / bodies.samples() as f64,
            since.seconds(),
        );
        let comparison = compare(
            &contestants,
            &workload,
            Procedure {
                runs: arguments.runs,
                connections: arguments.connections,
                quiet: QUIET,
                power_cuts: true,
            },
            |line| eprintln!("{line}"),
        )?;
        println!("\n{}", comparison.table());
        for remark in comparison.remarks() {
            println!("{remark}");
        }
        kept.push(comparison.json());
        if let Some(file) = &arguments.json {
            // After each workload, so that a failure of the next one loses nothing.
            let all = json!({ "cores": cores, "comparisons": kept });
            std::fs::write(file, format!("{all:#}\n"))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

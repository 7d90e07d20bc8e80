//! PromQL over HTTP, asked of Barograph, Prometheus and VictoriaMetrics about the same data. See docs/benchmarks.md.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to a terminal"
)]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use barograph_benches::{
    Contestant, DashboardProcedure, Extent, Kind, QueryPart, QueryProcedure, Stopwatch, contest, dashboards,
    geometric_means, rounded,
};
use barograph_model::{Clock, SystemClock};
use clap::{Parser, ValueEnum};
use serde_json::json;

/// Longer than compaction waits before it looks for work by itself.
const QUIET: Duration = Duration::from_secs(35);
/// The part of the dashboards' rounds that shows how fast samples are taken.
const AT_FULL_SPEED: f64 = 0.25;
const REQUEST_SAMPLES: usize = 5_000;

#[derive(Debug, Parser)]
#[command(
    name = "queries",
    about = "PromQL over HTTP: Barograph beside Prometheus and VictoriaMetrics"
)]
struct Arguments {
    /// Parts [default: all, one after the other]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    part: Vec<QueryPart>,
    /// Times that each program is started and asked everything warm
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Each time every kind of query is asked so often
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    repeats: usize,
    /// but after so many seconds no more than three times
    #[arg(long, value_name = "S", default_value_t = 5)]
    case_seconds: u64,
    /// Each kind of query is asked so often of a program that was just started, with its files out of the page cache
    #[arg(long, value_name = "N", default_value_t = 3)]
    cold: usize,
    /// Queries of a kind, which differ in hosts and time
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    variants: usize,
    /// Only kinds of queries whose name holds this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// The peers alone
    #[arg(long, conflicts_with = "barograph")]
    peers_only: bool,
    /// Barograph alone
    #[arg(long, conflicts_with = "peers_only")]
    alone: bool,
    /// The barograph to measure [default: the one beside this bench]
    #[arg(long, value_name = "FILE")]
    barograph: Option<PathBuf>,
    /// What the number of hosts, instances and pods is multiplied with
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Scrapes of each target, instead of the part's own number
    #[arg(long, value_name = "N", value_parser = rounds)]
    rounds: Option<usize>,
    /// Connections that load the data
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    connections: usize,
    /// Dashboards
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    dashboards: usize,
    /// A dashboard asks for its panels again after so many seconds
    #[arg(long, value_name = "S", default_value_t = 5)]
    refresh_seconds: u64,
    /// Dashboards are looked at for so many seconds, or until all scrapes are sent
    #[arg(long, value_name = "S", default_value_t = 20)]
    dashboard_seconds: u64,
    /// Where every time that was measured is written, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 10.0 => Ok(scale),
        _ => Err("it must be a number above 0, at most 10".to_owned()),
    }
}

/// Dashboards need one round with new series, one at full speed and one at half.
fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds) if (3..=100_000).contains(&rounds) => Ok(rounds),
        _ => Err("it must be a number from 3 to 100000".to_owned()),
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
    let contestants = contestants(&arguments)?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{} runs; {} variants of a query; {cores} cores, shared with who asks; one connection, answers not compressed.",
        arguments.runs, arguments.variants
    );
    let parts = match arguments.part.is_empty() {
        true => QueryPart::value_variants(),
        false => &arguments.part,
    };
    let mut all = Vec::new();
    let mut kept = Vec::new();
    let mut is_right = true;
    for &part in parts {
        let since = Stopwatch::start();
        let workload = part.build(Extent {
            scale: arguments.scale,
            rounds: arguments.rounds,
            connections: arguments.connections,
            request_samples: REQUEST_SAMPLES,
            now: SystemClock::new().now(),
        })?;
        let bodies = &workload.bodies;
        println!(
            "\n**{}**: {}. {} series, {} samples in {} rounds {} s apart, made in {:.1} s.\n",
            part.name(),
            workload.about,
            bodies.series,
            rounded(bodies.samples() as f64),
            bodies.rounds.len(),
            bodies.step_ms / 1000,
            since.seconds(),
        );
        let tell = |line: &str| eprintln!("{line}");
        if part == QueryPart::Dashboards {
            let comparison = dashboards(&contestants, &workload, dashboard_procedure(&arguments), tell)?;
            println!("{}", comparison.table());
            kept.push(comparison.json());
        } else {
            let scores = contest(&contestants, part, &workload, &procedure(&arguments), tell)?;
            println!("{}", scores.warm_table());
            if let Some(table) = scores.cold_table() {
                println!("{table}");
            }
            for remark in scores.remarks() {
                println!("{remark}");
            }
            is_right &= scores.barograph_is_right();
            kept.push(scores.json());
            all.push(scores);
        }
        if let Some(file) = &arguments.json {
            // After each part, so that a failure of the next one loses nothing.
            let all = json!({ "cores": cores, "parts": kept });
            std::fs::write(file, format!("{all:#}\n"))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    for (peer, mean) in geometric_means(&all) {
        println!("All parts warm: barograph's p50 over {peer}'s, geometric mean: {mean:.3}");
    }
    if !is_right {
        bail!("barograph has not answered everything as prometheus did; the remarks say where");
    }
    Ok(())
}

fn contestants(arguments: &Arguments) -> Result<Vec<Contestant>> {
    let mut contestants = Vec::new();
    if !arguments.peers_only {
        contestants.push(Contestant::barograph(arguments.barograph.as_deref())?);
    }
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
    if contestants.is_empty() {
        bail!("nobody is left to ask");
    }
    Ok(contestants)
}

fn procedure(arguments: &Arguments) -> QueryProcedure {
    QueryProcedure {
        runs: arguments.runs,
        repeats: arguments.repeats,
        case_time: Duration::from_secs(arguments.case_seconds),
        cold: arguments.cold,
        variants: arguments.variants,
        connections: arguments.connections,
        quiet: QUIET,
        only: arguments.only.clone(),
    }
}

fn dashboard_procedure(arguments: &Arguments) -> DashboardProcedure {
    DashboardProcedure {
        dashboards: arguments.dashboards,
        refresh: Duration::from_secs(arguments.refresh_seconds),
        time: Duration::from_secs(arguments.dashboard_seconds),
        at_full_speed: AT_FULL_SPEED,
        connections: arguments.connections,
    }
}

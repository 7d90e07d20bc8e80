//! One run: a fresh program takes all bodies, is stopped, is started again.

use std::sync::Barrier;

use anyhow::{Context, Result, bail};

use crate::bodies::Bodies;
use crate::connection::Connection;
use crate::contestant::{Contestant, Kind, free_address};
use crate::process::{Running, bytes_on_disk};
use crate::stopwatch::Stopwatch;

/// What one run measured.
#[derive(Debug, Clone, Copy)]
pub struct Drive {
    /// Samples a second of the first round, in which every series is new.
    pub first_samples_per_second: f64,
    /// Samples a second of all other rounds.
    pub samples_per_second: f64,
    /// CPU seconds of the program for a million samples of the other rounds.
    pub cpu_seconds_per_million: f64,
    /// Seconds until a request of the other rounds is acknowledged: half of them take less.
    pub p50_seconds: f64,
    /// 99 of 100 take less.
    pub p99_seconds: f64,
    /// The most memory the program held.
    pub peak_bytes: f64,
    /// Seconds from SIGTERM to the end.
    pub stop_seconds: f64,
    /// Bytes of its files after that, for each sample.
    pub disk_bytes_per_sample: f64,
    /// Seconds from its second start to its being ready.
    pub restart_seconds: f64,
    /// Seconds from a start after SIGKILL, with everything acknowledged and little flushed, to its being ready. Of
    /// Barograph only: what others lose by it would be missing from their bytes.
    pub recovery_seconds: Option<f64>,
}

/// Starts the program on an empty folder and sends all bodies over some connections.
///
/// # Errors
/// When it does not start, refuses samples, does not stop, or has not kept what it acknowledged.
pub fn drive(contestant: &Contestant, bodies: &Bodies, connections: usize) -> Result<Drive> {
    let name = contestant.kind.program();
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let listen = free_address()?;
    let start = || -> Result<(Running, f64)> {
        let since = Stopwatch::start();
        let command = contestant.command(folder.path(), listen)?;
        let mut running = Running::start(name, command, folder.path().join("log"))?;
        let seconds = running.ready(listen, contestant.kind.ready_path(), &since)?;
        Ok((running, seconds))
    };
    let (running, _) = start()?;
    let send = |rounds| send(contestant.kind, listen, bodies, rounds, connections);
    let (first_seconds, _) = send(0..1)?;
    let cpu_before = running.cpu_seconds()?;
    let (seconds, mut latencies) = send(1..bodies.plan.rounds)?;
    let cpu_seconds = running.cpu_seconds()? - cpu_before;
    let peak_bytes = running.peak_bytes()?;
    latencies.sort_by(f64::total_cmp);
    let quantile = |q: f64| latencies[((latencies.len() - 1) as f64 * q).round() as usize];

    let (running, recovery_seconds) = match contestant.kind {
        Kind::Barograph => {
            // What is only in the log by now has to be read again.
            running.kill()?;
            let (running, seconds) = start()?;
            check_kept(listen, bodies.samples())?;
            (running, Some(seconds))
        }
        Kind::Prometheus | Kind::VictoriaMetrics => (running, None),
    };
    let stop_seconds = running.stop()?;
    let disk_bytes = bytes_on_disk(&contestant.data(folder.path()))?;
    let (running, restart_seconds) = start()?;
    if contestant.kind == Kind::Barograph {
        check_kept(listen, bodies.samples())?;
    }
    running.stop()?;

    let of_rounds = |rounds: usize| (bodies.plan.series * rounds) as f64;
    let steady = of_rounds(bodies.plan.rounds - 1);
    Ok(Drive {
        first_samples_per_second: of_rounds(1) / first_seconds,
        samples_per_second: steady / seconds,
        cpu_seconds_per_million: cpu_seconds / steady * 1e6,
        p50_seconds: quantile(0.5),
        p99_seconds: quantile(0.99),
        peak_bytes,
        stop_seconds,
        disk_bytes_per_sample: disk_bytes as f64 / bodies.samples() as f64,
        restart_seconds,
        recovery_seconds,
    })
}

/// Sends some rounds; gives the seconds that took, and those of each request. Every part of the series keeps to one
/// connection, and a connection sends its next request when the one before is acknowledged.
fn send(
    kind: Kind,
    listen: std::net::SocketAddr,
    bodies: &Bodies,
    rounds: std::ops::Range<usize>,
    connections: usize,
) -> Result<(f64, Vec<f64>)> {
    let barrier = Barrier::new(connections + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|c| {
                let (barrier, rounds) = (&barrier, rounds.clone());
                scope.spawn(move || {
                    let opened = Connection::open(listen);
                    barrier.wait();
                    let mut connection = opened?;
                    let mut latencies = Vec::new();
                    for round in &bodies.rounds[rounds] {
                        for body in round.iter().skip(c).step_by(connections) {
                            let since = Stopwatch::start();
                            connection.write(kind.write_path(), body)?;
                            latencies.push(since.seconds());
                        }
                    }
                    anyhow::Ok(latencies)
                })
            })
            .collect();
        barrier.wait();
        let since = Stopwatch::start();
        let mut latencies = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(result) => latencies.extend(result?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok((since.seconds(), latencies))
    })
}

/// Holds Barograph to its word: a figure of a program that loses samples is worth nothing.
fn check_kept(listen: std::net::SocketAddr, samples: usize) -> Result<()> {
    let query = r#"{"query": "SELECT count(*) AS n FROM samples", "format": "csv"}"#;
    let (status, answer) = Connection::open(listen)?.post_json("/api/v1/sql", query)?;
    let kept = answer
        .lines()
        .nth(1)
        .and_then(|line| line.trim().parse::<usize>().ok());
    if status != 200 || kept != Some(samples) {
        bail!("{samples} samples were acknowledged, and barograph answers {status} {answer:?}");
    }
    Ok(())
}

//! Dashboards that are looked at while samples come in half as fast as they can.
//!
//! How fast samples can come in is measured first, of each contestant on its own. Then samples are due at half of that
//! speed, and each dashboard asks for all of its panels, one after the other, every few seconds. Ingest is unharmed when
//! it keeps up, and when every sample is there in the end.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use super::stage::ask;
use crate::asking::PromQl;
use crate::connection::Connection;
use crate::contestant::Contestant;
use crate::figures::{Comparison, Figures};
use crate::life::Life;
use crate::parity::expect;
use crate::send::{send, send_paced};
use crate::stopwatch::Stopwatch;
use crate::table::quantile;
use crate::workload::{Bodies, Workload};

const MINUTE_MS: i64 = 60_000;
/// What a panel shows.
const SHOWN_MS: i64 = 30 * MINUTE_MS;
const STEP_MS: i64 = MINUTE_MS / 2;
/// How long a dashboard sleeps before it looks whether the run is over.
const POLL: Duration = Duration::from_millis(10);

/// How dashboards are run.
#[derive(Debug, Clone, Copy)]
pub struct DashboardProcedure {
    /// How many there are.
    pub dashboards: usize,
    /// Each asks again after so long; its last panels are waited for.
    pub refresh: Duration,
    /// So long at half speed, or until all rounds are sent.
    pub time: Duration,
    /// The part of the rounds that is sent as fast as they are taken.
    pub at_full_speed: f64,
    /// Connections that send; as many as the workload was made for.
    pub connections: usize,
}

/// Runs dashboards on each contestant; `tell` hears how each went.
///
/// # Errors
/// When a contestant does not start or stop, refuses samples or a query, or has lost samples.
pub fn dashboards(
    contestants: &[Contestant],
    workload: &Workload,
    procedure: DashboardProcedure,
    mut tell: impl FnMut(&str),
) -> Result<Comparison> {
    let mut runs = Vec::new();
    for contestant in contestants {
        let name = contestant.kind.program();
        let figures = one(contestant, &workload.bodies, procedure)
            .with_context(|| format!("dashboards with {name}"))?;
        tell(&format!(
            "dashboards: {name} answered {} panels",
            figures.get(ANSWERED)
        ));
        runs.push(vec![figures]);
    }
    let heading = |c: &Contestant| format!("{} {}", c.kind.program(), c.version);
    Ok(Comparison {
        workload: "dashboards".to_owned(),
        about: workload.about.clone(),
        columns: contestants.iter().map(heading).collect(),
        runs,
    })
}

const ANSWERED: &str = "panels answered";

fn one(contestant: &Contestant, bodies: &Bodies, procedure: DashboardProcedure) -> Result<Figures> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let life = Life::new(contestant, folder.path())?;
    let (kind, listen, connections) = (contestant.kind, life.listen, procedure.connections);
    let (running, _) = life.start()?;
    // The first round has every series new, which is not how fast samples come in later.
    send(kind, listen, bodies, 0..1, connections)?;
    let rounds = bodies.rounds.len();
    let full = ((rounds as f64 * procedure.at_full_speed) as usize).clamp(1, rounds - 2) + 1;
    let fast = send(kind, listen, bodies, 1..full, connections)?;
    let of_round = bodies.samples_of_round[1] as f64;
    let fastest = (full - 1) as f64 * of_round / fast.seconds;
    let apart = Duration::from_secs_f64(2.0 * of_round / fastest);
    let due = (procedure.time.as_secs_f64() / apart.as_secs_f64()).ceil() as usize;
    let last = rounds.min(full + due.max(1));

    let done = AtomicBool::new(false);
    let begun = Stopwatch::start();
    let newest_ms = || {
        let sent = (begun.seconds() / apart.as_secs_f64()) as usize;
        bodies.from.0 + (full + sent).min(last) as i64 * bodies.step_ms - 1
    };
    let (sent, seconds) = std::thread::scope(|scope| -> Result<_> {
        let (done, newest_ms) = (&done, &newest_ms);
        let threads: Vec<_> = (0..procedure.dashboards)
            .map(|number| scope.spawn(move || look(listen, number, procedure, done, newest_ms)))
            .collect();
        let sent = send_paced(kind, listen, bodies, full..last, connections, apart);
        done.store(true, Ordering::Relaxed);
        let mut seconds = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(looked) => seconds.extend(looked?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok((sent?, seconds))
    })?;
    let acknowledged = bodies.samples_of_round[..last].iter().sum();
    expect(kind, listen, bodies, acknowledged, "after the dashboards")?;
    running.stop()?;

    // The last round is acknowledged a pause earlier than the next one would be due.
    let asked_for = fastest / 2.0;
    let taken = (last - full) as f64 * of_round / (sent.seconds + apart.as_secs_f64()).max(f64::MIN_POSITIVE);
    let mut figures = Figures::default();
    figures.push("at full speed, alone: samples/s", fastest);
    figures.push(
        "at full speed, alone: acknowledged within, p99, ms",
        fast.quantile(0.99) * 1e3,
    );
    figures.push("with dashboards: samples/s due", asked_for);
    figures.push(
        "with dashboards: samples taken, % of those due",
        (taken / asked_for).min(1.0) * 1e2,
    );
    figures.push(
        "with dashboards: acknowledged within, p99, ms",
        sent.quantile(0.99) * 1e3,
    );
    figures.push("with dashboards: s", sent.seconds);
    figures.push(ANSWERED, seconds.len() as f64);
    figures.push("panel, p50, ms", quantile(&seconds, 0.5) * 1e3);
    figures.push("panel, p99, ms", quantile(&seconds, 0.99) * 1e3);
    figures.push("panel, slowest, ms", quantile(&seconds, 1.0) * 1e3);
    Ok(figures)
}

/// Seconds of every panel of one dashboard.
fn look(
    listen: SocketAddr,
    number: usize,
    procedure: DashboardProcedure,
    done: &AtomicBool,
    newest_ms: &(dyn Fn() -> i64 + Sync),
) -> Result<Vec<f64>> {
    let mut connection = Connection::open(listen)?;
    let begun = Stopwatch::start();
    // They were not all opened in the same moment.
    let mut due = procedure
        .refresh
        .mul_f64(number as f64 / procedure.dashboards as f64);
    let mut seconds = Vec::new();
    while !done.load(Ordering::Relaxed) {
        if begun.elapsed() < due {
            std::thread::sleep(POLL);
            continue;
        }
        for panel in panels(number, newest_ms()) {
            let since = Stopwatch::start();
            ask(&mut connection, &panel).with_context(|| panel.shown())?;
            seconds.push(since.seconds());
        }
        due = (due + procedure.refresh).max(begun.elapsed());
    }
    Ok(seconds)
}

/// The panels of a dashboard: half an hour of graphs, and tables of now.
fn panels(number: usize, now_ms: i64) -> Vec<PromQl> {
    let range = |expr: String| PromQl::Range {
        expr,
        start_ms: now_ms - SHOWN_MS,
        end_ms: now_ms,
        step_ms: STEP_MS,
    };
    let instant = |expr: String| PromQl::Instant { expr, at_ms: now_ms };
    let team = ["SF", "NYC", "LON", "CHI"][number % 4];
    vec![
        range("avg by (region) (cpu_usage_user)".to_owned()),
        range(format!(
            "max by (service) (max_over_time(cpu_usage_system{{team=\"{team}\"}}[1m]))"
        )),
        range(format!("cpu_usage_iowait{{hostname=\"host_{number}\"}}")),
        range(format!(
            "sum by (os) (avg_over_time(cpu_usage_idle{{rack=\"{number}\"}}[5m]))"
        )),
        range("quantile by (datacenter) (0.9, cpu_usage_user)".to_owned()),
        instant("topk(5, avg_over_time(cpu_usage_iowait[5m]))".to_owned()),
        instant(format!(
            "count by (service) (cpu_usage_user{{team=\"{team}\"}} > 90)"
        )),
        instant(format!("{{__name__=~\"cpu_.*\",hostname=\"host_{number}\"}}")),
    ]
}

//! Waiting until a contestant has done what it defers, and weighing its data then.
//!
//! - Barograph: stopped by SIGTERM, which flushes; started; left alone until nothing is in memory only, and the number,
//!   rows and bytes of its segments have not changed for a while. Weighed: everything but the log, whose newest file
//!   stays whatever is in it.
//! - VictoriaMetrics: `/internal/force_flush`, then `/internal/force_merge`, until `vm_active_force_merges` is 0, and
//!   stopped by SIGTERM. Weighed: everything but its caches, which it writes when it stops.
//! - Prometheus writes blocks of its head hours later, so a snapshot with the head is taken, which is the block that it
//!   would write. Weighed: the snapshot alone, without log and head; then it is removed and the program stopped.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::connection::Connection;
use crate::contestant::Kind;
use crate::disk::bytes_on_disk;
use crate::life::Life;
use crate::process::{Running, Usage};
use crate::stopwatch::Stopwatch;

const PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(50);
/// What is only in memory, and what compaction changes.
const BAROGRAPH_GAUGES: [&str; 6] = [
    "barograph_store_memory_rows",
    "barograph_store_flushes_total",
    "barograph_store_compactions_total",
    "barograph_store_segments",
    "barograph_store_segment_rows",
    "barograph_store_segment_bytes",
];
const LOG_FOLDER: &str = "wal";
/// How long VictoriaMetrics takes at most to begin a merge that was asked for.
const MERGE_BEGINS: Duration = Duration::from_secs(1);
const CACHE_FOLDER: &str = "cache";
const SNAPSHOTS: &str = "snapshots";

/// What a contestant's data weighs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    /// Seconds from SIGTERM to the end of the process that took the samples.
    pub(crate) stop_seconds: f64,
    /// Bytes of data and index.
    pub(crate) data_bytes: f64,
    /// Bytes of everything it keeps after it was stopped.
    pub(crate) folder_bytes: f64,
    /// What all its processes used from their start to their end.
    pub(crate) usage: Usage,
}

/// Lets a contestant settle and stops it. A Barograph in which nothing changed for `quiet` counts as settled.
///
/// # Errors
/// When it does not settle within ten minutes, does not stop, or cannot be weighed.
pub(crate) fn settle(life: &Life<'_>, running: Running, quiet: Duration) -> Result<Settled> {
    let data = life.data();
    match life.contestant.kind {
        Kind::Barograph => {
            let first = running.stop()?;
            let (running, _) = life.start()?;
            wait_until_quiet(life.listen, quiet)?;
            let second = running.stop()?;
            Ok(Settled {
                stop_seconds: first.seconds,
                data_bytes: bytes_on_disk(&data, &[LOG_FOLDER])? as f64,
                folder_bytes: bytes_on_disk(&data, &[])? as f64,
                usage: first.usage.plus(second.usage),
            })
        }
        Kind::Prometheus => {
            snapshot(life.listen)?;
            let snapshots = data.join(SNAPSHOTS);
            let data_bytes = bytes_on_disk(&snapshots, &[])? as f64;
            let stopped = running.stop()?;
            fs::remove_dir_all(&snapshots).context("cannot remove a snapshot")?;
            Ok(Settled {
                stop_seconds: stopped.seconds,
                data_bytes,
                folder_bytes: bytes_on_disk(&data, &[])? as f64,
                usage: stopped.usage,
            })
        }
        Kind::VictoriaMetrics => {
            merge_all(life.listen)?;
            let stopped = running.stop()?;
            Ok(Settled {
                stop_seconds: stopped.seconds,
                data_bytes: bytes_on_disk(&data, &[CACHE_FOLDER])? as f64,
                folder_bytes: bytes_on_disk(&data, &[])? as f64,
                usage: stopped.usage,
            })
        }
    }
}

fn wait_until_quiet(listen: SocketAddr, quiet: Duration) -> Result<()> {
    let mut connection = Connection::open(listen)?;
    let started = Stopwatch::start();
    let mut unchanged = Stopwatch::start();
    let mut last = Vec::new();
    while unchanged.elapsed() < quiet || last.first() != Some(&0.0) {
        if started.elapsed() > PATIENCE {
            bail!("barograph does not settle within {PATIENCE:?}: {BAROGRAPH_GAUGES:?} are {last:?}");
        }
        let now = BAROGRAPH_GAUGES
            .iter()
            .map(|name| metric(&mut connection, name))
            .collect::<Result<Vec<_>>>()?;
        if now != last {
            last = now;
            unchanged = Stopwatch::start();
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn merge_all(listen: SocketAddr) -> Result<()> {
    let mut connection = Connection::open(listen)?;
    for path in ["/internal/force_flush", "/internal/force_merge"] {
        let (status, answer) = connection.get(path)?;
        if !(200..300).contains(&status) {
            bail!("victoria-metrics answers {path} with {status}: {}", answer.trim());
        }
    }
    let since = Stopwatch::start();
    // The merge begins after the answer.
    std::thread::sleep(MERGE_BEGINS);
    while metric(&mut connection, "vm_active_force_merges")? > 0.0 {
        if since.elapsed() > PATIENCE {
            bail!("victoria-metrics still merges after {PATIENCE:?}");
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn snapshot(listen: SocketAddr) -> Result<()> {
    let (status, answer) =
        Connection::open(listen)?.post_json("/api/v1/admin/tsdb/snapshot?skip_head=false", "")?;
    if status != 200 {
        bail!("prometheus takes no snapshot: {status}: {}", answer.trim());
    }
    Ok(())
}

/// The value of a metric without labels that a contestant shows of itself.
fn metric(connection: &mut Connection, name: &str) -> Result<f64> {
    let (_, text) = connection.get("/metrics")?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        .with_context(|| format!("/metrics shows no {name}"))
}

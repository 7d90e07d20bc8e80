//! Sending rounds of a workload over kept connections.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;

use crate::connection::Connection;
use crate::contestant::Kind;
use crate::process::Usage;
use crate::stopwatch::Stopwatch;
use crate::table::quantile;
use crate::workload::Bodies;

/// No connection is further ahead of another, in rounds: a receiver may refuse what is an hour older than the newest.
const AHEAD_ROUNDS_MAX: usize = 100;
const AHEAD_POLL: Duration = Duration::from_micros(200);

/// How some rounds went.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// From the first byte to the last acknowledgement.
    pub(crate) seconds: f64,
    /// Of each request: from its first byte to its acknowledgement.
    pub(crate) latencies: Vec<f64>,
    /// CPU seconds of this process meanwhile.
    pub(crate) own_cpu_seconds: f64,
}

impl Sent {
    /// So large a part of the requests was acknowledged within this many seconds.
    #[must_use]
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        quantile(&self.latencies, q)
    }
}

/// Sends some rounds. Every part of the positions keeps to one connection, and a connection sends its next request
/// when the one before is acknowledged.
///
/// # Errors
/// When a connection breaks or a request is refused.
pub(crate) fn send(
    kind: Kind,
    listen: SocketAddr,
    bodies: &Bodies,
    rounds: Range<usize>,
    connections: usize,
) -> Result<Sent> {
    send_paced(kind, listen, bodies, rounds, connections, Duration::ZERO)
}

/// The same, but a round begins no earlier than so long after the one before was due. One that is late is not waited
/// for by the next: what could not be sent in time is caught up with.
///
/// # Errors
/// As [`send`].
pub(crate) fn send_paced(
    kind: Kind,
    listen: SocketAddr,
    bodies: &Bodies,
    rounds: Range<usize>,
    connections: usize,
    apart: Duration,
) -> Result<Sent> {
    let barrier = Barrier::new(connections + 1);
    let at: Vec<_> = (0..connections).map(|_| AtomicUsize::new(rounds.start)).collect();
    let work = |c: usize| -> Result<Vec<f64>> {
        let opened = Connection::open(listen);
        barrier.wait();
        let mut connection = opened?;
        let mut latencies = Vec::new();
        let begun = Stopwatch::start();
        for round in rounds.clone() {
            let due = apart * (round - rounds.start) as u32;
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            at[c].store(round, Ordering::Relaxed);
            while at
                .iter()
                .any(|at| at.load(Ordering::Relaxed) + AHEAD_ROUNDS_MAX < round)
            {
                std::thread::sleep(AHEAD_POLL);
            }
            for body in bodies.rounds[round].iter().skip(c).step_by(connections) {
                let since = Stopwatch::start();
                connection.write(kind.write_path(), body)?;
                latencies.push(since.seconds());
            }
        }
        Ok(latencies)
    };
    std::thread::scope(|scope| {
        let (work, at) = (&work, &at);
        let threads: Vec<_> = (0..connections)
            .map(|c| {
                scope.spawn(move || {
                    let result = work(c);
                    // Done or failed, the others need not wait for it.
                    at[c].store(usize::MAX - AHEAD_ROUNDS_MAX, Ordering::Relaxed);
                    result
                })
            })
            .collect();
        barrier.wait();
        let own_before = Usage::of(std::process::id())?;
        let since = Stopwatch::start();
        let mut latencies = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(result) => latencies.extend(result?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        let seconds = since.seconds();
        let own = Usage::of(std::process::id())?.since(own_before);
        Ok(Sent {
            seconds,
            latencies,
            own_cpu_seconds: own.cpu_seconds,
        })
    })
}

//! Whether a contestant has every sample that it acknowledged, once.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::asking::{Asking, PromQl, Question};
use crate::connection::Connection;
use crate::contestant::Kind;
use crate::stopwatch::Stopwatch;
use crate::workload::Bodies;

/// Some show samples only when they have been moved out of a buffer.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// The number of all samples of a workload. In PromQL it is a sum over metrics: counting drops the name of the metric,
/// and series that only it told apart would meet, which Prometheus refuses.
#[must_use]
pub(crate) fn count_of_all(bodies: &Bodies) -> Question {
    let (from, until) = (bodies.from.0, bodies.until.0);
    let window = format!("{}ms", until - from);
    let counts = bodies
        .metrics
        .iter()
        .map(|metric| format!("(sum(count_over_time({metric}[{window}])) or vector(0))"));
    Question {
        name: "count of all samples",
        promql: PromQl::Instant {
            expr: sum(&counts.collect::<Vec<_>>()),
            at_ms: until - 1,
        },
        sql: format!("SELECT '', count(*) FROM samples WHERE {}", within(from, until)),
    }
}

/// Adds up expressions, of which there may be hundreds, without nesting them as deep.
fn sum(terms: &[String]) -> String {
    match terms {
        [] => "vector(0)".to_owned(),
        [term] => term.clone(),
        terms => {
            let (left, right) = terms.split_at(terms.len() / 2);
            format!("({}+{})", sum(left), sum(right))
        }
    }
}

/// The condition of SQL for an interval of milliseconds that is open at its end.
pub(crate) fn within(from_ms: i64, until_ms: i64) -> String {
    format!("ts >= to_timestamp_millis({from_ms}) AND ts < to_timestamp_millis({until_ms})")
}

/// The samples of a workload that a contestant has now.
///
/// # Errors
/// When it cannot be asked.
pub(crate) fn found(kind: Kind, listen: SocketAddr, bodies: &Bodies) -> Result<usize> {
    let answer = Asking::open(kind, listen)?.ask(&count_of_all(bodies))?;
    Ok(answer.first().map_or(0.0, |(_, count)| *count) as usize)
}

/// Waits until a contestant has exactly the samples of a workload.
///
/// # Errors
/// When it has others after a minute, or cannot be asked. `phase` is said then.
pub(crate) fn expect_all(kind: Kind, listen: SocketAddr, bodies: &Bodies, phase: &str) -> Result<()> {
    expect(kind, listen, bodies, bodies.samples(), phase)
}

/// Waits until a contestant has exactly so many of the samples of a workload.
///
/// # Errors
/// As [`expect_all`].
pub(crate) fn expect(
    kind: Kind,
    listen: SocketAddr,
    bodies: &Bodies,
    acknowledged: usize,
    phase: &str,
) -> Result<()> {
    if kind == Kind::VictoriaMetrics {
        // Out of its buffers, and past what it remembers of questions from before.
        Connection::open(listen)?.get("/internal/force_flush")?;
    }
    let since = Stopwatch::start();
    loop {
        let found = found(kind, listen, bodies)?;
        if found == acknowledged {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            bail!(
                "{phase}: {} acknowledged {acknowledged} samples and has {found}",
                kind.program(),
            );
        }
        std::thread::sleep(POLL);
    }
}

/// The most samples that a contestant shows: asked until the number has not changed for a second. For what may
/// have lost some.
///
/// # Errors
/// When it cannot be asked.
pub(crate) fn found_at_rest(kind: Kind, listen: SocketAddr, bodies: &Bodies) -> Result<usize> {
    const REST: Duration = Duration::from_secs(1);
    let mut last = found(kind, listen, bodies)?;
    let mut since = Stopwatch::start();
    while since.elapsed() < REST && last < bodies.samples() {
        std::thread::sleep(POLL);
        let now = found(kind, listen, bodies)?;
        if now != last {
            last = now;
            since = Stopwatch::start();
        }
    }
    Ok(last)
}

//! How long after its acknowledgement a sample is in the answers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use barograph_model::{Clock, METRIC_NAME, SystemClock};
use barograph_proto::prometheus::{Label, Sample, TimeSeries, WriteRequest};
use prost::Message;

use crate::asking::{Asking, PromQl, Question};
use crate::connection::Connection;
use crate::contestant::Kind;
use crate::stopwatch::Stopwatch;

/// Samples that are followed, one after the other.
const PROBES: usize = 11;
const METRIC: &str = "bench_probe";
/// How old a sample is: not so new that VictoriaMetrics' least `-search.latencyOffset` hides it.
const AGE_MS: i64 = 2_000;
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(1);

/// Seconds from an acknowledgement to the first answer that holds the sample.
#[derive(Debug, Clone)]
pub(crate) struct Visible {
    /// Of the first sample of a series.
    pub(crate) of_new_series: f64,
    /// Of each of those that follow.
    pub(crate) of_known_series: Vec<f64>,
}

/// Sends samples that are later than those of any workload, and asks for each until it is there.
///
/// # Errors
/// When a sample is refused, or not there after half a minute.
pub(crate) fn probe(kind: Kind, listen: SocketAddr) -> Result<Visible> {
    let clock = SystemClock::new();
    let mut sender = Connection::open(listen)?;
    let mut asking = Asking::open(kind, listen)?;
    let mut last_ms = 0;
    let mut all = Vec::new();
    for probe in 0..PROBES {
        let ts_ms = (clock.now().0 - AGE_MS).max(last_ms + 1);
        last_ms = ts_ms;
        let value = probe as f64;
        let question = question(ts_ms);
        sender.write(kind.write_path(), &body(ts_ms, value)?)?;
        let since = Stopwatch::start();
        while asking
            .ask(&question)?
            .first()
            .is_none_or(|(_, seen)| *seen != value)
        {
            if since.elapsed() > PATIENCE {
                bail!("{} does not show a sample after {PATIENCE:?}", kind.program());
            }
            std::thread::sleep(POLL);
        }
        all.push(since.seconds());
    }
    let of_known_series = all.split_off(1);
    Ok(Visible {
        of_new_series: all[0],
        of_known_series,
    })
}

fn question(ts_ms: i64) -> Question {
    Question {
        name: "the newest sample",
        promql: PromQl::Instant {
            expr: METRIC.to_owned(),
            at_ms: ts_ms,
        },
        sql: format!(
            "SELECT '', value FROM samples WHERE metric = '{METRIC}' AND ts = to_timestamp_millis({ts_ms})"
        ),
    }
}

fn body(ts_ms: i64, value: f64) -> Result<Vec<u8>> {
    let series = TimeSeries {
        labels: vec![Label {
            name: METRIC_NAME.to_owned(),
            value: METRIC.to_owned(),
        }],
        samples: vec![Sample {
            value,
            timestamp: ts_ms,
        }],
        ..TimeSeries::default()
    };
    let request = WriteRequest {
        timeseries: vec![series],
        ..WriteRequest::default()
    };
    Ok(snap::raw::Encoder::new().compress_vec(&request.encode_to_vec())?)
}

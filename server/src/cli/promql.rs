//! `barograph promql`: asks a running server with PromQL, at one instant or over a range, and prints the answer.
//!
//! It speaks Prometheus' API, so that `--url` may name a Prometheus as well.

mod error;
mod remote;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use barograph_model::{Clock, SystemClock};
use clap::{Args, ValueEnum};

use super::say;
use super::sql::{DEFAULT_URL, runtime};
use crate::api::{parse_duration_ns, parse_instant};

pub use error::PromqlFailure;
use remote::Remote;

/// Steps of a range whose step is not given.
const STEPS: i64 = 250;

/// Arguments of `barograph promql`.
#[derive(Debug, Clone, Args)]
pub struct PromqlArgs {
    /// The query
    #[arg(value_name = "EXPR")]
    pub query: String,
    /// The server to ask
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// The instant of the query, as RFC 3339 or seconds since the epoch; now when it is not given
    #[arg(long, value_name = "TIME", conflicts_with_all = ["start", "end", "step"], allow_hyphen_values = true)]
    pub time: Option<String>,
    /// The first instant of a range
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub start: Option<String>,
    /// The last instant of a range; now when it is not given
    #[arg(long, value_name = "TIME", requires = "start", allow_hyphen_values = true)]
    pub end: Option<String>,
    /// The distance of instants in a range, such as 15s; chosen for 250 of them when it is not given
    #[arg(long, value_name = "DURATION", requires = "start")]
    pub step: Option<String>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = PromqlFormat::Table)]
    pub format: PromqlFormat,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PromqlFormat {
    /// A line for each sample, for reading.
    Table,
    /// The server's answer as it is: `{"resultType":...,"result":[...]}` under `data`.
    Json,
}

/// What is sent: the path, and the parameters.
type Request = (&'static str, Vec<(&'static str, String)>);

/// Runs the command on a runtime of its own.
///
/// # Errors
/// [`PromqlFailure`]: what is wrong with the arguments, or what the server said.
pub fn run(args: &PromqlArgs) -> Result<(), PromqlFailure> {
    let (path, parameters) = request(args, SystemClock::new().now().0)?;
    let remote = Remote::new(&args.url)?;
    let runtime = runtime().map_err(|error| PromqlFailure::Threads(error.to_string()))?;
    let answer = runtime.block_on(remote.post(path, &parameters))?;
    let text = match args.format {
        PromqlFormat::Json => answer.text,
        PromqlFormat::Table => table::render(answer.data)?,
    };
    for note in answer.warnings.iter().chain(&answer.infos) {
        say(note);
    }
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.trim_end().as_bytes())
        .and_then(|()| out.write_all(b"\n"));
    match written.and_then(|()| out.flush()) {
        // `barograph promql ... | head`
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(PromqlFailure::Write(source)),
        Ok(()) => Ok(()),
    }
}

fn request(args: &PromqlArgs, now_ms: i64) -> Result<Request, PromqlFailure> {
    let instant = |flag, text: &str| {
        parse_instant(text).map_err(|_| PromqlFailure::Instant {
            flag,
            text: text.to_owned(),
        })
    };
    let seconds = |ms: i64| format!("{}", ms as f64 / 1e3);
    let mut parameters = vec![("query", args.query.clone())];
    let Some(start) = &args.start else {
        if let Some(time) = &args.time {
            parameters.push(("time", seconds(instant("--time", time)?)));
        }
        return Ok(("/api/v1/query", parameters));
    };
    let start = instant("--start", start)?;
    let end = match &args.end {
        Some(end) => instant("--end", end)?,
        None => now_ms,
    };
    if end < start {
        return Err(PromqlFailure::Backwards);
    }
    let step_ms = match &args.step {
        Some(text) => match parse_duration_ns(text).map(|ns| ns / 1_000_000) {
            Ok(ms) if ms > 0 => ms,
            _ => return Err(PromqlFailure::Step { text: text.clone() }),
        },
        // Whole seconds, at least one.
        None => (end.saturating_sub(start) / STEPS / 1000)
            .max(1)
            .saturating_mul(1000),
    };
    parameters.extend([
        ("start", seconds(start)),
        ("end", seconds(end)),
        ("step", seconds(step_ms)),
    ]);
    Ok(("/api/v1/query_range", parameters))
}

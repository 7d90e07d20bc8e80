//! `barograph alerts watch`: the gRPC subscription in a terminal.
//!
//! Invariants:
//! - the cursor moves on only after what it stands behind has been printed, so that nothing is left out when the
//!   connection breaks, and nothing is printed twice;
//! - answers go to stdout, one line each; connections, and where to resume, to stderr;
//! - what the server sends is text for a terminal: control characters are taken out.

mod line;

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use barograph_proto::v1;
use barograph_proto::v1::alerts_client::AlertsClient;
use barograph_proto::v1::subscribe_response::Message;
use clap::{Args, ValueEnum};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

/// The server is asked to say something at least this often.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A server that is silent for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The wait before the first reconnection; it doubles up to the longest, and is back after the first message.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Arguments of `barograph alerts watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// The server's gRPC address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7118")]
    pub url: String,
    /// Go on after the event with this cursor, as printed beside it; "beginning" starts with the oldest event
    #[arg(long, value_name = "C")]
    pub cursor: Option<String>,
    /// Only what passes, such as severity=~"P0|P1",kind=firing,label.service=orders
    #[arg(long, value_name = "EXPR", default_value = "")]
    pub filter: String,
    /// How lines look
    #[arg(long, value_enum, default_value_t = WatchFormat::Text)]
    pub format: WatchFormat,
}

/// How a message becomes a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WatchFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Prints the active alerts (without `--cursor`), then each event, until Ctrl-C or until nobody reads stdout.
///
/// # Errors
/// A URL that is none, and what the server refuses: a cursor or filter that does not parse. A server that cannot
/// be reached is no error: it is tried again.
pub async fn run(args: WatchArgs) -> anyhow::Result<()> {
    let mut watcher = Watcher::new(&args, |line| {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{line}")?;
        stdout.flush()
    });
    let ended = tokio::select! {
        ended = watcher.follow() => ended,
        interrupt = tokio::signal::ctrl_c() => interrupt.context("cannot receive Ctrl-C"),
    };
    if !watcher.cursor.is_empty() {
        super::say(&format!("go on from here with --cursor {}", watcher.cursor));
    }
    ended
}

/// A subscription over all its connections.
struct Watcher<'a, P> {
    args: &'a WatchArgs,
    /// After what has been printed.
    cursor: String,
    wants_snapshot: bool,
    print: P,
    wait: Duration,
}

impl<'a, P: FnMut(&str) -> io::Result<()>> Watcher<'a, P> {
    fn new(args: &'a WatchArgs, print: P) -> Self {
        let cursor = args.cursor.clone().unwrap_or_default();
        Self {
            args,
            cursor,
            wants_snapshot: args.cursor.is_none(),
            print,
            wait: FIRST_WAIT,
        }
    }

    /// Connects again and again. `Ok` when nobody reads what is printed any more.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let url = &self.args.url;
        let endpoint = Endpoint::from_shared(url.clone())
            .ok()
            .filter(|endpoint| endpoint.uri().scheme_str() == Some("http"))
            .with_context(|| {
                format!("--url {url:?} is not the address of a server (try \"http://127.0.0.1:7118\")")
            })?
            .connect_timeout(CONNECT_TIMEOUT);
        loop {
            let lost = match self.connect(&endpoint).await {
                Ok(mut stream) => match self.read(&mut stream).await {
                    Ok(lost) => lost,
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                    Err(error) => return Err(error).context("cannot write to stdout"),
                },
                Err(status) => status,
            };
            if lost.code() == Code::InvalidArgument || lost.code() == Code::Unimplemented {
                bail!("{url}: {}", lost.message());
            }
            super::say(&format!(
                "{url}: {}; trying again in {:?}",
                reason(&lost),
                self.wait
            ));
            tokio::time::sleep(self.wait).await;
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Streaming<v1::SubscribeResponse>, Status> {
        let channel: Channel = endpoint
            .connect()
            .await
            .map_err(|error| Status::from_error(error.into()))?;
        let request = v1::SubscribeRequest {
            cursor: self.cursor.clone(),
            snapshot: self.wants_snapshot,
            filter: self.args.filter.clone(),
            heartbeat_interval_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap_or(0),
        };
        Ok(AlertsClient::new(channel).subscribe(request).await?.into_inner())
    }

    /// Prints what comes until the connection is lost, and gives why. `Err` when printing fails.
    async fn read(&mut self, stream: &mut Streaming<v1::SubscribeResponse>) -> io::Result<Status> {
        loop {
            let next = tokio::time::timeout(SILENCE_MAX, stream.message()).await;
            let message = match next {
                Ok(Ok(Some(response))) => response.message,
                Ok(Ok(None)) => return Ok(Status::unavailable("the server ended the stream")),
                Ok(Err(status)) => return Ok(status),
                Err(_) => {
                    return Ok(Status::unavailable(format!(
                        "the server was silent for {SILENCE_MAX:?}"
                    )));
                }
            };
            self.wait = FIRST_WAIT;
            if let Some(message) = message {
                self.take(&message)?;
            }
        }
    }

    fn take(&mut self, message: &Message) -> io::Result<()> {
        for line in line::lines(message, self.args.format) {
            (self.print)(&line)?;
        }
        let cursor = match message {
            // A part of a snapshot is not a place to resume: a new connection asks for the whole again.
            Message::Snapshot(snapshot) if snapshot.more => return Ok(()),
            Message::Snapshot(snapshot) => {
                self.wants_snapshot = false;
                &snapshot.cursor
            }
            Message::Event(event) => &event.cursor,
            Message::Heartbeat(heartbeat) => &heartbeat.cursor,
            Message::Gap(gap) => &gap.cursor,
        };
        self.cursor.clone_from(cursor);
        Ok(())
    }
}

/// A status with what is behind it; tonic's own text for a refused connection is "transport error".
fn reason(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    line::printable(&text)
}

#[cfg(test)]
mod tests;

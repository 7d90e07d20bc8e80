//! `barograph import`: what Prometheus has kept, or what an OpenMetrics text says, into Barograph.
//!
//! Samples are read and written batch by batch, a few batches at once, so that memory is bounded. An import that was
//! interrupted goes on where it was; at the end the target is asked how many samples of each metric it holds.

mod batch;
mod dump;
mod error;
mod labels;
mod line;
mod openmetrics;
mod parity;
mod promtool;
mod remote_read;
mod state;
mod tally;
mod target;
mod text;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use barograph_model::{Clock, SystemClock, parse_duration_ms};
use barograph_query::parse_selector;
use clap::{ArgGroup, Args};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

pub use error::ImportFailure;
pub use remote_read::read_answer;
pub use text::{Format, TextSeries, read_text};

use self::batch::Position;
use self::promtool::BlockDump;
use self::remote_read::RemoteRead;
use self::state::Progress;
use self::target::{Server, Store, Target};
use self::text::{Input, Text};
use super::detect::instant::parse_instant_ms;
use super::sql::{DEFAULT_URL, Source as SqlSource};

/// Batches that are read ahead, and that are being written at once.
const BATCHES: usize = 4;

/// How often the state is written.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Differences that are told one by one.
const TOLD_MAX: usize = 20;

/// Arguments of `barograph import`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("source").required(true))]
pub struct ImportArgs {
    /// An OpenMetrics text with timestamps; - is stdin
    #[arg(long, value_name = "FILE", group = "source")]
    pub openmetrics: Option<PathBuf>,
    /// The text of `promtool tsdb dump`; - is stdin
    #[arg(long, value_name = "FILE", group = "source")]
    pub tsdb_dump: Option<PathBuf>,
    /// A folder with blocks of Prometheus, or one block; promtool reads it
    #[arg(long, value_name = "DIR", group = "source")]
    pub block_dir: Option<PathBuf>,
    /// A running Prometheus, over remote read
    #[arg(
        long,
        value_name = "URL",
        group = "source",
        requires = "from",
        requires = "to"
    )]
    pub remote_read: Option<String>,
    /// The first instant of a remote read: RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "TIME", requires = "remote_read", value_parser = instant)]
    pub from: Option<i64>,
    /// The last instant of a remote read
    #[arg(long, value_name = "TIME", requires = "remote_read", value_parser = instant)]
    pub to: Option<i64>,
    /// The series of a remote read
    #[arg(
        long,
        value_name = "SELECTOR",
        requires = "remote_read",
        default_value = "{__name__=~\".+\"}"
    )]
    pub selector: String,
    /// The time that one request of a remote read asks for
    #[arg(long = "window", value_name = "DURATION", requires = "remote_read", default_value = "15m", value_parser = window_ms)]
    pub window_ms: i64,
    /// The server to write to
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL, conflicts_with = "data_dir")]
    pub url: String,
    /// Write into this data directory; no server may have it open
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Leave out lines that cannot be read, and count them
    #[arg(long)]
    pub skip_bad: bool,
    /// Samples that the target holds beyond those that were read are no mismatch
    #[arg(long)]
    pub allow_more: bool,
    /// Where it is kept how far the import has come [default: FILE.barograph-import beside a file or folder]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// The promtool that reads blocks
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "promtool",
        requires = "block_dir"
    )]
    pub promtool: OsString,
}

fn instant(text: &str) -> Result<i64, String> {
    parse_instant_ms(text).map_err(|what| format!("{text:?} {what}"))
}

fn window_ms(text: &str) -> Result<i64, String> {
    match parse_duration_ms(text) {
        Ok(ms) if ms > 0 => Ok(ms),
        Ok(_) => Err("it must be longer than 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// What is read.
#[derive(Debug)]
enum Source {
    Text(Text),
    RemoteRead(RemoteRead),
}

impl Source {
    fn of(args: &ImportArgs) -> Result<Self, ImportFailure> {
        if let (Some(url), Some(from_ms), Some(to_ms)) = (&args.remote_read, args.from, args.to) {
            if to_ms < from_ms {
                return Err(ImportFailure::Arguments("--to is before --from".to_owned()));
            }
            return Ok(Self::RemoteRead(RemoteRead {
                url: url.clone(),
                matchers: parse_selector(&args.selector)?,
                from_ms,
                to_ms,
                window_ms: args.window_ms,
                skips_bad: args.skip_bad,
            }));
        }
        let file = |path: &Path| match path.as_os_str() == "-" {
            true => Input::Stdin,
            false => Input::File(path.to_owned()),
        };
        let (input, format) = match (&args.openmetrics, &args.tsdb_dump, &args.block_dir) {
            (Some(path), _, _) => (file(path), Format::OpenMetrics),
            (_, Some(path), _) => (file(path), Format::Dump),
            (_, _, dir) => {
                let blocks = BlockDump {
                    dir: dir.clone().unwrap_or_default(),
                    program: args.promtool.clone(),
                };
                (Input::Blocks(blocks), Format::Dump)
            }
        };
        Ok(Self::Text(Text {
            input,
            format,
            skips_bad: args.skip_bad,
        }))
    }

    /// What tells it from other sources, also from the same file with another content.
    fn identity(&self, selector: &str) -> Result<String, ImportFailure> {
        Ok(match self {
            Self::RemoteRead(read) => {
                format!(
                    "{} from {} to {} {selector}",
                    read.endpoint(),
                    read.from_ms,
                    read.to_ms
                )
            }
            Self::Text(text) => match &text.input {
                Input::Stdin => "stdin".to_owned(),
                Input::File(path) => {
                    let metadata = std::fs::metadata(path).map_err(ImportFailure::io("open", path))?;
                    let modified = metadata
                        .modified()
                        .ok()
                        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
                    format!(
                        "{} of {} bytes, written {}",
                        whole(path).display(),
                        metadata.len(),
                        modified.unwrap_or_default().as_millis()
                    )
                }
                Input::Blocks(blocks) => {
                    format!(
                        "{} with {}",
                        whole(&blocks.dir).display(),
                        blocks.blocks()?.join(" ")
                    )
                }
            },
        })
    }

    /// The state file that is used where none is named.
    fn default_state(&self) -> Option<PathBuf> {
        match self {
            Self::Text(text) => match &text.input {
                Input::File(path) => Some(state::beside(path)),
                Input::Blocks(blocks) => Some(state::beside(&blocks.dir)),
                Input::Stdin => None,
            },
            Self::RemoteRead(_) => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Text(text) => text.name(),
            Self::RemoteRead(read) => read.endpoint(),
        }
    }

    /// A bar where the end is known, else a spinner that counts; offsets are measured from the second value.
    fn bar(&self) -> (ProgressBar, i64) {
        let (len, start) = match self {
            Self::RemoteRead(read) => (Some((read.to_ms - read.from_ms).unsigned_abs() + 1), read.from_ms),
            Self::Text(text) => match &text.input {
                Input::File(path) => (std::fs::metadata(path).ok().map(|metadata| metadata.len()), 0),
                _ => (None, 0),
            },
        };
        let (bar, template) = match len {
            Some(len) => (
                ProgressBar::new(len),
                "  import {bar:32} {percent:>3} %  {msg} samples  {eta} left",
            ),
            None => (
                ProgressBar::new_spinner(),
                "  import {spinner} {msg} samples in {elapsed}",
            ),
        };
        // The templates above are right; a broken one would only cost its looks.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        (bar, start)
    }

    /// Starts reading.
    fn start(self, from: Position) -> mpsc::Receiver<Result<batch::Batch, ImportFailure>> {
        let (sender, receiver) = mpsc::channel(BATCHES);
        match self {
            Self::Text(text) => {
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = text.read(from, &sender) {
                        let _ = sender.blocking_send(Err(error));
                    }
                });
            }
            Self::RemoteRead(read) => {
                tokio::spawn(async move {
                    if let Err(error) = read.read(from, &sender).await {
                        let _ = sender.send(Err(error)).await;
                    }
                });
            }
        }
        receiver
    }
}

/// A path by which a file is found from everywhere; as it is where that cannot be said.
fn whole(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Imports; gives the closing report.
///
/// # Errors
/// [`ImportFailure`]; what is durable in the target stays there, and the same command goes on behind it.
pub async fn run(args: ImportArgs) -> Result<Vec<String>, ImportFailure> {
    let source = Source::of(&args)?;
    let name = source.name();
    let (target, target_name) = open_target(&args).await?;
    let state_path = args.state.clone().or_else(|| source.default_state());
    let mut progress = Progress::open(state_path, source.identity(&args.selector)?, target_name)?;
    if progress.is_resumed() {
        super::say(&format!(
            "going on with the import of {name} after {} samples",
            progress.state.tally.samples
        ));
    }
    write_all(source, &target, &mut progress).await?;
    target.finish().await?;
    let data_dir = match target {
        Target::Store(store) => Some(store.data_dir.clone()),
        Target::Server(_) => None,
    };
    let asked = SqlSource::of(&args.url, data_dir.as_deref())?;
    let tally = &progress.state.tally;
    let differences = parity::differences(&asked, tally, args.allow_more).await?;
    let report = vec![
        format!(
            "read {} samples of {} metrics from {name}{}",
            tally.samples,
            tally.metrics.len(),
            left_out(tally)
        ),
        format!("written {} samples", tally.samples),
    ];
    if differences.is_empty() {
        progress.finish();
        let parity = format!(
            "parity: the target holds the {} samples of each of the {} metrics",
            tally.distinct(),
            tally.metrics.len()
        );
        return Ok(report.into_iter().chain([parity]).collect());
    }
    report.iter().for_each(|line| super::say(line));
    for difference in differences.iter().take(TOLD_MAX) {
        super::say(&difference.told());
    }
    Err(ImportFailure::Mismatch {
        metrics: differences.len(),
    })
}

/// Duplicates and what was left out, in brackets; nothing where there is none.
fn left_out(tally: &tally::Tally) -> String {
    let parts: Vec<String> = [
        (tally.duplicates, "duplicates"),
        (tally.bad, "bad lines left out"),
        (tally.exemplars, "exemplars left out"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(" ({})", parts.join(", ")),
    }
}

async fn open_target(args: &ImportArgs) -> Result<(Target, String), ImportFailure> {
    match args.data_dir.clone() {
        Some(data_dir) => {
            let name = data_dir.display().to_string();
            let opening = tokio::task::spawn_blocking(move || Store::open(&data_dir)).await;
            let store = opening.unwrap_or(Err(ImportFailure::Thread))?;
            Ok((Target::Store(store), name))
        }
        None => Ok((Target::Server(Server::new(&args.url)?), args.url.clone())),
    }
}

/// Writes everything behind the state's position, and keeps the state.
async fn write_all(source: Source, target: &Target, progress: &mut Progress) -> Result<(), ImportFailure> {
    let clock = SystemClock::new();
    let (bar, start) = source.bar();
    let batches = ReceiverStream::new(source.start(progress.state.position));
    let mut written = batches
        .map(|batch| async move {
            let batch = Arc::new(batch?);
            target.write(&batch).await?;
            Ok::<_, ImportFailure>(batch)
        })
        // In order, so that a position is never ahead of what is written.
        .buffered(BATCHES);
    let mut part = tally::Tally::default();
    let mut saved_ns = clock.monotonic_ns();
    let mut result = Ok(());
    while let Some(batch) = written.next().await {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                result = Err(error);
                break;
            }
        };
        // A part counts when it is there as a whole, since it is read again as a whole.
        part.add(&batch.tally);
        let Some(end) = batch.end else { continue };
        progress.state.tally.add(&std::mem::take(&mut part));
        progress.state.position = end;
        bar.set_position((end.offset - start).max(0).unsigned_abs());
        bar.set_message(progress.state.tally.samples.to_string());
        let now_ns = clock.monotonic_ns();
        if now_ns.saturating_sub(saved_ns) >= SAVE_EVERY.as_nanos() as u64 {
            progress.save()?;
            saved_ns = now_ns;
        }
    }
    bar.finish_and_clear();
    progress.save()?;
    result
}

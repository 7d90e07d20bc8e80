//! `barograph sql`: asks a running server, or a data directory without one, and prints the answer.
//!
//! With SQL on the command line or on stdin, statements run one after the other and the first error ends the
//! program. Without either, on a terminal, a prompt opens (see [`super::repl`]).

mod error;
mod local;
mod remote;
mod render;
mod source;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};

pub use error::SqlFailure;
pub(super) use render::Rendered;
pub(in crate::cli) use source::Source;

use super::repl;
use super::repl::statement;

/// The address of a server on this machine with the default configuration.
pub const DEFAULT_URL: &str = "http://127.0.0.1:7117";

/// Arguments of `barograph sql`.
#[derive(Debug, Clone, Args)]
pub struct SqlArgs {
    /// The query, or several with ";" between them; read from stdin, or from a prompt, when it is not given
    #[arg(value_name = "SQL")]
    pub query: Option<String>,
    /// The server to ask
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL, conflicts_with = "data_dir")]
    pub url: String,
    /// Read this data directory without a server; it must not be in use by one
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub format: OutputFormat,
    /// Write the answer to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Columns aligned, for reading.
    Table,
    /// RFC 4180 with a header line.
    Csv,
    /// `{"columns":[{"name","type"}],"rows":[[...]]}`.
    Json,
    /// A Parquet file.
    Parquet,
}

impl OutputFormat {
    /// The name by which it is chosen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }
}

/// Runs the command on a runtime of its own.
///
/// # Errors
/// [`SqlFailure`]: what the server or the store said, with its hint.
pub fn run(args: &SqlArgs) -> Result<(), SqlFailure> {
    let runtime = runtime()?;
    let text = match &args.query {
        Some(query) => query.clone(),
        None if io::stdin().is_terminal() => {
            let source = Source::of(&args.url, args.data_dir.as_deref())?;
            return repl::run(&runtime, &source, args.format);
        }
        None => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .map_err(SqlFailure::io("read", Path::new("stdin")))?;
            text
        }
    };
    let statements = statement::split(&text).statements();
    match (statements.len(), args.format) {
        (0, _) => return Err(SqlFailure::NoStatement),
        (2.., OutputFormat::Parquet) => {
            return Err(SqlFailure::OneStatement {
                what: "--format parquet",
            });
        }
        (2.., _) if args.output.is_some() => return Err(SqlFailure::OneStatement { what: "--output" }),
        _ => {}
    }
    if args.format == OutputFormat::Parquet && args.output.is_none() && io::stdout().is_terminal() {
        return Err(SqlFailure::ParquetToTerminal);
    }
    let source = Source::of(&args.url, args.data_dir.as_deref())?;
    for query in statements {
        runtime.block_on(answer(&source, &query, args.format, args.output.as_deref()))?;
    }
    Ok(())
}

/// What the commands that ask with SQL run on.
pub(super) fn runtime() -> Result<Runtime, SqlFailure> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| SqlFailure::Threads { source })
}

/// Runs one query and writes its answer. A file is created once the query is known to run, and removed again
/// when the answer breaks off.
async fn answer(
    source: &Source,
    query: &str,
    format: OutputFormat,
    output: Option<&Path>,
) -> Result<(), SqlFailure> {
    let mut rendered = Rendered::start(source, query, format).await?;
    let Some(path) = output else {
        let mut out = BufWriter::new(io::stdout());
        return rendered.write_to(&mut out).await.map(drop);
    };
    let file = File::create(path).map_err(SqlFailure::io("create", path))?;
    let result = write_file(&mut rendered, file).await;
    if result.is_err() && path.is_file() {
        // The error that matters is the first one; a left-over file is only untidy.
        let _ = std::fs::remove_file(path);
    }
    result
}

async fn write_file(rendered: &mut Rendered, file: File) -> Result<(), SqlFailure> {
    let mut out = BufWriter::new(file);
    rendered.write_to(&mut out).await?;
    out.flush().map_err(|source| SqlFailure::Write { source })
}

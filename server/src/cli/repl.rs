//! The prompt of `barograph sql`: history, completion, statements over several lines, and a few commands.
//!
//! What is typed is decided by pure functions ([`statement`], [`complete`], [`command`]); this file only joins
//! them to the terminal.

mod catalog;
mod command;
mod complete;
pub(super) mod statement;
#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use barograph_model::{Clock, SystemClock};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use tokio::runtime::Runtime;

use super::sql::{OutputFormat, Rendered, Source, SqlFailure};
use catalog::Catalog;
use command::Command;

const HISTORY_LINES: usize = 10_000;

/// Reads and runs statements until the user leaves.
pub(super) fn run(runtime: &Runtime, source: &Source, format: OutputFormat) -> Result<(), SqlFailure> {
    let prompt = |source| SqlFailure::Prompt { source };
    // Asked before the first prompt, so that a server that cannot be reached is known at once.
    let catalog = runtime.block_on(Catalog::read(source))?;
    say(&format!(
        "{} tables. \\? for help, \\q to leave.",
        catalog.tables.len()
    ));
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY_LINES)
        .and_then(|builder| builder.history_ignore_dups(true))
        .map_err(prompt)?
        .history_ignore_space(true)
        .build();
    let mut editor: Editor<Prompt, FileHistory> = Editor::with_config(config).map_err(prompt)?;
    editor.set_helper(Some(Prompt { catalog }));
    let history = history_file();
    if let Some(file) = &history {
        // The first session has no history yet.
        let _ = editor.load_history(file);
    }
    let format = if format == OutputFormat::Parquet {
        OutputFormat::Table
    } else {
        format
    };
    let mut session = Session {
        runtime,
        source,
        format,
        timing: false,
        clock: SystemClock::new(),
    };
    loop {
        match editor.readline("barograph> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                editor.add_history_entry(line.trim_end()).map_err(prompt)?;
                if !session.take(&line, &mut editor) {
                    break;
                }
            }
            // Ctrl-C at the prompt drops the line, as in a shell.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(prompt(error)),
        }
    }
    if let Some(file) = &history
        && let Err(error) = save(&mut editor, file)
    {
        say(&format!("the history was not kept: {}: {error}", file.display()));
    }
    Ok(())
}

fn save(editor: &mut Editor<Prompt, FileHistory>, file: &PathBuf) -> rustyline::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    editor.save_history(file)
}

/// `$XDG_STATE_HOME/barograph/sql_history`, or below `~/.local/state`; `None` without a home.
fn history_file() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("barograph/sql_history"))
}

/// What the prompt remembers from line to line.
struct Session<'a> {
    runtime: &'a Runtime,
    source: &'a Source,
    format: OutputFormat,
    timing: bool,
    clock: SystemClock,
}

impl Session<'_> {
    /// Acts on what was entered; false ends the session.
    fn take(&mut self, line: &str, editor: &mut Editor<Prompt, FileHistory>) -> bool {
        match command::parse(line) {
            Ok(None) => {
                for query in statement::split(line).statements() {
                    if !self.show(&query, self.format) {
                        break;
                    }
                }
            }
            Ok(Some(Command::Quit)) => return false,
            Ok(Some(Command::Help)) => say(command::HELP),
            Ok(Some(Command::Timing)) => {
                self.timing = !self.timing;
                say(if self.timing {
                    "timing is on"
                } else {
                    "timing is off"
                });
            }
            Ok(Some(Command::Format(format))) => {
                self.format = format;
                say(&format!("answers are written as {}", format.name()));
            }
            Ok(Some(Command::Tables)) => {
                self.refresh(editor);
                self.show(catalog::TABLES_QUERY, OutputFormat::Table);
            }
            Ok(Some(Command::Columns(table))) => {
                self.show(&catalog::columns_query(&table), OutputFormat::Table);
            }
            Err(message) => say(&message),
        }
        true
    }

    /// Runs a query and prints its answer or its error; Ctrl-C cancels it. True when it succeeded.
    fn show(&self, query: &str, format: OutputFormat) -> bool {
        let begun_ns = self.clock.monotonic_ns();
        let result = self.runtime.block_on(async {
            let print = async {
                let mut rendered = Rendered::start(self.source, query, format).await?;
                rendered.write_to(&mut BufWriter::new(io::stdout())).await
            };
            tokio::select! {
                result = print => result,
                _ = tokio::signal::ctrl_c() => Err(SqlFailure::Cancelled),
            }
        });
        if self.timing {
            let ms = (self.clock.monotonic_ns() - begun_ns) as f64 / 1e6;
            say(&format!("{ms:.1} ms"));
        }
        match result {
            Ok(()) => true,
            Err(error) => {
                say(&format!("{error}"));
                false
            }
        }
    }

    /// Reads the names for completion anew; on failure the old ones serve on, and the query that follows tells.
    fn refresh(&self, editor: &mut Editor<Prompt, FileHistory>) {
        if let (Ok(catalog), Some(helper)) = (
            self.runtime.block_on(Catalog::read(self.source)),
            editor.helper_mut(),
        ) {
            helper.catalog = catalog;
        }
    }
}

/// Prints a line that is no answer. Nobody is left to tell when the terminal is gone.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Completion and the rule for when a statement is complete, as the line editor asks for them.
struct Prompt {
    catalog: Catalog,
}

impl Completer for Prompt {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = complete::complete(line, pos, &self.catalog);
        Ok((
            start,
            words
                .into_iter()
                .map(|word| Pair {
                    display: word.clone(),
                    replacement: word,
                })
                .collect(),
        ))
    }
}

impl Validator for Prompt {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match statement::is_complete(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Prompt {
    type Hint = String;
}

impl Highlighter for Prompt {}

impl Helper for Prompt {}

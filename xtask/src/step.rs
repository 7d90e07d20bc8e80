//! One step of a longer run: a command with a name, timed, that stops the run when it fails.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A command that ended with another code than 0.
#[derive(Debug)]
pub(crate) struct StepFailed {
    name: String,
    command: String,
    code: Option<i32>,
}

impl StepFailed {
    /// What this program should exit with: the command's own code, 1 where it has none (killed by a signal).
    pub(crate) fn exit_code(&self) -> u8 {
        self.code
            .and_then(|code| u8::try_from(code).ok())
            .filter(|code| *code != 0)
            .unwrap_or(1)
    }
}

impl fmt::Display for StepFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {:?} failed: `{}` ", self.name, self.command)?;
        match self.code {
            Some(code) => write!(
                f,
                "exited with {code}; its output is above, run it alone to repeat it"
            ),
            None => write!(f, "was killed by a signal"),
        }
    }
}

impl std::error::Error for StepFailed {}

/// Which stream of a command is read line by line while it passes through to the terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Watched {
    Stdout,
    Stderr,
}

/// The steps of one run and the time each took.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// Runs something and notes its time.
    pub(crate) fn time<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n==> {name}");
        let start = now();
        let result = work();
        let took = start.elapsed();
        println!("<== {name}: {:.1} s", took.as_secs_f64());
        self.done.push((name.to_owned(), took));
        result
    }

    /// Runs a command with its output on the terminal.
    pub(crate) fn run(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.time(name, || run(name, command))
    }

    /// Prints the time of each step, and the sum.
    pub(crate) fn print_times(&self) {
        println!("\ntime a step took:");
        for (name, took) in &self.done {
            println!("{:>9.1} s  {name}", took.as_secs_f64());
        }
        let all: Duration = self.done.iter().map(|(_, took)| *took).sum();
        println!("{:>9.1} s  all", all.as_secs_f64());
    }
}

/// Runs a command with its output on the terminal.
///
/// # Errors
/// [`StepFailed`] when it exits with another code than 0.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<()> {
    let shown = show(command);
    println!("$ {shown}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{shown}`: is it installed?"))?;
    if status.success() {
        return Ok(());
    }
    Err(StepFailed {
        name: name.to_owned(),
        command: shown,
        code: status.code(),
    }
    .into())
}

/// Runs a command with its output on the terminal, and gives each line of one stream to `line` as well. The
/// outcome is returned and not raised, because the caller has something to say about it first.
pub(crate) fn run_watched(
    name: &str,
    command: &mut Command,
    watched: Watched,
    mut line: impl FnMut(&str),
) -> Result<Result<(), StepFailed>> {
    let shown = show(command);
    println!("$ {shown}");
    match watched {
        Watched::Stdout => command.stdout(Stdio::piped()),
        Watched::Stderr => command.stderr(Stdio::piped()),
    };
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{shown}`: is it installed?"))?;
    let stream: Option<Box<dyn std::io::Read>> = match watched {
        Watched::Stdout => child.stdout.take().map(|s| Box::new(s) as _),
        Watched::Stderr => child.stderr.take().map(|s| Box::new(s) as _),
    };
    for bytes in stream
        .into_iter()
        .flat_map(|stream| BufReader::new(stream).split(b'\n'))
    {
        let bytes = bytes.with_context(|| format!("cannot read the output of `{shown}`"))?;
        let text = String::from_utf8_lossy(&bytes);
        match watched {
            Watched::Stdout => println!("{text}"),
            Watched::Stderr => eprintln!("{text}"),
        }
        line(&text);
    }
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for `{shown}`"))?;
    Ok(match status.success() {
        true => Ok(()),
        false => Err(StepFailed {
            name: name.to_owned(),
            command: shown,
            code: status.code(),
        }),
    })
}

/// The cargo that runs this program, in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(crate::workspace::root());
    command
}

#[allow(
    clippy::disallowed_methods,
    reason = "measures the project's own steps; no product code runs here"
)]
fn now() -> Instant {
    Instant::now()
}

fn show(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut shown = program
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

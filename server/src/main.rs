//! The barograph program: reads the command line and runs what it asks for.

use std::process::ExitCode;

use anyhow::Context;
use barograph::cli::{self, AlertsCommand, Command};
use barograph::{demo, logging, serve};

/// Ingest frees on other threads than it allocates on; this allocator does not mind.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(code) => return code,
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::say(&cli::told(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => {
            logging::init("info")?;
            runtime()?.block_on(serve::run(&args))
        }
        Command::Demo(args) => {
            logging::init("warn")?;
            runtime()?.block_on(demo::run(&args, cli::print))
        }
        Command::Alerts(args) => match args.command {
            AlertsCommand::Watch(args) => runtime()?.block_on(cli::alerts_watch::run(args)),
        },
        Command::Sql(args) => match cli::sql::run(&args) {
            Err(error) if error.is_broken_pipe() => Ok(()),
            result => Ok(result?),
        },
        Command::Promql(args) => Ok(cli::promql::run(&args)?),
        Command::Detect(args) => {
            for note in cli::detect::run(&args)? {
                cli::say(&note);
            }
            Ok(())
        }
        Command::Inspect(args) => {
            cli::print(&cli::inspect::run(&args)?);
            Ok(())
        }
        Command::Backup(args) => {
            logging::init("warn")?;
            let report = runtime()?.block_on(cli::backup::run(args))?;
            report.iter().for_each(|line| cli::print(line));
            Ok(())
        }
        Command::Restore(args) => {
            logging::init("warn")?;
            let report = runtime()?.block_on(cli::backup::restore(args))?;
            report.iter().for_each(|line| cli::print(line));
            Ok(())
        }
        Command::Import(args) => {
            logging::init("warn")?;
            let report = runtime()?.block_on(cli::import::run(args))?;
            report.iter().for_each(|line| cli::print(line));
            Ok(())
        }
        Command::Check(args) => {
            let checked = cli::check::run(&args)?;
            checked.notes.iter().for_each(|note| cli::say(note));
            checked.passed.iter().for_each(|line| cli::print(line));
            Ok(())
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("barograph-io")
        .build()
        .context("cannot start the I/O threads")
}

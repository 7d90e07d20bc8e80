//! The barograph program: reads the command line and runs what it asks for.

use std::process::ExitCode;

use barograph::cli::{self, Command};

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(code) => return code,
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Sql(args) => match cli::sql::run(&args) {
            Err(error) if error.is_broken_pipe() => Ok(()),
            result => Ok(result?),
        },
        Command::Detect(args) => {
            for note in cli::detect::run(&args)? {
                cli::say(&note);
            }
            Ok(())
        }
        Command::Check(args) => {
            for line in cli::check::run(&args)? {
                cli::say(&line);
            }
            Ok(())
        }
        Command::Serve(_) | Command::Demo(_) | Command::Alerts(_) => {
            anyhow::bail!("this command is not joined yet")
        }
    }
}

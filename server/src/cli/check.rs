//! `barograph check`: finds what is wrong with a configuration, with rule files or with a store, without running
//! anything.

pub mod store;

use std::io;
use std::path::{Path, PathBuf};

use barograph_alerts::{Rule, RuleError, RuleQuery, RuleSet};
use clap::{Args, Subcommand};
use thiserror::Error;

use super::sql::{Source, SqlFailure};
use crate::config::{Config, ConfigError, RuleFilesError, nearest};

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
    Rules(RulesArgs),
    /// Check every byte of a data directory that no server has open
    Store(store::StoreArgs),
}

/// Arguments of `barograph check rules`.
#[derive(Debug, Clone, Args)]
pub struct RulesArgs {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Plan the SQL of the rules on this server; without it SQL is not checked
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub url: Option<String>,
    /// Plan the SQL of the rules over this data directory; it must not be in use by a server
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
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
    /// A rule file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Rules, a line each.
    #[error("{}", lines(problems))]
    Rules {
        /// What was found.
        problems: Vec<RuleError>,
    },
    /// The SQL of the rules could not be planned at all.
    #[error(transparent)]
    Sql(#[from] SqlFailure),
    /// The store could not be checked, or is damaged.
    #[error(transparent)]
    Store(#[from] store::StoreFailure),
}

fn lines(problems: &[RuleError]) -> String {
    problems
        .iter()
        .map(RuleError::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a check without errors has to say, a line each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What is right: the answer.
    pub passed: Vec<String>,
    /// What was not looked at, or may turn out wrong.
    pub notes: Vec<String>,
}

/// Checks.
///
/// # Errors
/// The problems found, with their lines; of one rule file the first.
pub fn run(args: &CheckArgs) -> Result<Checked, CheckFailure> {
    match &args.what {
        What::Config { file } => check_config(file),
        What::Rules(args) => check_rules(args),
        What::Store(args) => {
            store::run(args)?;
            Ok(Checked::default())
        }
    }
}

fn check_config(file: &Path) -> Result<Checked, CheckFailure> {
    let config = Config::load(file)?;
    let files = config.rule_files()?;
    let rules = read_rules(&files)?;
    let known: Vec<&str> = config
        .detectors
        .iter()
        .map(|detector| detector.name.as_str())
        .collect();
    let problems: Vec<RuleError> = rules
        .rules()
        .filter_map(|rule| unknown_detector(rule, &known))
        .collect();
    if !problems.is_empty() {
        return Err(CheckFailure::Rules { problems });
    }
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let parts = [
        counted(config.detectors.len(), "detector"),
        counted(config.channels.len(), "channel"),
        counted(config.routes.len(), "route"),
        counted(rules.rules().count(), "rule"),
    ];
    let passed = vec![format!("{}: ok ({})", file.display(), parts.join(", "))];
    Ok(Checked {
        passed,
        notes: Vec::new(),
    })
}

/// A rule about a detector that the configuration does not have.
fn unknown_detector(rule: &Rule, known: &[&str]) -> Option<RuleError> {
    let RuleQuery::Detector(query) = &rule.query else {
        return None;
    };
    if known.contains(&query.detector.as_str()) {
        return None;
    }
    let advice = match nearest(&query.detector, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.is_empty() => "there is no [[detector]] yet".to_owned(),
        None => format!("there are: {}", known.join(", ")),
    };
    Some(rule.error_at(
        "detector",
        format!("detector {:?} is not configured ({advice})", query.detector),
    ))
}

fn check_rules(args: &RulesArgs) -> Result<Checked, CheckFailure> {
    let rules = read_rules(&args.files)?;
    let queries: Vec<(&Rule, &str)> = rules
        .rules()
        .filter_map(|rule| Some((rule, sql_of(rule)?)))
        .collect();
    let notes = if args.url.is_some() || args.data_dir.is_some() {
        let source = Source::of(args.url.as_deref().unwrap_or_default(), args.data_dir.as_deref())?;
        plan_all(&source, &queries)?
    } else if queries.is_empty() {
        Vec::new()
    } else {
        vec![format!(
            "the SQL of {} rule(s) was not checked: give --url or --data-dir",
            queries.len()
        )]
    };
    let passed = vec![format!(
        "{} rule(s) in {} file(s): ok",
        rules.rules().count(),
        args.files.len()
    )];
    Ok(Checked { passed, notes })
}

fn sql_of(rule: &Rule) -> Option<&str> {
    match &rule.query {
        RuleQuery::Sql(sql) => Some(sql),
        RuleQuery::Detector(_) => None,
    }
}

/// Plans every query. A table or column that does not exist may still arrive, so it is only noted.
fn plan_all(source: &Source, queries: &[(&Rule, &str)]) -> Result<Vec<String>, CheckFailure> {
    let runtime = super::sql::runtime()?;
    let (mut notes, mut problems) = (Vec::new(), Vec::new());
    for (rule, query) in queries {
        let explain = format!("EXPLAIN {query}");
        match runtime.block_on(async { source.batches(&explain).await?.collect().await }) {
            Ok(_) => {}
            Err(error) if error.is_missing_name() => {
                notes.push(format!(
                    "{} (this may be right once the metric arrives)",
                    rule.error_at("sql", error.to_string())
                ));
            }
            Err(error @ SqlFailure::Query { .. }) => problems.push(rule.error_at("sql", error.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    if problems.is_empty() {
        Ok(notes)
    } else {
        Err(CheckFailure::Rules { problems })
    }
}

/// Reads all files, and reports the first problem of each.
fn read_rules(files: &[PathBuf]) -> Result<RuleSet, CheckFailure> {
    let (mut sets, mut problems) = (Vec::new(), Vec::new());
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|source| CheckFailure::Read {
            path: path.clone(),
            source,
        })?;
        match RuleSet::parse(&path.display().to_string(), &text) {
            Ok(set) => sets.push(set),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(CheckFailure::Rules { problems });
    }
    RuleSet::join(sets).map_err(|problem| CheckFailure::Rules {
        problems: vec![problem],
    })
}

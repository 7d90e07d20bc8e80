//! Rule files -> a rule set that can be evaluated: read, joined, and its queries planned.

use std::path::Path;

use barograph_alerts::{RuleError, RuleQuery, RuleSet};
use barograph_query::parse_selector;
use barograph_query::sql::SqlEngine;
use thiserror::Error;

use crate::config::{Config, RuleFilesError};

/// Why rules are refused. Rules that are loaded already stay.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The files could not be found.
    #[error(transparent)]
    Files(#[from] RuleFilesError),
    /// A file could not be read.
    #[error("cannot read the rule file {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A rule is wrong; the message has the file and the line.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// Reads all rule files of a configuration and checks every rule against the store and the detectors.
///
/// A query about a metric that is not there yet is accepted with a warning: it fails while it is missing, and says so.
///
/// # Errors
/// [`LoadError`] of the first file or rule that is wrong.
pub fn load_rules(config: &Config, sql: &SqlEngine) -> Result<RuleSet, LoadError> {
    let files = config.rule_files()?;
    let sets = files
        .iter()
        .map(|file| load_file(file))
        .collect::<Result<Vec<_>, _>>()?;
    let rules = RuleSet::join(sets)?;
    for rule in rules.rules() {
        match &rule.query {
            RuleQuery::Sql(query) => match sql.check(query) {
                Err(error) if error.is_missing_name() => {
                    tracing::warn!(group = rule.group, rule = rule.name, %error, "a rule asks for what is not there yet");
                }
                Err(error) => return Err(rule.error_at("sql", error.to_string()).into()),
                Ok(_) => {}
            },
            RuleQuery::Detector(query) => {
                let names: Vec<&str> = config.detectors.iter().map(|d| d.name.as_str()).collect();
                if !names.contains(&query.detector.as_str()) {
                    let message = match names.as_slice() {
                        [] => format!(
                            "there is no detector {:?} (the configuration has no [[detector]])",
                            query.detector
                        ),
                        names => format!(
                            "there is no detector {:?} (there are {})",
                            query.detector,
                            names.join(", ")
                        ),
                    };
                    return Err(rule.error_at("detector", message).into());
                }
                if let Some(Err(error)) = query.selector.as_deref().map(parse_selector) {
                    return Err(rule.error_at("selector", error.to_string()).into());
                }
            }
        }
    }
    Ok(rules)
}

fn load_file(file: &Path) -> Result<RuleSet, LoadError> {
    let path = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|source| LoadError::Read {
        path: path.clone(),
        source,
    })?;
    Ok(RuleSet::parse(&path, &text)?)
}

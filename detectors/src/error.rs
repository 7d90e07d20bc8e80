//! What can go wrong with a detector: its name, its parameters, its input's shape, its saved state.
//!
//! Values of the data are never an error: NaN, infinities and gaps are missing values.

use thiserror::Error;

/// Why a detector could not be built, restored or run.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum DetectorError {
    /// No detector has this name.
    #[error("detector {name:?} does not exist{}; there are: {known}", hint(.nearest))]
    UnknownDetector {
        /// The name that was asked for.
        name: String,
        /// The nearest existing name, where one is near.
        nearest: Option<String>,
        /// Every name, separated by commas.
        known: String,
    },
    /// The detector has no parameter of this key.
    #[error("detector {detector} has no parameter {key:?}{}; it takes: {known}", hint(.nearest))]
    UnknownParam {
        /// The detector that was to be built.
        detector: String,
        /// The key that was given.
        key: String,
        /// The nearest key that exists, where one is near.
        nearest: Option<String>,
        /// Every key, separated by commas.
        known: String,
    },
    /// A parameter's value cannot be used.
    #[error("parameter {key}: {value:?} is not {expected}")]
    InvalidParam {
        /// The parameter's key.
        key: String,
        /// The value that was given.
        value: String,
        /// What would have been read, with an example.
        expected: String,
    },
    /// The rows' width or distance makes no sense.
    #[error("a detector cannot run over rows of {width} values every {step_ms} ms: {reason}")]
    InvalidContext {
        /// Values in a row.
        width: usize,
        /// Nominal distance of rows.
        step_ms: i64,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A table without any column of values.
    #[error("the table has no column of values; give at least one numeric column beside the time")]
    NoColumns,
    /// The columns of a table differ in length.
    #[error("column {column:?} has {rows} rows where the first one has {expected}; all must be equally long")]
    RaggedTable {
        /// The column that differs.
        column: String,
        /// Its rows.
        rows: usize,
        /// The rows of the first column, or of the time.
        expected: usize,
    },
    /// Saved state that is not a detector's, or was damaged.
    #[error(
        "saved detector state is unusable at byte {offset}: expected {expected}, found {found}; let it learn anew"
    )]
    Corrupt {
        /// Where, in bytes from the start.
        offset: usize,
        /// What should have stood there.
        expected: String,
        /// What stood there.
        found: String,
    },
    /// Saved state of a later version of this program.
    #[error(
        "saved detector state has version {found}, this program reads up to {supported}; run the newer program or let it learn anew"
    )]
    Version {
        /// The version in the state.
        found: u16,
        /// The latest version that is read.
        supported: u16,
    },
    /// The model's equations could not be solved.
    #[error("the {detector} model could not be fitted: {reason}")]
    Fit {
        /// The detector.
        detector: &'static str,
        /// What the solver said.
        reason: String,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map(|name| format!(" (did you mean {name:?}?)"))
        .unwrap_or_default()
}

/// The candidate most like `word`, if any is like it at all.
pub(crate) fn nearest(word: &str, candidates: &[&str]) -> Option<String> {
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), candidate), *candidate))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

//! What can be wrong with a rule file, a filter, or stored state.

use thiserror::Error;

/// A rule file was refused. Displays as `file:line: message`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {message}")]
pub struct RuleError {
    /// The file as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

/// A filter was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FilterError {
    /// The text is not a list of `field operator value`.
    #[error("filter {filter:?}, character {at}: {message}")]
    Syntax {
        /// The whole filter.
        filter: String,
        /// Where, in characters from 1.
        at: usize,
        /// What is wrong and what to do.
        message: String,
    },
    /// No event has such a field.
    #[error(
        "filter field {field:?} does not exist (did you mean {nearest:?}?); fields are severity, rule, group, kind and label.NAME"
    )]
    UnknownField {
        /// The field as written.
        field: String,
        /// The nearest that exists.
        nearest: String,
    },
    /// No event is of such a kind.
    #[error("event kind {text:?} does not exist (did you mean {nearest:?}?)")]
    UnknownKind {
        /// The kind as written.
        text: String,
        /// The nearest that exists.
        nearest: String,
    },
    /// The pattern of a regular expression.
    #[error(transparent)]
    Matcher(#[from] barograph_model::MatcherError),
}

/// Stored state could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A checkpoint or transaction does not parse.
    #[error(
        "stored alert state ({what}, {bytes} bytes) is not readable: {source}; restore the data directory from a backup or move the alert journal away to start empty"
    )]
    Unreadable {
        /// `checkpoint` or `transaction`.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// Written by a newer Barograph.
    #[error(
        "the alert checkpoint has format {found}, this program reads up to {supported}: start the newer version again"
    )]
    Newer {
        /// The format it has.
        found: u32,
        /// The newest this program knows.
        supported: u32,
    },
    /// Another transaction was applied since this one was planned.
    #[error(
        "alert transaction {found} was planned on an older state, {applied} is applied already: plan it again"
    )]
    Stale {
        /// The last one applied.
        applied: u64,
        /// The one that was to be applied.
        found: u64,
    },
    /// A transaction between the state and this one is missing.
    #[error("alert transaction {found} does not follow {applied}: transactions {} to {} are missing from the journal", applied + 1, found - 1)]
    MissingTransactions {
        /// The last one applied.
        applied: u64,
        /// The one that was to be applied.
        found: u64,
    },
    /// A transaction does not fit the state it is applied to.
    #[error("alert transaction {index} does not fit the state: {message}")]
    Mismatch {
        /// Which transaction.
        index: u64,
        /// What does not fit.
        message: String,
    },
}

/// The candidate with the smallest edit distance; the first of equals. `""` where there are none.
pub(crate) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> &'a str {
    candidates
        .into_iter()
        .min_by_key(|candidate| strsim::damerau_levenshtein(text, candidate))
        .unwrap_or("")
}

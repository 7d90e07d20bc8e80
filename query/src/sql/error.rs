//! What a person or a program is told when a query is refused or fails.
//!
//! DataFusion's errors carry file positions, type dumps and requests to report bugs; [`SqlError`] carries a
//! stable code, one sentence, and where there is one, what to do.

use std::fmt;

use barograph_engine::EngineError;
use datafusion::common::{DataFusionError, SchemaError};
use serde::Serialize;

use super::suggest::nearest;

/// The kind of an error; stable, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SqlErrorCode {
    /// The text is not SQL, or is longer or deeper than the limits.
    ParseError,
    /// A table that does not exist.
    UnknownTable,
    /// A column that does not exist.
    UnknownColumn,
    /// SQL that is not offered, or types that do not go together.
    Unsupported,
    /// The query ran longer than its limit.
    Timeout,
    /// The query needed more memory than its limit.
    MemoryLimit,
    /// Something failed while rows were computed.
    Execution,
    /// A statement that would change something.
    ReadOnly,
    /// Too many queries run and wait already.
    Overloaded,
}

/// What the store said, as an error of a query.
pub(crate) fn store_error(error: EngineError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl SqlErrorCode {
    /// The code as it stands in answers: `unknown_table`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ParseError => "parse_error",
            Self::UnknownTable => "unknown_table",
            Self::UnknownColumn => "unknown_column",
            Self::Unsupported => "unsupported",
            Self::Timeout => "timeout",
            Self::MemoryLimit => "memory_limit",
            Self::Execution => "execution",
            Self::ReadOnly => "read_only",
            Self::Overloaded => "overloaded",
        }
    }

    /// Whether the one who asked can mend it by asking differently (an HTTP 4xx rather than a 5xx).
    #[must_use]
    pub fn is_callers_fault(self) -> bool {
        !matches!(
            self,
            Self::Timeout | Self::MemoryLimit | Self::Execution | Self::Overloaded
        )
    }
}

impl fmt::Display for SqlErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a query gave no answer, or only part of one. Serialises as `{"code","message","hint"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SqlError {
    /// The kind of error.
    pub code: SqlErrorCode,
    /// What is wrong and where.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SqlError {}

impl SqlError {
    pub(crate) fn new(code: SqlErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the query only names a table or column that is not there yet. A rule about a metric that has
    /// not arrived so far fails in this way.
    #[must_use]
    pub fn is_missing_name(&self) -> bool {
        matches!(
            self.code,
            SqlErrorCode::UnknownTable | SqlErrorCode::UnknownColumn
        )
    }

    /// Reads DataFusion's error.
    pub(crate) fn from_datafusion(error: &DataFusionError) -> Self {
        match error {
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Self::from_datafusion(inner)
            }
            DataFusionError::Shared(inner) => Self::from_datafusion(inner),
            DataFusionError::Collection(errors) => match errors.first() {
                Some(first) => Self::from_datafusion(first),
                None => Self::new(SqlErrorCode::Execution, "the query failed without a reason"),
            },
            DataFusionError::SQL(error, _) => from_parser(&error.to_string()),
            DataFusionError::SchemaError(error, _) => from_schema(error),
            DataFusionError::NotImplemented(text) => Self::new(SqlErrorCode::Unsupported, tidy(text)),
            DataFusionError::Plan(text) | DataFusionError::Configuration(text) => from_plan(text),
            DataFusionError::ResourcesExhausted(text) => from_resources(text),
            DataFusionError::ArrowError(error, _) => from_arrow(error),
            DataFusionError::External(error) => from_external(error.as_ref()),
            DataFusionError::Execution(text) => from_execution(text),
            DataFusionError::ExecutionJoin(error) if error.is_panic() => internal(),
            DataFusionError::Internal(text) => {
                tracing::error!(error = %text, "a query failed inside DataFusion");
                internal()
            }
            other => Self::new(SqlErrorCode::Execution, tidy(&other.strip_backtrace())),
        }
    }

    pub(crate) fn from_panic() -> Self {
        internal()
    }
}

/// For failures that are this program's own and say nothing to the one who asked.
fn internal() -> SqlError {
    SqlError::new(
        SqlErrorCode::Execution,
        "the query failed inside the query engine; the server's log has the details",
    )
    .with_hint("write the query in another way, and report this one")
}

fn from_parser(text: &str) -> SqlError {
    let text = text.trim_start_matches("sql parser error: ");
    if text.contains("recursion limit") {
        return SqlError::new(SqlErrorCode::ParseError, "the query is nested too deeply")
            .with_hint("write IN (...) instead of many ORs, and fewer brackets");
    }
    let error = SqlError::new(SqlErrorCode::ParseError, tidy(text));
    if text.contains("found: :") || text.contains("found: .") || text.contains("found: -") {
        return error.with_hint("put names with characters other than a-z, 0-9 and _ in double quotes");
    }
    error
}

fn from_schema(error: &SchemaError) -> SqlError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let message = format!("there is no column {}", field.quoted_flat_name());
            let error = SqlError::new(SqlErrorCode::UnknownColumn, message);
            let names = valid_fields.iter().map(|field| field.name.as_str());
            match nearest(&field.name, names) {
                Some(name) => error.with_hint(format!("did you mean {}?", quoted(name))),
                None if valid_fields.is_empty() => error,
                None => error.with_hint(format!(
                    "columns: {}",
                    listed(valid_fields.iter().map(|f| &f.name))
                )),
            }
        }
        SchemaError::AmbiguousReference { field } => {
            let name = quoted(&field.name);
            SqlError::new(
                SqlErrorCode::Unsupported,
                format!("column {name} is in more than one of the tables"),
            )
            .with_hint(format!("write table.{name}"))
        }
        other => SqlError::new(SqlErrorCode::Unsupported, tidy(&other.to_string())),
    }
}

/// A name as it must be written in SQL.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The first dozen names.
fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let mut names: Vec<_> = names.map(|name| quoted(name)).collect();
    names.dedup();
    let more = names.len() > 12;
    names.truncate(12);
    if more {
        format!("{}, ...", names.join(", "))
    } else {
        names.join(", ")
    }
}

/// What a function of ours said about the types of its arguments, and how it is called: DataFusion keeps only the text of
/// it, in words of its own.
fn from_coercion(text: &str) -> Option<SqlError> {
    let (_, ours) = text.split_once("user-defined coercion failed with: External error: ")?;
    let (ours, _) = ours.split_once(". No function matches").unwrap_or((ours, ""));
    let (message, hint) = ours.strip_suffix(')')?.split_once(" (")?;
    Some(SqlError::new(SqlErrorCode::Unsupported, tidy(message)).with_hint(tidy(hint)))
}

fn from_plan(text: &str) -> SqlError {
    if let Some(error) = from_coercion(text) {
        return error;
    }
    if let Some((column, _)) = text.split_once(" must appear in the GROUP BY clause")
        && let Some((_, column)) = column.rsplit_once("column ")
    {
        let message = format!(
            "column {} is neither grouped by nor inside an aggregate",
            column.replace('"', "")
        );
        return SqlError::new(SqlErrorCode::Unsupported, message)
            .with_hint("add it to GROUP BY, or write max(...) around it");
    }
    SqlError::new(SqlErrorCode::Unsupported, tidy(text))
}

fn from_resources(text: &str) -> SqlError {
    if text.contains("temporary file") || text.contains("DiskManager") {
        tracing::debug!(error = %text, "a query would have to spill");
    }
    let message = match text.strip_prefix(super::memory::REFUSAL) {
        Some(reason) => tidy(reason),
        None => "the query needs more memory than it may have".to_owned(),
    };
    SqlError::new(SqlErrorCode::MemoryLimit, message)
        .with_hint("narrow the time range or the labels, group by fewer columns, or add a LIMIT")
}

fn from_arrow(error: &arrow::error::ArrowError) -> SqlError {
    match error {
        arrow::error::ArrowError::ExternalError(inner) => from_external(inner.as_ref()),
        other => SqlError::new(SqlErrorCode::Execution, tidy(&other.to_string())),
    }
}

fn from_external(error: &(dyn std::error::Error + 'static)) -> SqlError {
    if let Some(error) = error.downcast_ref::<SqlError>() {
        error.clone()
    } else if let Some(error) = error.downcast_ref::<DataFusionError>() {
        SqlError::from_datafusion(error)
    } else if let Some(error) = error.downcast_ref::<EngineError>() {
        SqlError::new(SqlErrorCode::Execution, error.to_string())
    } else {
        SqlError::new(SqlErrorCode::Execution, tidy(&error.to_string()))
    }
}

fn from_execution(text: &str) -> SqlError {
    SqlError::new(SqlErrorCode::Execution, tidy(text))
}

/// One paragraph without DataFusion's own prefixes, traces and requests.
fn tidy(text: &str) -> String {
    let text = text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(text);
    let text = text
        .split("This issue was likely caused by a bug")
        .next()
        .unwrap_or(text);
    let mut text = text
        .split("This was likely caused by a bug")
        .next()
        .unwrap_or(text)
        .trim();
    for prefix in [
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "External error: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > 1_000 {
        let end = (0..=1_000)
            .rev()
            .find(|end| line.is_char_boundary(*end))
            .unwrap_or(0);
        line.truncate(end);
        line.push_str(" ...");
    }
    line
}

impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> Self {
        Self::External(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_nothing_of_datafusion() {
        let internal = DataFusionError::Internal(
            "something.\nThis issue was likely caused by a bug in DataFusion's code.".into(),
        );
        let error = SqlError::from_datafusion(&internal);
        assert_eq!(error.code, SqlErrorCode::Execution);
        assert!(!error.to_string().contains("bug"), "{error}");
        let text = tidy("Error during planning: a\n b\n\nbacktrace: 0: x");
        assert_eq!(text, "a b");
    }

    #[test]
    fn serialises_for_the_answer() {
        let error = SqlError::new(SqlErrorCode::UnknownTable, "m").with_hint("h");
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"code":"unknown_table","message":"m","hint":"h"}"#
        );
    }

    #[test]
    fn names_are_quoted_where_needed() {
        assert_eq!(quoted("up"), "up");
        assert_eq!(quoted("job:rate"), "\"job:rate\"");
        assert_eq!(quoted("Up\"x"), "\"Up\"\"x\"");
    }
}

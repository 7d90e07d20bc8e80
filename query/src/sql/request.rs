//! What is asked besides the text: parameters, the language's flavour, the time it may take; and what is told before
//! rows come.

use std::fmt;
use std::time::Duration;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, SchemaRef};
pub use datafusion::common::{ParamValues, ScalarValue};

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// As `docs/sql.md` has it.
    #[default]
    Generic,
    /// As PostgreSQL's clients write.
    Postgres,
}

/// A statement and how it is run.
#[derive(Debug, Clone, Default)]
pub struct SqlRequest {
    /// One statement.
    pub sql: String,
    /// How it is read.
    pub dialect: Dialect,
    /// The values of `$1`, `$2`, ...
    pub parameters: Vec<ScalarValue>,
    /// After which it is ended; the engine's own limit where that is shorter.
    pub timeout: Option<Duration>,
    /// The zone of instants that are written without one, and of what `date_trunc` and the like take for a day. UTC where
    /// there is none.
    pub time_zone: Option<String>,
}

impl SqlRequest {
    /// A statement without parameters.
    #[must_use]
    pub fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            ..Self::default()
        }
    }
}

/// What a statement would give, without running it.
#[derive(Debug, Clone)]
pub struct Described {
    /// Names and types of the columns. Those that depend on a parameter's type are told as far as it is known.
    pub schema: SchemaRef,
    /// The type of `$1`, `$2`, ... as far as it follows from where it stands.
    pub parameters: Vec<Option<DataType>>,
    /// What the statement is.
    pub tag: CommandTag,
}

/// One table or view.
#[derive(Debug, Clone)]
pub struct TableDescription {
    /// The schema it is in, of catalog [`SQL_CATALOG`](crate::sql::SQL_CATALOG).
    pub schema: String,
    /// Its name there.
    pub name: String,
    /// Whether it is a query with a name.
    pub is_view: bool,
    /// Names and types of its columns.
    pub columns: SchemaRef,
}

/// What a statement is called once it has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommandTag {
    /// Rows were read.
    #[default]
    Select,
    /// A plan is shown.
    Explain,
    /// Names or columns are shown.
    Show,
    /// A view was kept.
    CreateView,
    /// A view was forgotten.
    DropView,
    /// Rows were written to a file; the one row of the answer counts them.
    Copy,
}

impl CommandTag {
    /// Whether the statement's rows are what it is about.
    #[must_use]
    pub fn has_rows(self) -> bool {
        matches!(self, Self::Select | Self::Explain | Self::Show)
    }
}

impl fmt::Display for CommandTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Select => "SELECT",
            Self::Explain => "EXPLAIN",
            Self::Show => "SHOW",
            Self::CreateView => "CREATE VIEW",
            Self::DropView => "DROP VIEW",
            Self::Copy => "COPY",
        })
    }
}

/// Whether a text names a zone: `Europe/Berlin`, `+02:00`.
#[must_use]
pub fn is_time_zone(name: &str) -> bool {
    name.parse::<Tz>().is_ok()
}

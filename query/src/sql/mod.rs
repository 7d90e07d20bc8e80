//! SQL over the store, by DataFusion.
//!
//! Catalog `barograph` has schema `metrics` with a table per metric, `system` with tables about the program itself,
//! and schema `public`, the default, with `samples`, `series`, `anomalies` and the server's own tables; a bare name that is
//! none of these is a metric.
//! `docs/sql.md` is the reference for users.
//!
//! Invariants:
//! - a query only reads: what changes anything is refused before it is planned, but for views and for files that `COPY`
//!   creates in one folder; none opens a file;
//! - planning and running happen on threads of this module, never on the caller's;
//! - a query ends at its timeout, at its memory limit, or when its [`SqlStream`] is dropped;
//! - no text of a query can make the process fail.

mod engine;
mod error;
mod format;
mod limits;
mod postgres;
mod request;
mod stream;
mod system_table;
mod views;

mod anomalies;
mod catalog;
mod export;
mod gate;
mod labels_column;
mod lane_table;
mod memory;
mod metadata_table;
mod narrowing;
mod parameters;
mod planner;
mod samples;
mod scan_exec;
mod series_table;
mod statement;
mod suggest;
mod system_schema;
mod udf;
mod yielding;

pub use catalog::CATALOG as SQL_CATALOG;
pub use engine::{SnapshotSource, SqlEngine};
pub use error::{SqlError, SqlErrorCode};
pub use format::{Format, PlainTexts, SqlBytes, json_column, render_table};
pub use labels_column::{labels_array, labels_type};
pub use limits::SqlLimits;
pub use postgres::{SessionStatement, split_statements};
pub use request::{
    CommandTag, Described, Dialect, ParamValues, ScalarValue, SqlRequest, TableDescription, is_time_zone,
};
pub use stream::SqlStream;
pub use system_table::SystemTable;
pub use views::{VIEWS_FILE, Views};

#[cfg(test)]
mod tests;

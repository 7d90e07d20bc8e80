//! SQL for Arrow's clients: Flight SQL on the gRPC listener, for ADBC and JDBC drivers. Rows leave in the columns that they
//! were computed in.
//!
//! `arrow-flight` encodes and decodes; the queries are those of [`SqlEngine`](barograph_query::sql::SqlEngine), within its limits.
//! `docs/flight-sql.md` is the reference for users.
//!
//! Invariants:
//! - the server holds nothing between two calls: a handle is the statement itself, with the values bound to it;
//! - a query begins when its rows are fetched, and ends when the call does;
//! - nothing is written but by `CREATE VIEW`, `DROP VIEW` and `COPY`.

mod answer;
mod error;
mod guard;
mod handle;
mod metadata;
mod parameters;
mod service;
mod sql_info;
mod untrusted;

pub use handle::Handle;
pub use parameters::bound_row;
pub use service::{FlightService, flight_service};

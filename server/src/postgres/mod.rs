//! SQL for PostgreSQL's clients: psql, psycopg, Grafana's PostgreSQL data source and others that speak its protocol, version 3.
//!
//! `pgwire` encodes and decodes; what a connection may do, how long and within which limits is decided here and by
//! [`SqlEngine`](barograph_query::sql::SqlEngine), whose queries these are. `docs/postgres.md` is the reference for users.
//!
//! Invariants:
//! - a message is refused by its length before memory is taken for it, and by its shape before it is decoded;
//! - a query ends when its client cancels it, goes away, or when the program stops;
//! - nothing is written but by `CREATE VIEW`, `DROP VIEW` and `COPY`.

mod cancel;
mod connection;
mod error;
mod float_text;
mod frame_limit;
mod handlers;
mod named;
mod parameters;
mod rows;
mod serve;
mod session;
mod shape;
mod startup;
mod statement;

pub use frame_limit::FrameLimit;
pub use parameters::values as bound_values;
pub use serve::{PostgresParts, serve};

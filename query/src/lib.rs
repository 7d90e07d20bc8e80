//! Answers over the store: SQL by DataFusion, PromQL by its own evaluator.
//!
//! Invariants:
//! - nothing here writes: every statement that would is refused before it is planned;
//! - all tables of one query see one [`Snapshot`](barograph_engine::Snapshot);
//! - DataFusion's types stay inside [`sql`]; its messages never reach a person unread.

pub mod promql;
mod selector;
pub mod sql;

pub use selector::{SelectorError, parse_selector};

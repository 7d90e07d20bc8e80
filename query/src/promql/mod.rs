//! PromQL for many callers at once: a queue, threads, deadlines and records around the evaluator of
//! [`barograph_promql`].
//!
//! Invariants:
//! - a query ends at its deadline, at its limits, or when its future is dropped; its place in the queue is free only
//!   when its work has really ended;
//! - callers take turns: one who sends a hundred queries does not make another wait for all of them;
//! - every query leaves a record, whichever way it ends.

mod activity;
mod engine;
mod error;
mod limits;
mod queue;
mod record;
mod tables;
#[cfg(test)]
mod tests;

pub use activity::QueryObserver;
pub use engine::{PromqlAnswer, PromqlEngine, PromqlRequest};
pub use error::PromqlError;
pub use limits::PromqlLimits;
pub use record::{QueryRecord, QueryTimes, SelectorCost};
pub use tables::promql_tables;

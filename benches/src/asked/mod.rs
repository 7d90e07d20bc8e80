//! Queries in PromQL over HTTP, asked of Barograph and its peers about the same data in the same run.
//!
//! Invariants:
//! - everybody is asked the same queries in the same order, with nothing that it may keep answers for;
//! - what is timed is a request over a kept connection until the last byte of its answer;
//! - before a query is timed, its answer has been held against Prometheus'.

mod answer;
mod cases;
mod contest;
mod dashboards;
mod page_cache;
mod part;
mod scores;
mod stage;

pub use contest::{QueryProcedure, contest};
pub use dashboards::{DashboardProcedure, dashboards};
pub use page_cache::drop_cached;
pub use part::QueryPart;
pub use scores::{QueryScores, geometric_means};

#[cfg(test)]
mod tests;

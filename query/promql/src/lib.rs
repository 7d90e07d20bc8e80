//! PromQL as Prometheus 3 has it: the language, and an evaluator over the store's sorted runs.
//!
//! Invariants:
//! - nothing here writes, and nothing here knows of Arrow, DataFusion, tokio or HTTP;
//! - one query sees one [`Snapshot`](barograph_engine::Snapshot);
//! - every query ends: by its answer, its deadline, its cancellation or one of its limits.

pub mod syntax;

mod annotations;
mod answer;
mod error;
mod grid;
mod number;
mod query;
mod stats;

pub mod histogram;

mod meter;
mod value;

mod aggregate;
mod binary;
mod eval;
mod function;
mod range_function;

pub use annotations::Annotations;
pub use answer::{Answer, InstantSeries, Point, QueryValue, RangeSeries, SampleValue};
pub use error::QueryError;
pub use eval::evaluate;
pub use grid::{Grid, STEPS_MAX};
pub use number::float_text;
pub use query::{EvalOptions, Interrupt, LOOKBACK_MS, Query, RollupUse, SAMPLES_MAX};
pub use range_function::{Rise, rise_over_window};
pub use stats::{QueryStats, SelectorStats};

#[cfg(test)]
mod tests;

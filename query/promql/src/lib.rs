//! PromQL as Prometheus 3 has it: the language, and an evaluator over the store's sorted runs.
//!
//! Invariants:
//! - nothing here writes, and nothing here knows of Arrow, DataFusion, tokio or HTTP;
//! - one query sees one [`Snapshot`](barograph_engine::Snapshot);
//! - every query ends: by its answer, its deadline, its cancellation or one of its limits.

pub mod histogram;
pub mod syntax;

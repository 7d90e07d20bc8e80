//! The evaluator: an expression over a grid of steps -> columns.
//!
//! ```text
//! context        what all parts of one evaluation share
//! invariant      what is the same at every step and evaluated once
//! source         selectors: rows of the store -> columns, in parallel
//! bucketed       the same from rollups, where they have the answer
//! bucket_window  what the buckets of one window say
//! lookup         the newest sample before each step
//! windows        the samples of each window
//! mixed          windows of series that have native histograms
//! subquery       an expression over steps of its own -> windows
//! chain          functions of one series at a time on top of a source or of any vector
//! evaluator      one expression -> its value
//! answer         the value of the whole -> what the caller gets
//! ```

mod answer;
mod bucket_window;
mod bucketed;
mod chain;
mod context;
mod evaluator;
mod invariant;
mod lookup;
mod mixed;
mod source;
mod subquery;
mod windows;

pub(crate) use chain::{Chain, Link, timestamps};
pub(crate) use context::Context;
pub(crate) use evaluator::{eval_scalar, eval_text, eval_vector};
pub(crate) use source::Sink;
pub(crate) use windows::Windows;

use std::sync::Arc;

use barograph_engine::Snapshot;

use crate::{Answer, EvalOptions, Interrupt, Query, QueryError};

/// Evaluates a query over one view of the store. The threads of the rayon pool in which it is called share the work.
///
/// The tree is descended by recursion; the parser's limit on nesting keeps that within a stack of 8 MiB.
///
/// # Errors
/// [`QueryError`] says why there is no answer; no part of one is ever given.
pub fn evaluate(
    snapshot: &Snapshot,
    query: &Query,
    options: &EvalOptions,
    interrupt: &Interrupt,
) -> Result<Answer, QueryError> {
    let context = Context::new(snapshot, query, options, interrupt);
    let mut holds = Vec::new();
    let value = answer::evaluate(&context, &mut holds)?;
    let stats = context.meter.stats();
    Ok(Answer {
        value,
        annotations: context.into_notes().into_annotations(),
        stats,
        _holds: Arc::new(holds),
    })
}

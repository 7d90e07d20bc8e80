//! The tables over samples: one per metric, and `samples` with all rows of all metrics.
//!
//! A condition is answered at the cheapest place that gives exactly SQL's answer: a range of `ts` by the scan,
//! a label by the index, anything else about labels by evaluating it once per series; what is left stays with
//! DataFusion. NULL is where the two languages differ: for SQL an absent label is NULL and `!=` is then not
//! true; for a matcher it is the empty text and `!=` holds. [`matchers`] bridges that, and where it cannot, its
//! matchers only narrow the series down and the expression is evaluated after them.
//!
//! DataFusion goes on to simplify conditions after they were taken over, so what a scan is given may look
//! different from what was asked about; a scan that does not understand it fails rather than ignore it.

mod column;
mod matchers;
mod scan;
mod selection;
mod table;
mod time_bounds;

pub(crate) use column::{Column, ColumnOf, timestamp_type};
pub(crate) use matchers::matchers;
pub(crate) use selection::{
    Outcome, Selection, evaluate_on, is_about, positions_where, shown_range, unrecognised,
};
pub(crate) use table::SamplesTable;
pub(crate) use time_bounds::time_bounds;

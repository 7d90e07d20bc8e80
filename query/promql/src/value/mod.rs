//! What nodes of an expression give while it is evaluated: columns over the steps.

mod column;
mod label_key;
mod vector;

pub(crate) use column::{ABSENT, Column, is_absent};
pub(crate) use label_key::LabelSelection;
pub(crate) use vector::{SAME_LABELS, Series, Value, Vector, nameless};

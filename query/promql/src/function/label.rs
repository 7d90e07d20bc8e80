//! `label_replace` and `label_join`: the same samples under other labels.

use std::sync::Arc;

use barograph_model::Labels;
use hashbrown::HashSet;
use rayon::prelude::*;
use regex::RegexBuilder;

use crate::eval::{Context, eval_text, eval_vector};
use crate::syntax::Call;
use crate::value::{SAME_LABELS, Vector};
use crate::{Grid, QueryError};

/// Series whose labels are worth a second thread.
const SERIES_PER_THREAD: usize = 1 << 10;

/// A compiled expression may take this much memory, as a matcher's.
const REGEX_SIZE_LIMIT_BYTES: usize = 1 << 20;

pub(super) fn replace(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vector, QueryError> {
    let text = |i: usize| eval_text(context, &call.args[i]);
    let (to, template, from, pattern) = (text(1)?, text(2)?, text(3)?, text(4)?);
    let regex = RegexBuilder::new(&format!("^(?s:{pattern})$"))
        .size_limit(REGEX_SIZE_LIMIT_BYTES)
        .build()
        .map_err(|_| {
            QueryError::execution(format!(
                "invalid regular expression in label_replace(): {pattern}"
            ))
        })?;
    if to.is_empty() {
        let message = format!("invalid destination label name in label_replace(): {to}");
        return Err(QueryError::execution(message));
    }
    let vector = eval_vector(context, &call.args[0], grid)?;
    relabel(vector, |labels| {
        let captures = regex.captures(labels.get(&from))?;
        let mut value = String::new();
        captures.expand(&template, &mut value);
        Some(labels.with(&to, &value))
    })
}

pub(super) fn join(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vector, QueryError> {
    let texts: Vec<String> = call.args[1..]
        .iter()
        .map(|arg| eval_text(context, arg))
        .collect::<Result<_, _>>()?;
    let [to, separator, from @ ..] = texts.as_slice() else {
        return Err(QueryError::execution(
            "label_join() needs a destination and a separator",
        ));
    };
    if let Some(name) = from.iter().find(|name| name.is_empty()) {
        let message = format!("invalid source label name in label_join(): {name}");
        return Err(QueryError::execution(message));
    }
    if to.is_empty() {
        let message = format!("invalid destination label name in label_join(): {to}");
        return Err(QueryError::execution(message));
    }
    let vector = eval_vector(context, &call.args[0], grid)?;
    relabel(vector, |labels| {
        let values: Vec<&str> = from.iter().map(|name| labels.get(name)).collect();
        Some(labels.with(to, &values.join(separator)))
    })
}

/// Gives each series other labels; `None` leaves them.
fn relabel(mut vector: Vector, of: impl Fn(&Labels) -> Option<Labels> + Sync) -> Result<Vector, QueryError> {
    let series = vector.series.par_iter_mut().with_min_len(SERIES_PER_THREAD);
    series.for_each(|series| {
        if let Some(labels) = of(&series.labels) {
            series.labels = Arc::new(labels);
        }
    });
    let mut seen = HashSet::with_capacity(vector.series.len());
    for series in &vector.series {
        if !seen.insert(Arc::clone(&series.labels)) {
            return Err(QueryError::execution(SAME_LABELS));
        }
    }
    Ok(vector)
}

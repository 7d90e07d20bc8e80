//! The sorting functions. They order the answer of an instant query; a range query's is always sorted by labels.

use std::cmp::Ordering;

use crate::eval::{Context, eval_text, eval_vector};
use crate::syntax::{Call, FunctionId, SourceSpan};
use crate::value::{Series, Vector};
use crate::{Grid, QueryError};

/// By value; NaN last either way, and histograms not at all.
pub(super) fn by_value(
    context: &Context<'_>,
    call: &Call,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    note_range(context, span, grid);
    let mut vector = eval_vector(context, &call.args[0], grid)?;
    for series in &mut vector.series {
        series.column.drop_histograms();
    }
    vector.drop_empty();
    if context.query.is_range {
        return Ok(vector);
    }
    let descending = call.function.id == FunctionId::SortDesc;
    vector.series.sort_by(|a, b| {
        let (a, b) = (a.column.floats[0], b.column.floats[0]);
        match (a.is_nan(), b.is_nan()) {
            (false, false) => {
                let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            }
            (a, b) => a.cmp(&b),
        }
    });
    Ok(vector)
}

/// Says so where the order is lost.
fn note_range(context: &Context<'_>, span: SourceSpan, grid: Grid) {
    if grid.start() != grid.end() {
        let text = "sort is ineffective for range queries since results are always ordered by labels";
        context.warn(span, text);
    }
}

/// By the values of some labels, numbers inside them by their size; then by all labels.
pub(super) fn by_label(
    context: &Context<'_>,
    call: &Call,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    note_range(context, span, grid);
    let names: Vec<String> = call.args[1..]
        .iter()
        .map(|arg| eval_text(context, arg))
        .collect::<Result<_, _>>()?;
    let mut vector = eval_vector(context, &call.args[0], grid)?;
    let ascending = |a: &Series, b: &Series| {
        let by_name = names
            .iter()
            .map(|name| natural(a.labels.get(name), b.labels.get(name)));
        by_name
            .fold(Ordering::Equal, Ordering::then)
            .then_with(|| a.labels.cmp(&b.labels))
    };
    if call.function.id == FunctionId::SortByLabelDesc {
        vector.series.sort_by(|a, b| ascending(b, a));
    } else {
        vector.series.sort_by(ascending);
    }
    Ok(vector)
}

/// Compares texts so that `node2` comes before `node10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (x, y) = match (a.chars().next(), b.chars().next()) {
            (Some(x), Some(y)) => (x, y),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (of_a, rest_a) = number(a);
            let (of_b, rest_b) = number(b);
            (a, b) = (rest_a, rest_b);
            // Without leading zeros the longer number is the larger one.
            of_a.len().cmp(&of_b.len()).then_with(|| of_a.cmp(of_b))
        } else {
            (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
            x.cmp(&y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The number at the start of a text without leading zeros, and what follows it.
fn number(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_are_compared_as_numbers() {
        let mut names = ["node10", "node2", "node", "node02b", "a9", "node2b"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a9", "node", "node2", "node02b", "node2b", "node10"]);
    }
}

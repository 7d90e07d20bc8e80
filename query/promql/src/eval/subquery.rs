//! Subqueries: an expression over steps of its own, whose columns are the samples of windows.

use super::context::Context;
use super::evaluator::eval_vector;
use super::lookup::HistogramRows;
use super::mixed;
use super::windows::Windows;
use crate::range_function::{RangeFunction, Samples};
use crate::syntax::{FunctionId, SourceSpan, Subquery};
use crate::value::{Column, Series, Vector, is_absent, nameless};
use crate::{Grid, QueryError};

/// The steps of a subquery for the windows that end at some instants: multiples of its step, as far as any window reaches.
pub(crate) fn steps(context: &Context<'_>, subquery: &Subquery, ends: Grid) -> Option<Grid> {
    let step = subquery
        .step_ms
        .unwrap_or(context.options.subquery_step_ms)
        .max(1);
    let after = ends.start().saturating_sub(subquery.range_ms);
    // The first multiple of the step that is inside the left-open window.
    let start = after.div_euclid(step).saturating_add(1).saturating_mul(step);
    Grid::between(start, ends.end(), step)
}

/// A range function over a subquery.
pub(crate) fn over_time(
    context: &Context<'_>,
    function: &RangeFunction,
    subquery: &Subquery,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let ends = context.reference(&subquery.modifiers, grid);
    let Some(steps) = steps(context, subquery, ends) else {
        return Ok(Vector::default());
    };
    let inner = eval_vector(context, &subquery.expr, steps)?;
    let mut bounds = Vec::new();
    let (mut ts, mut values) = (Vec::new(), Vec::new());
    let mut series = Vec::with_capacity(inner.series.len());
    for Series { labels, column } in &inner.series {
        context.check()?;
        rows(column, steps, &mut ts, &mut values);
        let samples = Samples {
            ts: &ts,
            values: &values,
        };
        let windows = Windows::find(&ts, ends, subquery.range_ms, &mut bounds, context.interrupt());
        let mut out = Column::absent(grid.len());
        match histogram_rows(column, steps) {
            None => function.run(samples, &windows, &mut out.floats),
            Some(histograms) => {
                let metric = labels.metric();
                mixed::run(
                    context,
                    span,
                    metric,
                    function,
                    samples,
                    &windows,
                    &histograms,
                    &mut out,
                );
            }
        }
        let is_rate = matches!(function.id, FunctionId::Rate | FunctionId::Increase);
        if is_rate && out.floats.iter().any(|value| !is_absent(*value)) {
            context.note_counter(span, labels.metric());
        }
        // An interrupt leaves the rest of the column empty.
        context.check()?;
        if !out.is_empty() {
            let keeps_name = RangeFunction::keeps_name(function.id);
            series.push(Series {
                labels: if keeps_name {
                    labels.clone()
                } else {
                    nameless(labels)
                },
                column: out,
            });
        }
    }
    let mut vector = Vector::of(series);
    vector.unite()?;
    Ok(vector)
}

/// The floats of a column as rows.
pub(crate) fn rows(column: &Column, steps: Grid, ts: &mut Vec<i64>, values: &mut Vec<f64>) {
    ts.clear();
    values.clear();
    for (step, value) in steps.iter().zip(&column.floats) {
        if !is_absent(*value) {
            ts.push(step);
            values.push(*value);
        }
    }
}

fn histogram_rows(column: &Column, steps: Grid) -> Option<HistogramRows> {
    let mut rows = HistogramRows::default();
    for (step, histogram) in steps.iter().zip(column.histograms.as_ref()?.iter()) {
        if histogram.is_some() {
            rows.push(step, histogram.clone());
        }
    }
    Some(rows)
}

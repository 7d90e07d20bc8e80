//! The value of a whole query -> what the caller gets.

use std::sync::Arc;

use barograph_engine::SeriesRows;
use barograph_model::{TimeRange, is_stale};
use rayon::prelude::*;

use super::context::Context;
use super::evaluator::{eval, eval_vector};
use super::subquery;
use crate::histogram::FloatHistogram;
use crate::meter::Hold;
use crate::syntax::{ExprKind, MatrixSelector, Subquery, ValueType};
use crate::value::{Series, Value, Vector};
use crate::{Grid, InstantSeries, Point, QueryError, QueryValue, RangeSeries, SampleValue};

/// Evaluates the query of a context.
pub(super) fn evaluate(context: &Context<'_>, holds: &mut Vec<Hold>) -> Result<QueryValue, QueryError> {
    let query = context.query;
    let grid = query.grid;
    let expr = query.expr.unwrap_parens();
    if query.is_range {
        let found = expr.value_type();
        if !matches!(found, ValueType::Scalar | ValueType::Vector) {
            let message = format!(
                "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                found.documented()
            );
            return Err(QueryError::BadData(message));
        }
        return Ok(QueryValue::Matrix(match eval(context, expr, grid)? {
            Value::Scalar(values) => vec![of_scalars(&values, grid)],
            Value::Vector(vector) => matrix(context, vector, grid, holds)?,
            Value::Text(_) => Vec::new(),
        }));
    }
    let ts = grid.start();
    match &expr.kind {
        ExprKind::Matrix(selector) => raw_rows(context, selector, holds).map(QueryValue::Matrix),
        ExprKind::Subquery(inner) => inner_steps(context, inner, holds).map(QueryValue::Matrix),
        _ if expr.value_type() == ValueType::Matrix => {
            Err(QueryError::execution("expected an instant vector"))
        }
        _ => Ok(match eval(context, expr, grid)? {
            Value::Scalar(values) => QueryValue::Scalar { ts, value: values[0] },
            Value::Text(text) => QueryValue::String { ts, text },
            Value::Vector(vector) => QueryValue::Vector(instants(vector, ts)),
        }),
    }
}

fn of_scalars(values: &[f64], grid: Grid) -> RangeSeries {
    let points = grid.iter().zip(values).map(|(ts, value)| Point {
        ts,
        value: SampleValue::Float(*value),
    });
    RangeSeries {
        labels: Arc::default(),
        points: points.collect(),
    }
}

fn instants(vector: Vector, ts: i64) -> Vec<InstantSeries> {
    let one = |Series { labels, column }: Series| {
        let value = column.get(0)?;
        let point = Point { ts, value };
        Some(InstantSeries { labels, point })
    };
    vector.series.into_iter().filter_map(one).collect()
}

/// Sorted by labels, as Prometheus sorts a matrix. Points take more memory than columns, so they are counted first.
fn matrix(
    context: &Context<'_>,
    vector: Vector,
    grid: Grid,
    holds: &mut Vec<Hold>,
) -> Result<Vec<RangeSeries>, QueryError> {
    let points: u64 = vector.series.iter().map(|series| series.column.samples()).sum();
    let bytes = usize::try_from(points)
        .unwrap_or(usize::MAX)
        .saturating_mul(size_of::<Point>());
    holds.push(context.meter.hold(0, bytes)?);
    let one = |Series { labels, column }: Series| {
        let points = grid.iter().enumerate().filter_map(|(step, ts)| {
            let value = column.get(step)?;
            Some(Point { ts, value })
        });
        let points: Vec<_> = points.collect();
        (!points.is_empty()).then_some(RangeSeries { labels, points })
    };
    let mut all: Vec<_> = vector.series.into_iter().filter_map(one).collect();
    all.par_sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(all)
}

/// An instant query for a range vector: the samples as they are stored.
fn raw_rows(
    context: &Context<'_>,
    selector: &MatrixSelector,
    holds: &mut Vec<Hold>,
) -> Result<Vec<RangeSeries>, QueryError> {
    let end = context
        .reference(&selector.vector.modifiers, context.query.grid)
        .start();
    let range = TimeRange::new(end.saturating_sub(selector.range_ms).saturating_add(1), end);
    let set = context.snapshot.select(&selector.vector.matchers, range)?;
    let mut points: Vec<Vec<Point>> = vec![Vec::new(); set.len()];
    let scan = context.snapshot.scan_series(&set, range);
    let mut reader = scan.open(0..set.len())?;
    let mut rows = SeriesRows::default();
    while let Some(position) = reader.next_series(&mut rows)? {
        context.check()?;
        holds.push(
            context
                .meter
                .hold(rows.ts.len() as u64, rows.ts.len() * size_of::<Point>())?,
        );
        context.meter.read(rows.ts.len() as u64, &[]);
        let sound = rows
            .ts
            .iter()
            .zip(&rows.values)
            .filter(|(_, value)| !is_stale(**value));
        points[position].extend(sound.map(|(ts, value)| Point {
            ts: *ts,
            value: SampleValue::Float(*value),
        }));
    }
    let mut histograms = context.snapshot.histograms(&set, range);
    let mut rows = Vec::new();
    while let Some(position) = histograms.next_series(&mut rows)? {
        context.check()?;
        let sound = rows.iter().filter(|(_, histogram)| !histogram.is_stale());
        points[position].extend(sound.map(|(ts, histogram)| Point {
            ts: *ts,
            value: SampleValue::Histogram(Arc::new(FloatHistogram::from_stored(histogram))),
        }));
        points[position].sort_by_key(|point| point.ts);
    }
    let mut all = Vec::new();
    for (position, points) in points.into_iter().enumerate() {
        if !points.is_empty() {
            let labels = set.labels(position)?;
            all.push(RangeSeries { labels, points });
        }
    }
    all.par_sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(all)
}

/// An instant query for a subquery: its steps.
fn inner_steps(
    context: &Context<'_>,
    inner: &Subquery,
    holds: &mut Vec<Hold>,
) -> Result<Vec<RangeSeries>, QueryError> {
    let ends = context.reference(&inner.modifiers, context.query.grid);
    match subquery::steps(context, inner, ends) {
        Some(steps) => matrix(context, eval_vector(context, &inner.expr, steps)?, steps, holds),
        None => Ok(Vec::new()),
    }
}

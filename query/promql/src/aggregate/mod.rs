//! Aggregations: many series -> one a group, or some of each group.
//!
//! Those that fold (`sum`, `avg`, `count`, `min`, `max`, `group`, `stddev`, `stdvar`) take columns as the scan gives them
//! and hold one accumulator a group and step. The others need all values of a group at once.

mod fold;
mod grouping;
mod order;
mod values;

use std::sync::Arc;

use fold::Fold;
use grouping::{Groups, Labelled};

use crate::eval::{Chain, Context, Sink, eval_scalar, eval_text, eval_vector};
use crate::syntax::{Aggregate, AggregateOp, SourceSpan};
use crate::value::{Column, Vector};
use crate::{Grid, QueryError};

/// Evaluates an aggregation.
pub(crate) fn eval(
    context: &Context<'_>,
    aggregate: &Aggregate,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    use AggregateOp as Op;
    let scalar = || match &aggregate.param {
        Some(param) => Ok((eval_scalar(context, param, grid)?, param.span)),
        None => Err(QueryError::execution("the aggregation's parameter is missing")),
    };
    match aggregate.op {
        Op::Topk | Op::Bottomk | Op::Limitk => {
            let (k, _) = scalar()?;
            let vector = eval_vector(context, &aggregate.expr, grid)?;
            let groups = Groups::of(
                Labelled::Series(&vector.series),
                &aggregate.grouping,
                aggregate.without,
                false,
            )?;
            order::first_k(
                context,
                aggregate.op,
                &k,
                vector,
                &groups,
                aggregate.expr.span,
                grid,
            )
        }
        Op::LimitRatio => {
            let (ratio, at) = scalar()?;
            let vector = eval_vector(context, &aggregate.expr, grid)?;
            order::ratio(context, &ratio, at, vector)
        }
        Op::Quantile => {
            let (phi, at) = scalar()?;
            crate::function::note_quantile(context, at, &phi);
            let vector = eval_vector(context, &aggregate.expr, grid)?;
            let groups = Groups::of(
                Labelled::Series(&vector.series),
                &aggregate.grouping,
                aggregate.without,
                false,
            )?;
            values::quantile(context, &phi, &vector, groups, aggregate.expr.span, grid)
        }
        Op::CountValues => {
            let label = match &aggregate.param {
                Some(param) => eval_text(context, param)?,
                None => return Err(QueryError::execution("the aggregation's parameter is missing")),
            };
            let vector = eval_vector(context, &aggregate.expr, grid)?;
            values::count_values(context, aggregate, &label, &vector, grid)
        }
        _ => folded(context, aggregate, span, grid),
    }
}

/// The columns of one chunk on their way into their groups.
struct Folding<'a> {
    fold: Fold,
    groups: &'a Groups,
}

impl Sink for Folding<'_> {
    fn take(&mut self, position: usize, column: &mut Column) -> Result<(), QueryError> {
        self.fold.add(self.groups.of_position(position), column);
        Ok(())
    }
}

fn folded(
    context: &Context<'_>,
    aggregate: &Aggregate,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let Aggregate {
        op,
        grouping,
        without,
        ..
    } = aggregate;
    if let Some(chain) = Chain::of(context, &aggregate.expr, grid)? {
        if let Some(source) = chain.streamed() {
            let prepared = source.prepare(context, grid)?;
            let groups = Groups::of(
                Labelled::Set(&prepared.set),
                grouping,
                *without,
                chain.drops_name(),
            )?;
            // Each chunk has accumulators of its own, so they are counted before any is made.
            let cells = groups.len() * grid.len();
            let _hold = context.meter.hold(cells as u64, cells * Fold::BYTES_PER_CELL)?;
            let sink = || Folding {
                fold: Fold::new(*op, groups.len(), grid.len()),
                groups: &groups,
            };
            let chunks = chain.stream(context, source, &prepared, grid, sink)?;
            let whole = chunks.into_iter().map(|chunk| chunk.fold).reduce(Fold::merge);
            let whole = whole.unwrap_or_else(|| Fold::new(*op, groups.len(), grid.len()));
            return whole.finish(context, span, aggregate.expr.span, &groups);
        }
        let vector = chain.collect(context, grid)?;
        return fold_vector(context, aggregate, &vector, span, grid);
    }
    let vector = eval_vector(context, &aggregate.expr, grid)?;
    fold_vector(context, aggregate, &vector, span, grid)
}

fn fold_vector(
    context: &Context<'_>,
    aggregate: &Aggregate,
    vector: &Vector,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let groups = Groups::of(
        Labelled::Series(&vector.series),
        &aggregate.grouping,
        aggregate.without,
        false,
    )?;
    let mut fold = Fold::new(aggregate.op, groups.len(), grid.len());
    for (position, series) in vector.series.iter().enumerate() {
        fold.add(groups.of_position(position), &series.column);
    }
    fold.finish(context, span, aggregate.expr.span, &groups)
}

/// A vector of the groups that have a column with something in it.
fn of_groups(groups: &Groups, columns: Vec<Column>) -> Vector {
    let series = groups
        .labels()
        .iter()
        .zip(columns)
        .filter(|(_, column)| !column.is_empty());
    Vector::of(
        series
            .map(|(labels, column)| crate::value::Series {
                labels: Arc::clone(labels),
                column,
            })
            .collect(),
    )
}

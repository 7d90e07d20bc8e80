//! Functions of instant vectors, and those that make or unmake them.
//!
//! ```text
//! math       one float -> one float
//! date       seconds since the epoch -> parts of a date
//! label      label_replace, label_join
//! sort       sort, sort_desc, sort_by_label, sort_by_label_desc
//! absent     absent, absent_over_time
//! native     parts of one native histogram
//! quantile   histogram_quantile, histogram_quantiles, histogram_fraction
//! info       info
//! ```

mod absent;
mod date;
mod info;
mod label;
mod math;
mod native;
mod quantile;
mod sort;

pub(crate) use absent::absent_over_time;
pub(crate) use quantile::note_quantile;

use crate::eval::{Context, Link, eval_scalar, eval_vector};
use crate::syntax::{Call, Expr, ExprKind, FunctionId, SourceSpan};
use crate::value::{Column, Vector, is_absent};
use crate::{Grid, QueryError};

/// Functions that look at one series at a time: what they do to its column, and the argument that is the vector.
pub(crate) fn link<'c>(
    context: &'c Context<'_>,
    call: &'c Call,
    grid: Grid,
) -> Result<Option<(Link<'c>, &'c Expr)>, QueryError> {
    use FunctionId as F;
    let Some(argument) = call.args.first() else {
        return Ok(None);
    };
    let scalar = |i: usize| eval_scalar(context, &call.args[i], grid);
    let map: Box<dyn Fn(&mut Column) + Send + Sync> = match call.function.id {
        F::Clamp => math::clamp(Some(scalar(1)?), Some(scalar(2)?)),
        F::ClampMin => math::clamp(Some(scalar(1)?), None),
        F::ClampMax => math::clamp(None, Some(scalar(1)?)),
        F::Round => math::round(if call.args.len() > 1 {
            scalar(1)?
        } else {
            vec![1.0; grid.len()]
        }),
        F::Timestamp if !matches!(argument.unwrap_parens().kind, ExprKind::Vector(_)) => {
            Box::new(move |column| date::timestamps(column, grid))
        }
        id => match (math::function(id), date::part(id), native::part(id)) {
            (Some(function), _, _) => Box::new(move |column| {
                column.drop_histograms();
                column.map_floats(function);
            }),
            (_, Some(part), _) => Box::new(move |column| {
                column.drop_histograms();
                column.map_floats(|seconds| date::part_of(part, seconds));
            }),
            (_, _, Some(part)) => Box::new(move |column| native::take(column, part)),
            _ => return Ok(None),
        },
    };
    let drops_name = true;
    Ok(Some((Link { map, drops_name }, argument)))
}

/// Functions that give a scalar.
pub(crate) fn scalar(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<f64>, QueryError> {
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let whole = context.query.grid;
    let same = |value: f64| Ok(vec![value; grid.len()]);
    match call.function.id {
        FunctionId::Pi => same(std::f64::consts::PI),
        FunctionId::Time => Ok(grid.iter().map(seconds).collect()),
        FunctionId::Start => same(seconds(whole.start())),
        FunctionId::End => same(seconds(whole.end())),
        FunctionId::Range => same(seconds(whole.end() - whole.start())),
        FunctionId::Step => same(if context.query.is_range {
            seconds(whole.step())
        } else {
            0.0
        }),
        FunctionId::Scalar => {
            let vector = eval_vector(context, &call.args[0], grid)?;
            Ok((0..grid.len()).map(|step| only_value(&vector, step)).collect())
        }
        _ => Err(QueryError::execution(format!(
            "{} gives no scalar",
            call.function.name
        ))),
    }
}

/// The value of the only sample at a step; NaN where there is another number of them, or it is no float.
fn only_value(vector: &Vector, step: usize) -> f64 {
    let mut present = vector
        .series
        .iter()
        .map(|series| &series.column)
        .filter(|column| column.has(step));
    match (present.next(), present.next()) {
        (Some(column), None) if !is_absent(column.floats[step]) => column.floats[step],
        _ => f64::NAN,
    }
}

/// Functions that give a vector and are no links.
pub(crate) fn vector(
    context: &Context<'_>,
    call: &Call,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    use FunctionId as F;
    match call.function.id {
        F::Vector => {
            let values = eval_scalar(context, &call.args[0], grid)?;
            Ok(Vector::of_one(Column::of_floats(values)))
        }
        F::LabelReplace => label::replace(context, call, grid),
        F::LabelJoin => label::join(context, call, grid),
        F::Sort | F::SortDesc => sort::by_value(context, call, span, grid),
        F::SortByLabel | F::SortByLabelDesc => sort::by_label(context, call, span, grid),
        F::Absent => absent::absent(context, call, grid),
        F::HistogramQuantile => quantile::quantile(context, call, span, grid),
        F::HistogramQuantiles => quantile::quantiles(context, call, span, grid),
        F::HistogramFraction => quantile::fraction(context, call, span, grid),
        F::Info => info::info(context, call, grid),
        id => match date::part(id) {
            // Without an argument: of the step itself.
            Some(part) if call.args.is_empty() => {
                let of_step = |ts: i64| date::part_of(part, ts as f64 / 1000.0);
                Ok(Vector::of_one(Column::of_floats(
                    grid.iter().map(of_step).collect(),
                )))
            }
            _ => Err(QueryError::execution(format!(
                "{} gives no vector",
                call.function.name
            ))),
        },
    }
}

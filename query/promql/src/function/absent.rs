//! `absent` and `absent_over_time`: one series where there is none.

use barograph_model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp};

use crate::eval::{Chain, Context, eval_vector};
use crate::range_function::RangeFunction;
use crate::syntax::{Call, Expr, ExprKind, FunctionId};
use crate::value::{ABSENT, Column, Series, Vector};
use crate::{Grid, QueryError};

pub(super) fn absent(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vector, QueryError> {
    let vector = eval_vector(context, &call.args[0], grid)?;
    Ok(where_nothing_is(&vector, &call.args[0], grid))
}

/// The same for a range vector: where no window has a sample.
pub(crate) fn absent_over_time(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vector, QueryError> {
    let function = RangeFunction {
        // It keeps the names, so that no two series become one.
        id: FunctionId::LastOverTime,
        args: Vec::new(),
        steps: grid,
    };
    let vector = Chain::over_time(context, function, &call.args[0], grid)?.collect(context, grid)?;
    Ok(where_nothing_is(&vector, &call.args[0], grid))
}

fn where_nothing_is(vector: &Vector, argument: &Expr, grid: Grid) -> Vector {
    let mut floats = vec![1.0; grid.len()];
    for (step, float) in floats.iter_mut().enumerate() {
        if vector.series.iter().any(|series| series.column.has(step)) {
            *float = ABSENT;
        }
    }
    let series = Series {
        labels: labels_of(argument).into(),
        column: Column::of_floats(floats),
    };
    let mut vector = Vector::of(vec![series]);
    vector.drop_empty();
    vector
}

/// The labels that a selector says its series have: those it asks for with `=`, and once only.
fn labels_of(argument: &Expr) -> Labels {
    let matchers = match &argument.unwrap_parens().kind {
        ExprKind::Vector(selector) => &selector.matchers,
        ExprKind::Matrix(selector) => &selector.vector.matchers,
        _ => return Labels::empty(),
    };
    let mut builder = LabelsBuilder::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME) {
        if matcher.op() == MatchOp::Equal && !seen.contains(&matcher.name()) {
            builder.set(matcher.name(), matcher.value());
            seen.push(matcher.name());
        } else {
            builder.remove(matcher.name());
        }
    }
    builder.build().unwrap_or_default()
}

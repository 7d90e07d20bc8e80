//! Binary operators: between scalars, between a vector and a scalar, between two vectors.

mod arithmetic;
mod elements;
mod matched;
mod scalar;
mod set;

pub(crate) use arithmetic::of_scalars;
pub(crate) use scalar::{sign, with_scalar};

use crate::eval::{Context, eval_vector};
use crate::syntax::{Binary, SourceSpan};
use crate::value::Vector;
use crate::{Grid, QueryError};

/// Evaluates an operator between two vectors.
pub(crate) fn of_vectors(
    context: &Context<'_>,
    operation: &Binary,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let Some(matching) = &operation.matching else {
        return Err(QueryError::execution("the operator has no vectors to match"));
    };
    let left = eval_vector(context, &operation.lhs, grid)?;
    let right = eval_vector(context, &operation.rhs, grid)?;
    if operation.op.is_set() {
        return set::combine(operation.op, matching, left, right);
    }
    matched::combine(context, operation, matching, span, left, right, grid)
}

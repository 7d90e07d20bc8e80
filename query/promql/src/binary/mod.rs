//! Binary operators: between scalars, between a vector and a scalar, between two vectors.

mod arithmetic;
mod elements;
mod matched;
mod scalar;
mod set;

pub(crate) use arithmetic::of_scalars;
pub(crate) use scalar::{sign, with_scalar};

use crate::eval::{Context, eval_vector};
use crate::syntax::{Binary, BinaryOp, Expr, ExprKind, SourceSpan};
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
    if operation.op == BinaryOp::Or {
        return set::unite(matching, &sides(operation), |side| {
            eval_vector(context, side, grid)
        });
    }
    let left = eval_vector(context, &operation.lhs, grid)?;
    let right = eval_vector(context, &operation.rhs, grid)?;
    if operation.op.is_set() {
        return Ok(set::filter(operation.op, matching, left, &right));
    }
    matched::combine(context, operation, matching, span, left, right, grid)
}

/// The sides of an operator and of those to its left that are the same and match by the same labels, from left to right.
fn sides(operation: &Binary) -> Vec<&Expr> {
    let mut sides = vec![&operation.rhs];
    let mut left = &operation.lhs;
    while let ExprKind::Binary(inner) = &left.unwrap_parens().kind
        && inner.op == operation.op
        && inner.matching == operation.matching
    {
        sides.push(&inner.rhs);
        left = &inner.lhs;
    }
    sides.push(left);
    sides.reverse();
    sides
}

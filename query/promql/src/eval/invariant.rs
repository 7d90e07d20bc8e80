//! Which expressions give the same at every step: those are evaluated once.

use crate::syntax::{Expr, ExprKind, FunctionId};

/// Whether an expression gives the same at every step of a query.
pub(crate) fn is_invariant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Vector(selector) => selector.modifiers.at.is_some(),
        ExprKind::Matrix(selector) => selector.vector.modifiers.at.is_some(),
        ExprKind::Subquery(subquery) => subquery.modifiers.at.is_some(),
        ExprKind::Call(call) => {
            !looks_at_the_step(call.function.id, &call.args) && call.args.iter().all(is_invariant)
        }
        ExprKind::Aggregate(aggregate) => {
            is_invariant(&aggregate.expr) && aggregate.param.as_ref().is_none_or(is_invariant)
        }
        ExprKind::Binary(binary) => is_invariant(&binary.lhs) && is_invariant(&binary.rhs),
        ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => is_invariant(expr),
    }
}

/// Functions whose answer changes with the step even where their arguments do not.
fn looks_at_the_step(function: FunctionId, args: &[Expr]) -> bool {
    use FunctionId as F;
    match function {
        F::Time | F::PredictLinear => true,
        F::Timestamp => !matches!(args[0].unwrap_parens().kind, ExprKind::Vector(_)),
        // Without an argument they look at the time of the step.
        F::DayOfMonth
        | F::DayOfWeek
        | F::DayOfYear
        | F::DaysInMonth
        | F::Hour
        | F::Minute
        | F::Month
        | F::Year => args.is_empty(),
        _ => false,
    }
}

//! Whether two trees mean the same. Where nodes stand does not matter, nor the order of matchers, which printing sorts.

use crate::syntax::*;

/// Fails where the trees differ, and shows both.
pub(super) fn assert_same(a: &Expr, b: &Expr) {
    assert!(is_same(a, b), "these differ:\n{a}\n{b}\n{a:?}\n{b:?}");
}

fn is_same(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Number(a), ExprKind::Number(b)) => {
            is_same_float(a.value, b.value) && a.is_duration == b.is_duration
        }
        (ExprKind::String(a), ExprKind::String(b)) => a == b,
        (ExprKind::Vector(a), ExprKind::Vector(b)) => is_same_selector(a, b),
        (ExprKind::Matrix(a), ExprKind::Matrix(b)) => {
            a.range_ms == b.range_ms && is_same_selector(&a.vector, &b.vector)
        }
        (ExprKind::Subquery(a), ExprKind::Subquery(b)) => {
            (a.range_ms, a.step_ms, a.modifiers) == (b.range_ms, b.step_ms, b.modifiers)
                && is_same(&a.expr, &b.expr)
        }
        (ExprKind::Call(a), ExprKind::Call(b)) => a.function == b.function && are_same(&a.args, &b.args),
        (ExprKind::Aggregate(a), ExprKind::Aggregate(b)) => {
            (a.op, &a.grouping, a.without) == (b.op, &b.grouping, b.without)
                && are_same(a.param.as_slice(), b.param.as_slice())
                && is_same(&a.expr, &b.expr)
        }
        (ExprKind::Binary(a), ExprKind::Binary(b)) => {
            (a.op, a.return_bool) == (b.op, b.return_bool)
                && is_same_matching(a.matching.as_ref(), b.matching.as_ref())
                && is_same(&a.lhs, &b.lhs)
                && is_same(&a.rhs, &b.rhs)
        }
        (
            ExprKind::Unary { negate, expr },
            ExprKind::Unary {
                negate: other_negate,
                expr: other,
            },
        ) => negate == other_negate && is_same(expr, other),
        (ExprKind::Paren(a), ExprKind::Paren(b)) => is_same(a, b),
        _ => false,
    }
}

fn are_same(a: &[Expr], b: &[Expr]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
}

fn is_same_float(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

fn is_same_selector(a: &VectorSelector, b: &VectorSelector) -> bool {
    let sorted = |selector: &VectorSelector| {
        let mut texts: Vec<String> = selector.matchers.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    (&a.metric, a.modifiers, a.widening) == (&b.metric, b.modifiers, b.widening) && sorted(a) == sorted(b)
}

fn is_same_matching(a: Option<&VectorMatching>, b: Option<&VectorMatching>) -> bool {
    let is_same_fill = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => is_same_float(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    match (a, b) {
        (Some(a), Some(b)) => {
            (a.cardinality, &a.labels, a.on, &a.include) == (b.cardinality, &b.labels, b.on, &b.include)
                && is_same_fill(a.fill.left, b.fill.left)
                && is_same_fill(a.fill.right, b.fill.right)
        }
        (a, b) => a.is_none() && b.is_none(),
    }
}

//! Types, and everything else that only a whole expression shows.
//!
//! Runs after the text is read, from the leaves up and from left to right, so that of several errors the one is
//! reported that Prometheus reports.

use barograph_model::{METRIC_NAME, Matcher};

use super::error::Fault;
use super::quote::quote;
use super::{
    Aggregate, Binary, Call, Cardinality, Expr, ExprKind, Fill, FunctionId, SourceSpan, ValueType,
    VectorSelector,
};

/// Checks a tree, and finishes what needs types: matching stands only between two vectors, and set operators match
/// many to many.
pub(super) fn check(expr: &mut Expr, text: &str) -> Result<ValueType, Fault> {
    let span = expr.span;
    // Not by `Expr::value_type`, which would walk the tree below anew at every level.
    Ok(match &mut expr.kind {
        ExprKind::Number(_) => ValueType::Scalar,
        ExprKind::String(_) => ValueType::String,
        ExprKind::Vector(vector) => {
            check_selector(vector, span, false)?;
            ValueType::Vector
        }
        ExprKind::Matrix(matrix) => {
            check_selector(&matrix.vector, matrix.vector_span, false)?;
            ValueType::Matrix
        }
        ExprKind::Subquery(subquery) => {
            let found = check(&mut subquery.expr, text)?;
            if found != ValueType::Vector {
                let name = found.as_str();
                let message = format!("subquery is only allowed on instant vector, got {name} instead");
                return Err(Fault::new(span, message));
            }
            ValueType::Matrix
        }
        ExprKind::Call(call) => check_call(call, span, text)?,
        ExprKind::Aggregate(aggregate) => check_aggregate(aggregate, text)?,
        ExprKind::Binary(binary) => check_binary(binary, span, text)?,
        ExprKind::Unary { expr, .. } => {
            let found = check(expr, text)?;
            if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                let found = quote(found.documented());
                let message = "unary expression only allowed on expressions of type scalar or instant vector";
                return Err(Fault::new(span, format!("{message}, got {found}")));
            }
            found
        }
        ExprKind::Paren(inner) => check(inner, text)?,
    })
}

fn expect(expr: &mut Expr, want: ValueType, context: &str, text: &str) -> Result<(), Fault> {
    let found = check(expr, text)?;
    if found == want {
        return Ok(());
    }
    Err(wrong_type(expr.span, want, context, found))
}

fn wrong_type(span: SourceSpan, want: ValueType, context: &str, found: ValueType) -> Fault {
    let (want, found) = (want.documented(), found.documented());
    Fault::new(span, format!("expected type {want} in {context}, got {found}"))
}

fn check_aggregate(aggregate: &mut Aggregate, text: &str) -> Result<ValueType, Fault> {
    expect(
        &mut aggregate.expr,
        ValueType::Vector,
        "aggregation expression",
        text,
    )?;
    if let (Some(param), Some(want)) = (&mut aggregate.param, aggregate.op.parameter()) {
        expect(param, want, "aggregation parameter", text)?;
    }
    Ok(ValueType::Vector)
}

fn check_call(call: &mut Call, span: SourceSpan, text: &str) -> Result<ValueType, Fault> {
    let function = call.function;
    let (name, got) = (quote(function.name), call.args.len());
    let (min, max) = (function.arity.min, function.arity.max);
    let is_variadic = max != Some(min);
    let count = |bound: &str, count| {
        let message = format!("expected {bound}{count} argument(s) in call to {name}, got {got}");
        Err(Fault::new(span, message))
    };
    if !is_variadic && got != min {
        return count("", min);
    }
    if got < min {
        return count("at least ", min);
    }
    if let Some(max) = max.filter(|max| got > *max) {
        return count("at most ", max);
    }
    let context = format!("call to function {name}");
    let is_info = function.id == FunctionId::Info;
    if let Some(labels) = call.args.get(1).filter(|_| is_info) {
        check_info_labels(labels, span, &context)?;
    }
    for (i, arg) in call.args.iter_mut().enumerate() {
        let Some(want) = function.args.get(i).or(function.args.last()) else {
            break;
        };
        if let (true, 1, ExprKind::Vector(labels)) = (is_info, i, &arg.kind) {
            check_selector(labels, arg.span, true)?;
        } else {
            expect(arg, *want, &context, text)?;
        }
    }
    Ok(function.returns)
}

/// The second argument of `info` is matchers for the labels to add, not a selector of its own.
fn check_info_labels(labels: &Expr, call: SourceSpan, context: &str) -> Result<(), Fault> {
    let found = labels.value_type();
    if found != ValueType::Vector {
        return Err(wrong_type(call, ValueType::Vector, context, found));
    }
    match &labels.kind {
        ExprKind::Vector(vector) if vector.metric.is_none() => Ok(()),
        ExprKind::Vector(_) => {
            let message = "expected label selectors only, got vector selector instead";
            Err(Fault::new(labels.span, message))
        }
        _ => Err(Fault::new(labels.span, "expected label selectors only")),
    }
}

fn check_binary(binary: &mut Binary, span: SourceSpan, text: &str) -> Result<ValueType, Fault> {
    let left = check(&mut binary.lhs, text)?;
    let right = check(&mut binary.rhs, text)?;
    let op = binary.op;
    let at_operator =
        |message: String| Err(Fault::new(operator_span(&binary.lhs, &binary.rhs, text), message));
    if binary.return_bool && !op.is_comparison() {
        return at_operator("bool modifier can only be used on comparison operators".to_owned());
    }
    let is_scalar = left == ValueType::Scalar && right == ValueType::Scalar;
    if op.is_comparison() && !binary.return_bool && is_scalar {
        return at_operator("comparisons between scalars must use BOOL modifier".to_owned());
    }
    if let Some(matching) = &binary.matching {
        let twice = matching
            .labels
            .iter()
            .find(|label| matching.include.contains(label));
        if let Some(label) = twice.filter(|_| matching.on) {
            let label = quote(label);
            return at_operator(format!(
                "label {label} must not occur in ON and GROUP clause at once"
            ));
        }
    }
    for (side, found) in [(&binary.lhs, left), (&binary.rhs, right)] {
        if !matches!(found, ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err(Fault::new(side.span, message));
        }
    }
    let error = |message: &str| Err(Fault::new(span, message));
    let is_vectors = left == ValueType::Vector && right == ValueType::Vector;
    if let Some(matching) = &mut binary.matching {
        let fills = matching.fill != Fill::default();
        let is_grouped = matches!(
            matching.cardinality,
            Cardinality::ManyToOne | Cardinality::OneToMany
        );
        match (is_vectors, op.is_set()) {
            (false, _) if !matching.labels.is_empty() => {
                return error("vector matching only allowed between instant vectors");
            }
            (false, _) if fills => {
                return error("filling in missing series only allowed between instant vectors");
            }
            (true, true) if is_grouped => {
                return error(&format!(
                    "no grouping allowed for {} operation",
                    quote(op.as_str())
                ));
            }
            (true, true) if fills => {
                return error("filling in missing series not allowed for set operators");
            }
            (true, true) => matching.cardinality = Cardinality::ManyToMany,
            _ => {}
        }
    }
    if !is_vectors {
        binary.matching = None;
        if op.is_set() {
            let op = quote(op.as_str());
            return error(&format!(
                "set operator {op} not allowed in binary scalar expression"
            ));
        }
    }
    Ok(if is_scalar {
        ValueType::Scalar
    } else {
        ValueType::Vector
    })
}

/// Where the operator and its modifiers stand: what is between the sides, without the spaces.
fn operator_span(left: &Expr, right: &Expr, text: &str) -> SourceSpan {
    let (start, end) = (left.span.end, right.span.start);
    let between = text.get(start as usize..end as usize).unwrap_or_default();
    let trimmed = between.trim_start();
    let start = start + (between.len() - trimmed.len()) as u32;
    SourceSpan {
        start,
        end: start + trimmed.trim_end().len() as u32,
    }
}

fn check_selector(vector: &VectorSelector, span: SourceSpan, may_select_all: bool) -> Result<(), Fault> {
    if let Some(metric) = &vector.metric {
        // The last matcher is the one that the name before the braces has made.
        let others = vector.matchers.split_last().map_or(&[][..], |(_, others)| others);
        return match others.iter().find(|matcher| matcher.name() == METRIC_NAME) {
            None => Ok(()),
            Some(other) => {
                let (first, second) = (quote(metric), quote(other.value()));
                let message = format!("metric name must not be set twice: {first} or {second}");
                Err(Fault::new(span, message))
            }
        };
    }
    if !may_select_all && vector.matchers.iter().all(Matcher::matches_absent) {
        let message = "vector selector must contain at least one non-empty matcher";
        return Err(Fault::new(span, message));
    }
    Ok(())
}

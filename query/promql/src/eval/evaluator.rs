//! One expression -> its value at every step of a grid.

use super::chain::Chain;
use super::context::Context;
use super::invariant::is_invariant;
use crate::syntax::{Expr, ExprKind, FunctionId, ValueType};
use crate::value::{Value, Vector};
use crate::{Grid, QueryError, STEPS_MAX, aggregate, binary, function};

/// Evaluates an expression that is not a range vector.
pub(crate) fn eval(context: &Context<'_>, expr: &Expr, grid: Grid) -> Result<Value, QueryError> {
    context.check()?;
    // Only a subquery has so many steps. Columns are made before what is in them can be counted.
    let is_long = grid.len() > STEPS_MAX;
    let _room = is_long
        .then(|| context.meter.hold_steps(grid.len()))
        .transpose()?;
    let expr = expr.unwrap_parens();
    if grid.len() > 1 && is_invariant(expr) {
        let value = eval(context, expr, grid.first())?;
        return held(context, value.broadcast(grid.len()));
    }
    match &expr.kind {
        ExprKind::Number(number) => Ok(Value::Scalar(vec![number.value; grid.len()])),
        ExprKind::String(text) => Ok(Value::Text(text.clone())),
        _ if expr.value_type() == ValueType::Scalar => scalar(context, expr, grid).map(Value::Scalar),
        _ => held(context, Value::Vector(vector(context, expr, grid)?)),
    }
}

/// Sees to it that a vector is on the query's account.
fn held(context: &Context<'_>, mut value: Value) -> Result<Value, QueryError> {
    if let Value::Vector(vector) = &mut value
        && vector.holds.is_empty()
    {
        let hold = context.meter.hold_vector(vector)?;
        vector.holds.push(hold);
    }
    Ok(value)
}

/// Evaluates an expression of which the parser has found that it is a vector.
pub(crate) fn eval_vector(context: &Context<'_>, expr: &Expr, grid: Grid) -> Result<Vector, QueryError> {
    match eval(context, expr, grid)? {
        Value::Vector(vector) => Ok(vector),
        other => Err(not_a("instant vector", &other)),
    }
}

/// Evaluates an expression of which the parser has found that it is a scalar.
pub(crate) fn eval_scalar(context: &Context<'_>, expr: &Expr, grid: Grid) -> Result<Vec<f64>, QueryError> {
    match eval(context, expr, grid)? {
        Value::Scalar(values) => Ok(values),
        other => Err(not_a("scalar", &other)),
    }
}

/// Evaluates an expression of which the parser has found that it is a string.
pub(crate) fn eval_text(context: &Context<'_>, expr: &Expr) -> Result<String, QueryError> {
    match eval(context, expr, Grid::instant(context.query.grid.start()))? {
        Value::Text(text) => Ok(text),
        other => Err(not_a("string", &other)),
    }
}

fn not_a(wanted: &str, found: &Value) -> QueryError {
    let found = match found {
        Value::Scalar(_) => "scalar",
        Value::Text(_) => "string",
        Value::Vector(_) => "instant vector",
    };
    QueryError::execution(format!("expected {wanted}, got {found}"))
}

fn scalar(context: &Context<'_>, expr: &Expr, grid: Grid) -> Result<Vec<f64>, QueryError> {
    match &expr.kind {
        ExprKind::Number(number) => Ok(vec![number.value; grid.len()]),
        ExprKind::Unary { negate, expr } => {
            let mut values = eval_scalar(context, expr, grid)?;
            if *negate {
                values.iter_mut().for_each(|value| *value = -*value);
            }
            Ok(values)
        }
        ExprKind::Binary(operation) if operation.op.is_trim() => {
            let op = operation.op.as_str();
            let message = format!("operator {op:?} not allowed for Scalar operations");
            Err(QueryError::execution(message))
        }
        ExprKind::Binary(operation) => {
            let left = eval_scalar(context, &operation.lhs, grid)?;
            let right = eval_scalar(context, &operation.rhs, grid)?;
            let pairs = left.iter().zip(&right);
            Ok(pairs
                .map(|(a, b)| binary::of_scalars(operation.op, *a, *b))
                .collect())
        }
        ExprKind::Call(call) => function::scalar(context, call, grid),
        _ => Err(QueryError::execution("expected a scalar")),
    }
}

fn vector(context: &Context<'_>, expr: &Expr, grid: Grid) -> Result<Vector, QueryError> {
    if let Some(chain) = Chain::of(context, expr, grid)? {
        return chain.collect(context, grid);
    }
    match &expr.kind {
        ExprKind::Aggregate(aggregation) => aggregate::eval(context, aggregation, expr.span, grid),
        ExprKind::Binary(operation) => binary::of_vectors(context, operation, expr.span, grid),
        ExprKind::Call(call) if call.function.id == FunctionId::AbsentOverTime => {
            function::absent_over_time(context, call, grid)
        }
        ExprKind::Call(call) => function::vector(context, call, expr.span, grid),
        _ => Err(QueryError::execution("expected an instant vector")),
    }
}

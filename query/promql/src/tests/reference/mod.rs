//! A second evaluator: one instant at a time, one series after the other, nothing shared, nothing clever. Floats only.
//!
//! Written from Prometheus' documentation of the language. Where it and the evaluator differ, one of them is wrong.

mod aggregate;
mod binary;
mod range;

use barograph_model::{Labels, METRIC_NAME, is_stale, matches_all};
use range::range_function;

use super::random::FloatSeries;
use crate::syntax::{
    At, Call, Expr, ExprKind, FunctionId, MatrixSelector, Modifiers, Subquery, ValueType, VectorSelector,
};
use crate::{Grid, LOOKBACK_MS};

/// An instant vector: no two with the same labels.
pub(super) type Instants = Vec<(Labels, f64)>;

/// A range vector.
type Ranges = Vec<(Labels, Vec<(i64, f64)>)>;

/// What an expression is at an instant.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(f64),
    Vector(Instants),
}

/// The query fails: labels are not unique, or matching is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fails;

/// All data, and the steps of the whole query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference<'a> {
    pub(super) data: &'a [FloatSeries],
    pub(super) whole: Grid,
}

impl Reference<'_> {
    /// The value of an expression at an instant.
    pub(super) fn eval(&self, expr: &Expr, at: i64) -> Result<Value, Fails> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Value::Scalar(number.value)),
            ExprKind::Paren(inner) => self.eval(inner, at),
            ExprKind::Vector(selector) => Ok(Value::Vector(self.select(selector, at, |_, value| value))),
            ExprKind::Unary { negate, expr } => {
                let negated = |value: f64| if *negate { -value } else { value };
                match self.eval(expr, at)? {
                    Value::Scalar(value) => Ok(Value::Scalar(negated(value))),
                    Value::Vector(vector) if *negate => {
                        renamed(vector.into_iter().map(|(l, v)| (l, negated(v))).collect())
                    }
                    Value::Vector(vector) => Ok(Value::Vector(vector)),
                }
            }
            ExprKind::Aggregate(aggregation) => self.aggregate(aggregation, at),
            ExprKind::Binary(operation) => self.binary(operation, at),
            ExprKind::Call(call) => self.call(call, at),
            ExprKind::Matrix(_) | ExprKind::Subquery(_) | ExprKind::String(_) => {
                panic!("no value: {:?}", expr.kind)
            }
        }
    }

    pub(super) fn scalar(&self, expr: &Expr, at: i64) -> Result<f64, Fails> {
        match self.eval(expr, at)? {
            Value::Scalar(value) => Ok(value),
            Value::Vector(_) => panic!("no scalar: {:?}", expr.kind),
        }
    }

    pub(super) fn vector(&self, expr: &Expr, at: i64) -> Result<Instants, Fails> {
        match self.eval(expr, at)? {
            Value::Vector(vector) => Ok(vector),
            Value::Scalar(_) => panic!("no vector: {:?}", expr.kind),
        }
    }

    /// Where a selector looks instead of at the step.
    fn reference(&self, modifiers: &Modifiers, at: i64) -> i64 {
        let base = match modifiers.at {
            None => at,
            Some(At::Timestamp(ts)) => ts,
            Some(At::Start) => self.whole.start(),
            Some(At::End) => self.whole.end(),
        };
        base - modifiers.offset_ms
    }

    /// The newest sample of each series in the lookback.
    fn select(&self, selector: &VectorSelector, at: i64, of: impl Fn(i64, f64) -> f64) -> Instants {
        let at = self.reference(&selector.modifiers, at);
        let mut found = Instants::new();
        for series in self
            .data
            .iter()
            .filter(|series| matches_all(&selector.matchers, &series.labels))
        {
            let newest = series.samples.iter().rfind(|(ts, _)| *ts <= at);
            if let Some((ts, value)) =
                newest.filter(|(ts, value)| *ts > at - LOOKBACK_MS && !is_stale(*value))
            {
                found.push((series.labels.clone(), of(*ts, *value)));
            }
        }
        found
    }

    /// The samples of each window, and where the window begins and ends.
    fn windows(&self, expr: &Expr, at: i64) -> Result<(Ranges, i64, i64), Fails> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.windows(inner, at),
            ExprKind::Matrix(selector) => Ok(self.rows(selector, at)),
            ExprKind::Subquery(subquery) => self.steps(subquery, at),
            other => panic!("no range vector: {other:?}"),
        }
    }

    fn rows(&self, selector: &MatrixSelector, at: i64) -> (Ranges, i64, i64) {
        let end = self.reference(&selector.vector.modifiers, at);
        let start = end - selector.range_ms;
        let mut found = Ranges::new();
        for series in self
            .data
            .iter()
            .filter(|series| matches_all(&selector.vector.matchers, &series.labels))
        {
            let is_inside = |(ts, value): &&(i64, f64)| *ts > start && *ts <= end && !is_stale(*value);
            let inside: Vec<_> = series.samples.iter().filter(is_inside).copied().collect();
            if !inside.is_empty() {
                found.push((series.labels.clone(), inside));
            }
        }
        (found, start, end)
    }

    fn steps(&self, subquery: &Subquery, at: i64) -> Result<(Ranges, i64, i64), Fails> {
        let end = self.reference(&subquery.modifiers, at);
        let start = end - subquery.range_ms;
        let step = subquery.step_ms.unwrap_or(60_000);
        let mut found = Ranges::new();
        let first = (start + 1..=end)
            .find(|ts| ts.rem_euclid(step) == 0)
            .unwrap_or(end + 1);
        for ts in (first..=end).step_by(step as usize) {
            for (labels, value) in self.vector(&subquery.expr, ts)? {
                match found.iter_mut().find(|(known, _)| *known == labels) {
                    Some((_, samples)) => samples.push((ts, value)),
                    None => found.push((labels, vec![(ts, value)])),
                }
            }
        }
        Ok((found, start, end))
    }

    fn call(&self, call: &Call, at: i64) -> Result<Value, Fails> {
        use FunctionId as F;
        let id = call.function.id;
        let seconds = at as f64 / 1000.0;
        match id {
            F::Time => return Ok(Value::Scalar(seconds)),
            F::Vector => {
                return Ok(Value::Vector(vec![(
                    Labels::empty(),
                    self.scalar(&call.args[0], at)?,
                )]));
            }
            F::Scalar => {
                let vector = self.vector(&call.args[0], at)?;
                return Ok(Value::Scalar(if vector.len() == 1 {
                    vector[0].1
                } else {
                    f64::NAN
                }));
            }
            F::Timestamp => {
                if let ExprKind::Vector(selector) = &call.args[0].unwrap_parens().kind {
                    return renamed(self.select(selector, at, |ts, _| ts as f64 / 1000.0));
                }
                return renamed(
                    self.vector(&call.args[0], at)?
                        .into_iter()
                        .map(|(l, _)| (l, seconds))
                        .collect(),
                );
            }
            _ => {}
        }
        if let Some(matrix) = call.args.iter().find(|arg| arg.value_type() == ValueType::Matrix) {
            let scalars = call
                .args
                .iter()
                .filter(|arg| arg.value_type() == ValueType::Scalar);
            let args = scalars
                .map(|arg| self.scalar(arg, at))
                .collect::<Result<Vec<_>, _>>()?;
            let (ranges, start, end) = self.windows(matrix, at)?;
            let mut out = Instants::new();
            for (labels, samples) in ranges {
                out.extend(range_function(id, &args, &samples, start, end, at).map(|value| (labels, value)));
            }
            let keeps_name = matches!(id, F::LastOverTime | F::FirstOverTime);
            return if keeps_name {
                Ok(Value::Vector(out))
            } else {
                renamed(out)
            };
        }
        let args = call.args[1..]
            .iter()
            .map(|arg| self.scalar(arg, at))
            .collect::<Result<Vec<_>, _>>()?;
        let vector = self.vector(&call.args[0], at)?;
        renamed(
            vector
                .into_iter()
                .map(|(labels, value)| (labels, math(id, value, &args)))
                .collect(),
        )
    }
}

/// Functions of one float.
fn math(id: FunctionId, value: f64, args: &[f64]) -> f64 {
    use FunctionId as F;
    match id {
        F::Abs => value.abs(),
        F::Ceil => value.ceil(),
        F::Floor => value.floor(),
        F::Exp => value.exp(),
        F::ClampMin if value.is_nan() => f64::NAN,
        F::ClampMin => value.max(args[0]),
        F::ClampMax if value.is_nan() => f64::NAN,
        F::ClampMax => value.min(args[0]),
        F::Sgn if value > 0.0 => 1.0,
        F::Sgn if value < 0.0 => -1.0,
        F::Sgn => value,
        other => panic!("{other:?} is not asked for"),
    }
}

/// The vector without the names of metrics, if that leaves no two series with the same labels.
fn renamed(vector: Instants) -> Result<Value, Fails> {
    let nameless = |labels: Labels| {
        if labels.get(METRIC_NAME).is_empty() {
            labels
        } else {
            labels.without_metric()
        }
    };
    unique(
        vector
            .into_iter()
            .map(|(labels, value)| (nameless(labels), value))
            .collect(),
    )
    .map(Value::Vector)
}

/// The vector itself, if no two series have the same labels.
fn unique(vector: Instants) -> Result<Instants, Fails> {
    for (i, (labels, _)) in vector.iter().enumerate() {
        if vector[..i].iter().any(|(other, _)| other == labels) {
            return Err(Fails);
        }
    }
    Ok(vector)
}

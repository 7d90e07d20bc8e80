//! Functions and operators that look at one series at a time, stacked on a selector or on any vector.
//!
//! `ceil(rate(x[5m]) * 60) > 3` reads each series once and carries its column through all four without a vector between
//! them; an aggregation on top takes the columns as they come.

use rayon::prelude::*;

use super::context::Context;
use super::evaluator::{eval_scalar, eval_vector};
use super::source::{Collected, Prepared, Sink, Source, Sourcing};
use super::subquery;
use crate::range_function::RangeFunction;
use crate::syntax::{Call, Expr, ExprKind, FunctionId, SourceSpan, ValueType, VectorSelector, Widening};
use crate::value::{Column, Series, Vector, nameless};
use crate::{Grid, QueryError, binary, function};

/// Columns that are worth a second thread.
const COLUMNS_PER_THREAD: usize = 256;

/// What happens to a column.
pub(crate) type ColumnMap<'c> = Box<dyn Fn(&mut Column) + Send + Sync + 'c>;

/// One function or operator of a chain.
pub(crate) struct Link<'c> {
    pub(crate) map: ColumnMap<'c>,
    /// whether the result has lost the metric's name
    pub(crate) drops_name: bool,
}

/// Where the columns come from.
enum Base<'c> {
    Source(Source<'c>),
    Vector(Vector),
}

/// A base and the links on top of it, innermost first.
pub(crate) struct Chain<'c> {
    base: Base<'c>,
    links: Vec<Link<'c>>,
    /// whether the base itself has no names any more
    base_drops_name: bool,
}

impl<'c> Chain<'c> {
    /// The chain that an expression is; `None` where its top is no link and no selector.
    pub(crate) fn of(
        context: &'c Context<'_>,
        expr: &'c Expr,
        grid: Grid,
    ) -> Result<Option<Self>, QueryError> {
        let mut links = Vec::new();
        let mut expr = expr.unwrap_parens();
        while let Some((link, inner)) = link(context, expr, grid)? {
            links.push(link);
            expr = inner.unwrap_parens();
        }
        links.reverse();
        let Some((base, base_drops_name)) = base(context, expr, grid)? else {
            if links.is_empty() {
                return Ok(None);
            }
            let base = Base::Vector(eval_vector(context, expr, grid)?);
            return Ok(Some(Self {
                base,
                links,
                base_drops_name: false,
            }));
        };
        Ok(Some(Self {
            base,
            links,
            base_drops_name,
        }))
    }

    /// A range function of one's own choice on a range vector.
    pub(crate) fn over_time(
        context: &Context<'_>,
        function: RangeFunction,
        matrix: &'c Expr,
        grid: Grid,
    ) -> Result<Self, QueryError> {
        let (base, base_drops_name) = windowed(context, function, matrix, grid)?;
        Ok(Self {
            base,
            links: Vec::new(),
            base_drops_name,
        })
    }

    /// The source, where columns can be handed on as they are read: no two series become one on the way.
    pub(crate) fn streamed(&self) -> Option<&Source<'c>> {
        match &self.base {
            Base::Source(source) if source.is_one_metric() || !self.drops_name() => Some(source),
            _ => None,
        }
    }

    /// Whether the result has lost the metric's name.
    pub(crate) fn drops_name(&self) -> bool {
        self.base_drops_name || self.links.iter().any(|link| link.drops_name)
    }

    /// Reads a source whose columns can be handed on, chunk by chunk; see [`Source::run`].
    pub(crate) fn stream<S: Sink>(
        &self,
        context: &Context<'_>,
        source: &Source<'_>,
        prepared: &Prepared,
        grid: Grid,
        sink: impl Fn() -> S + Sync,
    ) -> Result<Vec<S>, QueryError> {
        let finish = |column: &mut Column| self.links.iter().for_each(|link| (link.map)(column));
        source.run(context, prepared, grid, sink, finish)
    }

    /// All columns as a vector.
    pub(crate) fn collect(self, context: &Context<'_>, grid: Grid) -> Result<Vector, QueryError> {
        if let Some(source) = self.streamed() {
            let prepared = source.prepare(context, grid)?;
            let sink = || Collected::new(context);
            let chunks = self.stream(context, source, &prepared, grid, sink)?;
            return label(chunks, &prepared, self.drops_name());
        }
        let mut vector = match self.base {
            Base::Source(source) => {
                let prepared = source.prepare(context, grid)?;
                let chunks = source.run(context, &prepared, grid, || Collected::new(context), |_| ())?;
                let mut vector = label(chunks, &prepared, self.base_drops_name)?;
                vector.unite()?;
                vector
            }
            Base::Vector(vector) => vector,
        };
        for link in &self.links {
            apply(&mut vector, link)?;
        }
        Ok(vector)
    }
}

fn apply(vector: &mut Vector, link: &Link<'_>) -> Result<(), QueryError> {
    if vector.series.len() > COLUMNS_PER_THREAD {
        vector
            .series
            .par_iter_mut()
            .with_min_len(COLUMNS_PER_THREAD)
            .for_each(|series| (link.map)(&mut series.column));
    } else {
        vector
            .series
            .iter_mut()
            .for_each(|series| (link.map)(&mut series.column));
    }
    vector.drop_empty();
    if link.drops_name {
        vector.drop_names()?;
    }
    Ok(())
}

/// The instants, in seconds, of the newest samples of some series; with the metrics' names.
pub(crate) fn timestamps(
    context: &Context<'_>,
    selector: &VectorSelector,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let source = Source {
        selector,
        span,
        sourcing: Sourcing::Timestamp,
    };
    let prepared = source.prepare(context, grid)?;
    let chunks = source.run(context, &prepared, grid, || Collected::new(context), |_| ())?;
    label(chunks, &prepared, false)
}

/// Puts the labels to collected columns.
fn label(chunks: Vec<Collected>, prepared: &Prepared, drops_name: bool) -> Result<Vector, QueryError> {
    let mut vector = Vector::default();
    vector
        .series
        .reserve(chunks.iter().map(|chunk| chunk.columns.len()).sum());
    for chunk in chunks {
        vector.holds.extend(chunk.holds);
        for (position, column) in chunk.columns {
            let labels = prepared.set.labels(position)?;
            let labels = if drops_name { nameless(&labels) } else { labels };
            vector.series.push(Series { labels, column });
        }
    }
    Ok(vector)
}

/// The function or operator at the top of an expression, with the vector that it works on.
fn link<'c>(
    context: &'c Context<'_>,
    expr: &'c Expr,
    grid: Grid,
) -> Result<Option<(Link<'c>, &'c Expr)>, QueryError> {
    match &expr.kind {
        ExprKind::Unary { negate, expr: inner } => Ok(Some((binary::sign(*negate), inner))),
        ExprKind::Binary(operation) => {
            let (left, right) = (operation.lhs.value_type(), operation.rhs.value_type());
            match (left, right) {
                (ValueType::Vector, ValueType::Scalar) => {
                    let scalars = eval_scalar(context, &operation.rhs, grid)?;
                    let link = binary::with_scalar(context, operation, expr.span, scalars, false);
                    Ok(Some((link, &operation.lhs)))
                }
                (ValueType::Scalar, ValueType::Vector) => {
                    let scalars = eval_scalar(context, &operation.lhs, grid)?;
                    let link = binary::with_scalar(context, operation, expr.span, scalars, true);
                    Ok(Some((link, &operation.rhs)))
                }
                _ => Ok(None),
            }
        }
        ExprKind::Call(call) => function::link(context, call, grid),
        _ => Ok(None),
    }
}

/// A selector, or a function right on top of one, and whether that drops the metric's name.
fn base<'c>(
    context: &'c Context<'_>,
    expr: &'c Expr,
    grid: Grid,
) -> Result<Option<(Base<'c>, bool)>, QueryError> {
    let source = |selector, span, sourcing| {
        let source = Source {
            selector,
            span,
            sourcing,
        };
        let drops_name = source.drops_name();
        Ok(Some((Base::Source(source), drops_name)))
    };
    match &expr.kind {
        ExprKind::Vector(selector) if selector.widening.is_some() => Err(QueryError::Execution(
            "anchored and smoothed modifiers can only be used with a range".to_owned(),
        )),
        ExprKind::Vector(selector) => source(selector, expr.span, Sourcing::Value),
        ExprKind::Call(call) if call.function.id == FunctionId::Timestamp => {
            match &call.args[0].unwrap_parens().kind {
                ExprKind::Vector(selector) => source(selector, call.args[0].span, Sourcing::Timestamp),
                _ => Ok(None),
            }
        }
        ExprKind::Call(call) if RangeFunction::is(call.function.id) => {
            let (function, matrix) = range_function(context, call, grid)?;
            windowed(context, function, matrix, grid).map(Some)
        }
        _ => Ok(None),
    }
}

/// A range function on a range vector.
fn windowed<'c>(
    context: &Context<'_>,
    function: RangeFunction,
    matrix: &'c Expr,
    grid: Grid,
) -> Result<(Base<'c>, bool), QueryError> {
    match &matrix.unwrap_parens().kind {
        ExprKind::Matrix(selector) => {
            let range_ms = selector.range_ms;
            check_widening(function.id, selector.vector.widening)?;
            let source = Source {
                selector: &selector.vector,
                span: matrix.span,
                sourcing: Sourcing::Window { function, range_ms },
            };
            let drops_name = source.drops_name();
            Ok((Base::Source(source), drops_name))
        }
        ExprKind::Subquery(inner) => {
            let vector = subquery::over_time(context, &function, inner, matrix.span, grid)?;
            Ok((Base::Vector(vector), false))
        }
        _ => Err(QueryError::execution("expected a range vector")),
    }
}

/// Only some functions know what to do with samples beyond the edges.
fn check_widening(id: FunctionId, widening: Option<Widening>) -> Result<(), QueryError> {
    use FunctionId as F;
    let (name, known): (_, &[FunctionId]) = match widening {
        None => return Ok(()),
        Some(Widening::Anchored) => (
            "anchored",
            &[F::Changes, F::Delta, F::Increase, F::Rate, F::Resets],
        ),
        Some(Widening::Smoothed) => ("smoothed", &[F::Delta, F::Increase, F::Rate]),
    };
    if known.contains(&id) {
        return Ok(());
    }
    let known = known.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    let message = format!(
        "{name} modifier can only be used with: {known} - not with {}",
        id.as_str()
    );
    Err(QueryError::Execution(message))
}

/// A range function with its scalars evaluated, and its range vector.
fn range_function<'c>(
    context: &Context<'_>,
    call: &'c Call,
    grid: Grid,
) -> Result<(RangeFunction, &'c Expr), QueryError> {
    let mut args = Vec::new();
    let mut matrix = None;
    for arg in &call.args {
        if arg.value_type() == ValueType::Matrix {
            matrix = Some(arg);
        } else {
            args.push(eval_scalar(context, arg, grid)?);
        }
    }
    let id = call.function.id;
    let of_scalar = |i: usize| {
        call.args
            .iter()
            .filter(|arg| arg.value_type() == ValueType::Scalar)
            .nth(i)
    };
    match id {
        FunctionId::QuantileOverTime => {
            let span = of_scalar(0).map_or_else(SourceSpan::default, |arg| arg.span);
            function::note_quantile(context, span, &args[0]);
        }
        FunctionId::DoubleExponentialSmoothing => {
            for (name, factors) in [("smoothing", &args[0]), ("trend", &args[1])] {
                if let Some(wrong) = factors.iter().find(|factor| **factor <= 0.0 || **factor >= 1.0) {
                    let text = format!(
                        "invalid {name} factor. Expected: 0 < {}f < 1, got: {wrong:.6}",
                        &name[..1]
                    );
                    return Err(QueryError::execution(text));
                }
            }
        }
        _ => {}
    }
    let function = RangeFunction {
        id,
        args,
        steps: grid,
    };
    match matrix {
        Some(matrix) => Ok((function, matrix)),
        None => Err(QueryError::execution("expected a range vector")),
    }
}

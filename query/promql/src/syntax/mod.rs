//! The language: text to tree and back. Knows nothing of stores, steps or values.
//!
//! Source: Prometheus 3, "Querying basics", "Operators", "Query functions"; the wording of errors is Prometheus' own
//! where clients show it.

mod ast;
mod functions;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Fill, MatrixSelector,
    Modifiers, Number, SourceSpan, Subquery, ValueType, VectorMatching, VectorSelector, Widening,
};
pub use functions::{Arity, Function, FunctionId, function};

//! The language: text to tree and back. Knows nothing of stores, steps or values.
//!
//! Source: Prometheus 3, "Querying basics", "Operators", "Query functions"; the wording of errors is Prometheus' own
//! where clients show it.

mod ast;
mod error;
mod functions;
mod options;

mod check;
mod duration;
mod lexer;
mod number;
mod parser;
mod quote;
mod token;

mod display;
mod json;
mod pretty;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Fill, MatrixSelector,
    Modifiers, Number, SourceSpan, Subquery, ValueType, VectorMatching, VectorSelector, Widening,
};
pub use duration::{DurationError, parse_duration};
pub use error::ParseError;
pub use functions::{Arity, Function, FunctionId, all as functions, function};
pub use options::ParseOptions;
pub use parser::{parse, parse_selector};
pub use pretty::prettify;

#[cfg(test)]
mod tests;

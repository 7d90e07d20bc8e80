//! The text of an expression on as many lines as it needs: what Prometheus' `/api/v1/format_query` gives.
//!
//! A node whose canonical text is longer than a line is split: its children stand on lines of their own, one step
//! further in. Selectors and literals are never split.

use std::fmt::{self, Write};

use super::display::{AggregateHead, LeftSide, Operator, SubquerySuffix, sign};
use super::{Expr, ExprKind};

/// A longer text is split; in bytes, as Prometheus counts.
const LINE_BYTES_MAX: usize = 100;

/// Writes an expression on several lines where it is long. Reading the text gives the same tree again.
#[must_use]
pub fn prettify(expr: &Expr) -> String {
    let mut out = String::new();
    // Writing to a text does not fail.
    let _ = write_node(&mut out, expr, 0);
    out
}

fn write_node(out: &mut String, expr: &Expr, level: usize) -> fmt::Result {
    // A subquery leaves the indent to what it is made of, and on one line has none; Prometheus does so.
    let is_subquery = matches!(expr.kind, ExprKind::Subquery(_));
    if fits(expr) {
        return write!(out, "{}{expr}", indent(if is_subquery { 0 } else { level }));
    }
    match &expr.kind {
        ExprKind::Aggregate(aggregate) => {
            writeln!(out, "{}{}(", indent(level), AggregateHead(aggregate))?;
            if let Some(param) = &aggregate.param {
                write_node(out, param, level + 1)?;
                out.push_str(",\n");
            }
            write_node(out, &aggregate.expr, level + 1)?;
            write!(out, "\n{})", indent(level))
        }
        ExprKind::Binary(binary) => {
            match binary.lhs.kind {
                ExprKind::Number(_) => write!(out, "{}{}", indent(level + 1), LeftSide(binary))?,
                _ => write_node(out, &binary.lhs, level + 1)?,
            }
            write!(out, "\n{}{}\n", indent(level), Operator(binary))?;
            write_node(out, &binary.rhs, level + 1)
        }
        ExprKind::Call(call) => {
            writeln!(out, "{}{}(", indent(level), call.function.name)?;
            for (i, arg) in call.args.iter().enumerate() {
                if i > 0 {
                    out.push_str(",\n");
                }
                write_node(out, arg, level + 1)?;
            }
            write!(out, "\n{})", indent(level))
        }
        ExprKind::Paren(inner) => {
            writeln!(out, "{}(", indent(level))?;
            write_node(out, inner, level + 1)?;
            write!(out, "\n{})", indent(level))
        }
        ExprKind::Subquery(subquery) => {
            write_node(out, &subquery.expr, level)?;
            write!(out, "{}", SubquerySuffix(subquery))
        }
        ExprKind::Unary { negate, expr } => {
            write!(out, "{}{}", indent(level), sign(*negate))?;
            // The sign takes the place before the child's indent.
            let start = out.len();
            write_node(out, expr, level)?;
            let spaces = out[start..].len() - out[start..].trim_start_matches(' ').len();
            out.replace_range(start..start + spaces, "");
            Ok(())
        }
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Vector(_) | ExprKind::Matrix(_) => {
            write!(out, "{}{expr}", indent(level))
        }
    }
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

/// Whether the canonical text fits a line. Printing stops where the line ends, so that this costs little however long
/// the text is.
fn fits(expr: &Expr) -> bool {
    struct Line {
        left: usize,
    }
    impl Write for Line {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut line = Line { left: LINE_BYTES_MAX };
    write!(line, "{expr}").is_ok()
}

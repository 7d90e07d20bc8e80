//! The canonical text of an expression: what Prometheus' `Expr.String()` gives.
//!
//! Reading it gives the same tree again, except where the text was a computed duration, which prints as its result.

use std::fmt::{self, Formatter, Write};

use barograph_model::{METRIC_NAME, MatchOp, Matcher, format_duration_ms};

use super::quote::quote;
use super::{
    Aggregate, At, Binary, BinaryOp, Cardinality, Expr, ExprKind, Fill, Modifiers, Number, Subquery,
    VectorMatching, VectorSelector, Widening,
};

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::String(text) => f.write_str(&quote(text)),
            ExprKind::Vector(vector) => vector.fmt(f),
            ExprKind::Matrix(matrix) => {
                write_series(&matrix.vector, f)?;
                write!(f, "[{}]", format_duration_ms(matrix.range_ms))?;
                write_widening(matrix.vector.widening, f)?;
                write_at(&matrix.vector.modifiers, f)?;
                write_offset(&matrix.vector.modifiers, f)
            }
            ExprKind::Subquery(subquery) => write!(f, "{}{}", subquery.expr, SubquerySuffix(subquery)),
            ExprKind::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                write_list(&call.args, f, |arg, f| arg.fmt(f))?;
                f.write_char(')')
            }
            ExprKind::Aggregate(aggregate) => {
                write!(f, "{}(", AggregateHead(aggregate))?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            ExprKind::Binary(binary) => {
                write!(f, "{} {} {}", LeftSide(binary), Operator(binary), binary.rhs)
            }
            ExprKind::Unary { negate, expr } => write!(f, "{}{expr}", sign(*negate)),
            ExprKind::Paren(expr) => write!(f, "({expr})"),
        }
    }
}

pub(super) fn sign(negate: bool) -> char {
    if negate { '-' } else { '+' }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            return f.write_str(&format_duration_ms((self.value * 1e3).round() as i64));
        }
        f.write_str(&plain_float(self.value))
    }
}

/// The shortest digits that read back to the same float, without an exponent.
pub(super) fn plain_float(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value if value.is_nan() => "NaN".to_owned(),
        value => value.to_string(),
    }
}

/// As Go's `%v`: with an exponent where the plain digits would be long.
fn short_float(value: f64) -> String {
    let digits = format!("{value:e}");
    match digits
        .split_once('e')
        .map(|(mantissa, e)| (mantissa, e.parse::<i32>()))
    {
        Some((mantissa, Ok(exponent))) if !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => plain_float(value),
    }
}

impl fmt::Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_series(self, f)?;
        write_at(&self.modifiers, f)?;
        write_widening(self.widening, f)?;
        write_offset(&self.modifiers, f)
    }
}

/// Which series: the name, and the other matchers in the order of their texts.
fn write_series(vector: &VectorSelector, f: &mut Formatter<'_>) -> fmt::Result {
    let metric = vector.metric.as_deref().unwrap_or_default();
    f.write_str(metric)?;
    let is_name = |matcher: &&Matcher| {
        !metric.is_empty()
            && matcher.name() == METRIC_NAME
            && matcher.op() == MatchOp::Equal
            && matcher.value() == metric
    };
    let others = vector.matchers.iter().filter(|matcher| !is_name(matcher));
    let mut texts: Vec<String> = others.map(matcher_text).collect();
    if texts.is_empty() && !metric.is_empty() {
        return Ok(());
    }
    texts.sort_unstable();
    write!(f, "{{{}}}", texts.join(","))
}

fn matcher_text(matcher: &Matcher) -> String {
    format!(
        "{}{}{}",
        label_text(matcher.name()),
        matcher.op(),
        quote(matcher.value())
    )
}

/// A label's name, in quotes where it is not a plain word.
fn label_text(name: &str) -> String {
    let is_plain = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    let starts_with_digit = name.as_bytes().first().is_none_or(u8::is_ascii_digit);
    if starts_with_digit || !name.bytes().all(is_plain) {
        return quote(name);
    }
    name.to_owned()
}

fn write_at(modifiers: &Modifiers, f: &mut Formatter<'_>) -> fmt::Result {
    match modifiers.at {
        Some(At::Timestamp(ms)) => write!(f, " @ {:.3}", ms as f64 / 1e3),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn write_offset(modifiers: &Modifiers, f: &mut Formatter<'_>) -> fmt::Result {
    match modifiers.offset_ms {
        0 => Ok(()),
        ms => write!(f, " offset {}", format_duration_ms(ms)),
    }
}

fn write_widening(widening: Option<Widening>, f: &mut Formatter<'_>) -> fmt::Result {
    match widening {
        Some(Widening::Anchored) => f.write_str(" anchored"),
        Some(Widening::Smoothed) => f.write_str(" smoothed"),
        None => Ok(()),
    }
}

fn write_list<T>(
    items: &[T],
    f: &mut Formatter<'_>,
    write: impl Fn(&T, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write(item, f)?;
    }
    Ok(())
}

fn write_labels(labels: &[String], f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('(')?;
    write_list(labels, f, |label, f| f.write_str(&label_text(label)))?;
    f.write_char(')')
}

/// `[1h:5m] @ end() offset 1d`
pub(super) struct SubquerySuffix<'a>(pub(super) &'a Subquery);

impl fmt::Display for SubquerySuffix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let step = self.0.step_ms.map(format_duration_ms).unwrap_or_default();
        write!(f, "[{}:{step}]", format_duration_ms(self.0.range_ms))?;
        write_at(&self.0.modifiers, f)?;
        write_offset(&self.0.modifiers, f)
    }
}

/// `sum by (job) `, or `sum`
pub(super) struct AggregateHead<'a>(pub(super) &'a Aggregate);

impl fmt::Display for AggregateHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        let keyword = match (self.0.without, self.0.grouping.is_empty()) {
            (true, _) => " without ",
            (false, false) => " by ",
            (false, true) => return Ok(()),
        };
        f.write_str(keyword)?;
        write_labels(&self.0.grouping, f)?;
        f.write_char(' ')
    }
}

/// The left side of an operator.
pub(super) struct LeftSide<'a>(pub(super) &'a Binary);

impl fmt::Display for LeftSide<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0.lhs.kind {
            // Prometheus writes its sign here too, and reads it back as the sign of the power.
            ExprKind::Number(number) if self.0.op == BinaryOp::Pow && number.value == f64::INFINITY => {
                f.write_str("Inf")
            }
            _ => self.0.lhs.fmt(f),
        }
    }
}

/// `== bool on (job) group_left (zone)`
pub(super) struct Operator<'a>(pub(super) &'a Binary);

impl fmt::Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        match &self.0.matching {
            Some(matching) => write_matching(matching, f),
            None => Ok(()),
        }
    }
}

fn write_matching(matching: &VectorMatching, f: &mut Formatter<'_>) -> fmt::Result {
    let group = match matching.cardinality {
        Cardinality::ManyToOne => Some(" group_left "),
        Cardinality::OneToMany => Some(" group_right "),
        Cardinality::OneToOne | Cardinality::ManyToMany => None,
    };
    if !matching.labels.is_empty() || matching.on || group.is_some() {
        f.write_str(if matching.on { " on " } else { " ignoring " })?;
        write_labels(&matching.labels, f)?;
    }
    if let Some(group) = group {
        f.write_str(group)?;
        write_labels(&matching.include, f)?;
    }
    write_fill(&matching.fill, f)
}

fn write_fill(fill: &Fill, f: &mut Formatter<'_>) -> fmt::Result {
    if let (Some(left), Some(right)) = (fill.left, fill.right)
        && left.to_bits() == right.to_bits()
    {
        return write!(f, " fill ({})", short_float(left));
    }
    if let Some(left) = fill.left {
        write!(f, " fill_left ({})", short_float(left))?;
    }
    if let Some(right) = fill.right {
        write!(f, " fill_right ({})", short_float(right))?;
    }
    Ok(())
}

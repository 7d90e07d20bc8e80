//! From conditions on `ts` to the range of instants that can meet them.

use barograph_model::TimeRange;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator, TryCast};

/// A range, and whether the condition holds for exactly the instants inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) range: TimeRange,
    pub(crate) exact: bool,
}

/// The instants for which a condition can hold; `None` where it does not bound them.
///
/// `name` is the column of instants. Comparisons are exact, also against literals finer than a millisecond;
/// AND is the intersection; OR and IN give the range that spans all alternatives.
pub(crate) fn time_bounds(expr: &Expr, name: &str) -> Option<Bounds> {
    match expr {
        Expr::Alias(alias) => time_bounds(&alias.expr, name),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And,
            right,
        }) => match (time_bounds(left, name), time_bounds(right, name)) {
            (Some(a), Some(b)) => Some(Bounds {
                range: a.range.intersect(&b.range),
                exact: a.exact && b.exact,
            }),
            (Some(one), None) | (None, Some(one)) => Some(Bounds { exact: false, ..one }),
            (None, None) => None,
        },
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let (a, b) = (time_bounds(left, name)?, time_bounds(right, name)?);
            Some(Bounds {
                range: span(&a.range, &b.range),
                exact: false,
            })
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if is_instant(left, name) {
                compare(*op, literal_ns(right)?)
            } else if is_instant(right, name) {
                compare(op.swap()?, literal_ns(left)?)
            } else {
                None
            }
        }
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) if is_instant(expr, name) => {
            let low = compare(Operator::GtEq, literal_ns(low)?)?;
            let high = compare(Operator::LtEq, literal_ns(high)?)?;
            Some(Bounds {
                range: low.range.intersect(&high.range),
                exact: true,
            })
        }
        Expr::InList(list) if !list.negated && is_instant(&list.expr, name) => {
            let mut spanned: Option<TimeRange> = None;
            for item in &list.list {
                let one = compare(Operator::Eq, literal_ns(item)?)?.range;
                spanned = Some(spanned.map_or(one, |all| span(&all, &one)));
            }
            spanned.map(|range| Bounds { range, exact: false })
        }
        _ => None,
    }
}

/// The smallest range around both.
fn span(a: &TimeRange, b: &TimeRange) -> TimeRange {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => *b,
        (_, true) => *a,
        _ => TimeRange {
            start: a.start.min(b.start),
            end: a.end.max(b.end),
        },
    }
}

/// The column itself, also under a cast that keeps every instant apart: a coarser unit would not.
fn is_instant(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Column(column) => column.name == name,
        Expr::Cast(Cast { expr, field, .. }) | Expr::TryCast(TryCast { expr, field, .. }) => {
            let keeps = !matches!(field.data_type(), DataType::Timestamp(TimeUnit::Second, _));
            keeps && matches!(field.data_type(), DataType::Timestamp(..)) && is_instant(expr, name)
        }
        _ => false,
    }
}

/// A literal instant in nanoseconds, wide enough for every unit.
fn literal_ns(expr: &Expr) -> Option<i128> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    let (count, unit_ns) = match value {
        ScalarValue::TimestampSecond(Some(count), _) => (*count, 1_000_000_000),
        ScalarValue::TimestampMillisecond(Some(count), _) => (*count, 1_000_000),
        ScalarValue::TimestampMicrosecond(Some(count), _) => (*count, 1_000),
        ScalarValue::TimestampNanosecond(Some(count), _) => (*count, 1),
        _ => return None,
    };
    Some(i128::from(count) * unit_ns)
}

/// The milliseconds `ts` for which `ts op literal` holds.
fn compare(op: Operator, literal_ns: i128) -> Option<Bounds> {
    let floor = literal_ns.div_euclid(1_000_000);
    let whole = literal_ns.rem_euclid(1_000_000) == 0;
    let ceil = if whole { floor } else { floor + 1 };
    let (start, end) = match op {
        Operator::Gt => (floor + 1, i128::from(i64::MAX)),
        Operator::GtEq => (ceil, i128::from(i64::MAX)),
        Operator::Lt => (i128::from(i64::MIN), ceil - 1),
        Operator::LtEq => (i128::from(i64::MIN), floor),
        Operator::Eq => (ceil, floor),
        _ => return None,
    };
    // A literal beyond the range of milliseconds leaves everything or nothing.
    let clamp = |ms: i128| i64::try_from(ms.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or_default();
    let nothing = start > i128::from(i64::MAX) || end < i128::from(i64::MIN) || start > end;
    let range = if nothing {
        TimeRange::new(1, 0)
    } else {
        TimeRange::new(clamp(start), clamp(end))
    };
    Some(Bounds { range, exact: true })
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn at(value: ScalarValue) -> Expr {
        Expr::Literal(value, None)
    }

    fn ms(ms: i64) -> Expr {
        at(ScalarValue::TimestampMillisecond(Some(ms), Some("UTC".into())))
    }

    fn ns(ns: i64) -> Expr {
        at(ScalarValue::TimestampNanosecond(Some(ns), None))
    }

    fn range(expr: &Expr) -> Option<(i64, i64, bool)> {
        time_bounds(expr, "ts").map(|b| (b.range.start.0, b.range.end.0, b.exact))
    }

    #[test]
    fn comparisons_are_exact() {
        let ts = || col("ts");
        assert_eq!(range(&ts().gt(ms(5))), Some((6, i64::MAX, true)));
        assert_eq!(range(&ts().gt_eq(ms(5))), Some((5, i64::MAX, true)));
        assert_eq!(range(&ms(5).gt(ts())), Some((i64::MIN, 4, true)));
        assert_eq!(range(&ts().eq(ms(5))), Some((5, 5, true)));
        assert_eq!(range(&ts().between(ms(5), ms(7))), Some((5, 7, true)));
        assert_eq!(range(&ts().not_eq(ms(5))), None);
        assert_eq!(range(&ts().gt(lit(5))), None);
        assert_eq!(range(&col("value").gt(ms(5))), None);
    }

    #[test]
    fn literals_between_milliseconds_round_the_right_way() {
        let ts = || col("ts");
        assert_eq!(range(&ts().gt(ns(1_500_000))), Some((2, i64::MAX, true)));
        assert_eq!(range(&ts().gt_eq(ns(1_500_000))), Some((2, i64::MAX, true)));
        assert_eq!(range(&ts().lt(ns(1_500_000))), Some((i64::MIN, 1, true)));
        assert_eq!(range(&ts().lt_eq(ns(-1_500_000))), Some((i64::MIN, -2, true)));
        let never = time_bounds(&ts().eq(ns(1_500_000)), "ts").unwrap();
        assert!(never.range.is_empty() && never.exact);
        assert_eq!(
            range(&ts().lt(at(ScalarValue::TimestampSecond(Some(i64::MAX), None)))),
            Some((i64::MIN, i64::MAX, true))
        );
        let beyond = time_bounds(
            &ts().gt(at(ScalarValue::TimestampSecond(Some(i64::MAX), None))),
            "ts",
        )
        .unwrap();
        assert!(beyond.range.is_empty());
    }

    #[test]
    fn combinations_span_or_intersect() {
        let ts = || col("ts");
        assert_eq!(range(&ts().gt(ms(5)).and(ts().lt(ms(9)))), Some((6, 8, true)));
        assert_eq!(range(&ts().eq(ms(5)).or(ts().eq(ms(9)))), Some((5, 9, false)));
        assert_eq!(
            range(&ts().gt(ms(5)).and(col("a").eq(lit("x")))),
            Some((6, i64::MAX, false))
        );
        assert_eq!(range(&ts().gt(ms(5)).or(col("a").eq(lit("x")))), None);
        assert_eq!(
            range(&ts().in_list(vec![ms(5), ms(1)], false)),
            Some((1, 5, false))
        );
        assert_eq!(range(&ts().in_list(vec![ms(5), ms(1)], true)), None);
    }
}

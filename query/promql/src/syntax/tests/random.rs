//! Random trees: what is printed reads back to the same tree.

use barograph_model::{METRIC_NAME, MatchOp, Matcher};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::same::assert_same;
use super::{read, *};

proptest! {
    #[test]
    fn what_is_printed_reads_back(expr in prop_oneof![vector(), scalar()]) {
        let canonical = expr.to_string();
        let again = read(&canonical).map_err(|error| TestCaseError::fail(format!("{canonical}: {error}")))?;
        assert_same(&expr, &again);
        prop_assert_eq!(again.to_string(), canonical);
        let pretty = prettify(&expr);
        let again = read(&pretty).map_err(|error| TestCaseError::fail(format!("{pretty}: {error}")))?;
        assert_same(&expr, &again);
    }

    /// Any text has an answer.
    #[test]
    fn reading_never_panics(text in "\\PC*") {
        drop(read(&text));
        drop(parse_selector(&text));
        drop(parse_duration(&text));
    }

    /// Words of the language in any order get further than any characters.
    #[test]
    fn reading_words_never_panics(words in vec(select(WORDS), 0..20)) {
        let text = words.join(" ");
        if let Ok(expr) = read(&text) {
            assert_same(&expr, &read(&expr.to_string()).unwrap());
        }
    }
}

const WORDS: &[&str] = &[
    "x",
    "a:b",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    "=",
    "!=",
    "=~",
    "!~",
    "==",
    "<",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "@",
    "1",
    "5m",
    "'s'",
    "`r`",
    "and",
    "or",
    "unless",
    "atan2",
    "bool",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "fill",
    "fill_left",
    "by",
    "without",
    "offset",
    "anchored",
    "smoothed",
    "start",
    "end",
    "step",
    "sum",
    "topk",
    "count_values",
    "min",
    "rate",
    "abs",
    "time",
    "info",
    "x[5m]",
    "()",
    "(a)",
    "inf",
    "{a='b'}",
    "#",
];

fn node(kind: ExprKind) -> Expr {
    Expr {
        kind,
        span: SourceSpan::default(),
    }
}

/// In parentheses, if it would otherwise read as something else beside an operator of this precedence.
fn operand(expr: Expr, precedence: u8) -> Expr {
    let own = match &expr.kind {
        ExprKind::Binary(binary) => binary.op.precedence(),
        // The sign stands between `*` and `^`.
        ExprKind::Unary { .. } => 6,
        ExprKind::Number(number) if number.value.is_sign_negative() => 6,
        _ => u8::MAX,
    };
    if own < precedence {
        return node(ExprKind::Paren(Box::new(expr)));
    }
    expr
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_][a-z0-9_]{0,8}",
        select(
            &[
                "sum",
                "and",
                "by",
                "start",
                "offset",
                "bool",
                "a.b",
                "é",
                "0a",
                "with \"quotes\""
            ][..]
        )
        .prop_map(ToOwned::to_owned),
    ]
}

fn metric() -> impl Strategy<Value = String> {
    prop_oneof![
        "m_[a-z0-9_:]{0,12}",
        select(&["sum", "and", "by", "start", "step", "anchored", "fill", ":x"][..])
            .prop_map(ToOwned::to_owned),
    ]
}

fn modifiers() -> impl Strategy<Value = Modifiers> {
    let at = prop_oneof![
        (-10_000_000_000_000i64..10_000_000_000_000).prop_map(At::Timestamp),
        Just(At::Start),
        Just(At::End),
    ];
    let offset_ms = prop_oneof![2 => Just(0), 1 => -100_000_000_000i64..100_000_000_000];
    (offset_ms, option::of(at)).prop_map(|(offset_ms, at)| Modifiers { offset_ms, at })
}

fn selector() -> impl Strategy<Value = VectorSelector> {
    let op = select(
        &[
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ][..],
    );
    let matcher = (name(), op, "[a-z\"\\n.é]{1,6}|[^\\[\\](){}*+?\\\\|^$]{1,6}")
        .prop_filter_map("a usable pattern", |(name, op, value)| {
            Matcher::new(&name, op, &value).ok()
        });
    let widening = option::weighted(0.1, select(&[Widening::Anchored, Widening::Smoothed][..]));
    (option::of(metric()), vec(matcher, 0..4), modifiers(), widening).prop_map(
        |(metric, mut matchers, modifiers, widening)| {
            match &metric {
                Some(metric) => matchers.push(Matcher::equal(METRIC_NAME, metric)),
                None => matchers.push(Matcher::equal("at_least", "one")),
            }
            VectorSelector {
                metric,
                matchers,
                modifiers,
                widening,
            }
        },
    )
}

fn range_ms() -> impl Strategy<Value = i64> {
    prop_oneof![
        1..100_000_000_000i64,
        (1..1000i64).prop_map(|minutes| minutes * 60_000)
    ]
}

fn scalar() -> impl Strategy<Value = Expr> + Clone {
    let float = prop_oneof![
        any::<f64>(),
        (-1000..1000i32).prop_map(f64::from),
        Just(f64::NAN),
        Just(f64::INFINITY)
    ];
    let number = |value, is_duration| node(ExprKind::Number(Number { value, is_duration }));
    let leaf = prop_oneof![
        // Like the sign of any other number, that of a NaN would be part of it; but a NaN prints without.
        float.prop_map(move |value| number(if value.is_nan() { f64::NAN } else { value }, false)),
        (0..1_000_000_000i64).prop_map(move |ms| number(ms as f64 / 1e3, true)),
        Just("time").prop_map(|name| call(name, Vec::new())),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let op = select(&[BinaryOp::Add, BinaryOp::Pow, BinaryOp::Atan2, BinaryOp::Mod][..]);
        (op, inner.clone(), inner).prop_map(|(op, lhs, rhs)| binary(op, lhs, rhs, None, false))
    })
    .boxed()
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let function = function(name).unwrap();
    node(ExprKind::Call(Call { function, args }))
}

fn binary(op: BinaryOp, lhs: Expr, rhs: Expr, matching: Option<VectorMatching>, return_bool: bool) -> Expr {
    let precedence = op.precedence();
    let right = op == BinaryOp::Pow;
    // A sign at the right end of the left side would take `^` for itself, wherever it stands.
    let lhs = match &lhs.kind {
        ExprKind::Binary(_) if right => node(ExprKind::Paren(Box::new(lhs))),
        _ => operand(lhs, precedence + u8::from(right)),
    };
    // A sign needs no parentheses on the right side.
    let rhs = match &rhs.kind {
        ExprKind::Unary { .. } | ExprKind::Number(_) => rhs,
        _ => operand(rhs, precedence + u8::from(!right)),
    };
    node(ExprKind::Binary(Box::new(Binary {
        op,
        lhs,
        rhs,
        matching,
        return_bool,
    })))
}

fn matching(is_set: bool) -> impl Strategy<Value = VectorMatching> {
    let cardinality = select(
        &[
            Cardinality::OneToOne,
            Cardinality::ManyToOne,
            Cardinality::OneToMany,
        ][..],
    );
    let fill = (option::of(-5.0..5.0), option::of(-5.0..5.0));
    (
        cardinality,
        vec(name(), 0..3),
        any::<bool>(),
        vec(name(), 0..2),
        fill,
    )
        .prop_map(move |(cardinality, labels, on, mut include, (left, right))| {
            include.retain(|label| !labels.contains(label));
            let (cardinality, fill) = match is_set {
                true => (Cardinality::ManyToMany, Fill::default()),
                false => (cardinality, Fill { left, right }),
            };
            if matches!(cardinality, Cardinality::OneToOne | Cardinality::ManyToMany) {
                include.clear();
            }
            VectorMatching {
                cardinality,
                labels,
                on,
                include,
                fill,
            }
        })
}

fn vector() -> impl Strategy<Value = Expr> {
    let leaf = selector().prop_map(|vector| node(ExprKind::Vector(vector)));
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|inner| node(ExprKind::Paren(Box::new(inner)))),
            (any::<bool>(), inner.clone()).prop_map(|(negate, inner)| {
                let expr = Box::new(operand(inner, 6));
                node(ExprKind::Unary { negate, expr })
            }),
            (
                select(&["rate", "ts_of_max_over_time"][..]),
                selector(),
                range_ms()
            )
                .prop_map(|(name, vector, range_ms)| {
                    let vector_span = SourceSpan::default();
                    let matrix = MatrixSelector {
                        vector,
                        vector_span,
                        range_ms,
                    };
                    call(name, vec![node(ExprKind::Matrix(matrix))])
                }),
            (inner.clone(), range_ms(), option::of(range_ms()), modifiers()).prop_map(
                |(expr, range_ms, step_ms, modifiers)| {
                    let subquery = Subquery {
                        expr: operand(expr, u8::MAX),
                        range_ms,
                        step_ms,
                        modifiers,
                    };
                    call(
                        "max_over_time",
                        vec![node(ExprKind::Subquery(Box::new(subquery)))],
                    )
                }
            ),
            (inner.clone(), scalar(), scalar())
                .prop_map(|(vector, min, max)| call("clamp", vec![vector, min, max])),
            aggregate(inner.clone()),
            (
                scalar(),
                inner.clone(),
                select(&[BinaryOp::Sub, BinaryOp::Pow, BinaryOp::Less][..])
            )
                .prop_map(|(scalar, vector, op)| binary(
                    op,
                    scalar,
                    vector,
                    None,
                    op.is_comparison()
                )),
            (inner.clone(), inner.clone(), matching(false), any::<bool>()).prop_map(
                |(lhs, rhs, matching, is_less)| match is_less {
                    true => binary(BinaryOp::LessOrEqual, lhs, rhs, Some(matching), true),
                    false => binary(BinaryOp::Mul, lhs, rhs, Some(matching), false),
                }
            ),
            (
                select(&[BinaryOp::And, BinaryOp::Or][..]),
                inner.clone(),
                inner,
                matching(true)
            )
                .prop_map(|(op, lhs, rhs, matching)| binary(op, lhs, rhs, Some(matching), false)),
        ]
    })
}

fn aggregate(inner: impl Strategy<Value = Expr>) -> impl Strategy<Value = Expr> {
    let op = select(&AggregateOp::ALL[..]);
    (op, inner, scalar(), "\\PC{0,4}", vec(name(), 0..3), any::<bool>()).prop_map(
        |(op, expr, scalar, text, grouping, without)| {
            let param = op.parameter().map(|parameter| match parameter {
                ValueType::String => node(ExprKind::String(text)),
                _ => scalar,
            });
            node(ExprKind::Aggregate(Box::new(Aggregate {
                op,
                param,
                expr,
                grouping,
                without,
            })))
        },
    )
}

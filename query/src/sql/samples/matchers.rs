//! From conditions on labels to matchers that the index understands.

use barograph_model::{MatchOp, Matcher};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Like, Operator, TryCast};

/// Alternatives beyond this are not worth a regular expression: they are looked up series by series.
const ALTERNATIVES_MAX: usize = 1_000;

/// Matchers for a condition.
#[derive(Debug)]
pub(crate) struct Narrowed {
    /// Every series for which the condition is true passes all of them.
    pub(crate) matchers: Vec<Matcher>,
    /// Whether no other series passes them, so that the condition itself need not be evaluated.
    pub(crate) exact: bool,
}

impl Narrowed {
    fn exact(matchers: Vec<Matcher>) -> Self {
        Self {
            matchers,
            exact: true,
        }
    }

    /// For conditions that are NULL, and so not true, on an absent label: that much a matcher can always say.
    fn at_least(mut matchers: Vec<Matcher>, label: &str) -> Self {
        matchers.extend(present(label));
        Self {
            matchers,
            exact: false,
        }
    }
}

/// Matchers for a condition on one label, or `None` where the index cannot help. `label_of` names the label
/// behind an expression.
pub(crate) fn matchers(expr: &Expr, label_of: &dyn Fn(&Expr) -> Option<String>) -> Option<Narrowed> {
    let label_of = |expr: &Expr| label_of(without_string_cast(expr));
    if let Some((label, values)) = alternatives(expr, &label_of) {
        return equal_to_one_of(&label, &values);
    }
    match expr {
        Expr::Alias(alias) => matchers(&alias.expr, &label_of),
        Expr::IsNotNull(inner) => Some(Narrowed::exact(present(&label_of(inner)?).into())),
        Expr::IsNull(inner) => Some(Narrowed::exact(vec![Matcher::equal(&label_of(inner)?, "")])),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if let (Some(label), Some(text)) = (label_of(left), text(right)) {
                compare(&label, *op, text)
            } else {
                compare(&label_of(right)?, op.swap()?, text(left)?)
            }
        }
        Expr::Like(like) if !like.case_insensitive && like.escape_char.is_none() => {
            like_pattern(like, &label_of)
        }
        Expr::InList(list) if list.negated => {
            let label = &label_of(&list.expr)?;
            let values = list.list.iter().map(text).collect::<Option<Vec<_>>>()?;
            let pattern = one_of(&values)?;
            let mut matchers = vec![Matcher::new(label, MatchOp::NotRegex, &pattern).ok()?];
            matchers.extend(present(label));
            Some(Narrowed::exact(matchers))
        }
        Expr::ScalarFunction(call) => {
            let (label, argument) = match call.args.as_slice() {
                [label, argument] => (&label_of(label)?, text(argument)?),
                _ => return None,
            };
            match call.name() {
                "starts_with" => {
                    let pattern = format!("{}.*", regex::escape(argument));
                    let prefix = Matcher::new(label, MatchOp::Regex, &pattern).ok()?;
                    Some(Narrowed::exact([vec![prefix], present(label).into()].concat()))
                }
                "regexp_like" => found_somewhere(label, argument),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The label is there.
fn present(label: &str) -> [Matcher; 1] {
    // Building a matcher that is no pattern cannot fail; where it did, the condition would only be looser.
    [Matcher::new(label, MatchOp::NotEqual, "").unwrap_or_else(|_| Matcher::equal(label, ""))]
}

fn compare(label: &str, op: Operator, text: &str) -> Option<Narrowed> {
    match op {
        Operator::NotEq => {
            let other = Matcher::new(label, MatchOp::NotEqual, text).ok()?;
            Some(Narrowed::exact([vec![other], present(label).into()].concat()))
        }
        Operator::RegexMatch => found_somewhere(label, text),
        Operator::RegexIMatch => found_somewhere(label, &format!("(?i){text}")),
        Operator::RegexNotMatch | Operator::RegexNotIMatch => Some(Narrowed::at_least(vec![], label)),
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            Some(Narrowed::at_least(vec![], label))
        }
        _ => None,
    }
}

/// SQL's expressions match anywhere in the text, a matcher's the whole of it, and its `.` matches newlines
/// too. So the matcher accepts at least what SQL accepts, and SQL has the last word.
fn found_somewhere(label: &str, pattern: &str) -> Option<Narrowed> {
    let pattern = format!("(?s:.*)(?:{pattern})(?s:.*)");
    Some(Narrowed::at_least(
        vec![Matcher::new(label, MatchOp::Regex, &pattern).ok()?],
        label,
    ))
}

fn like_pattern(like: &Like, label_of: &dyn Fn(&Expr) -> Option<String>) -> Option<Narrowed> {
    let (label, pattern) = (&label_of(&like.expr)?, text(&like.pattern)?);
    if pattern.contains('\\') {
        return Some(Narrowed::at_least(vec![], label));
    }
    let mut expression = String::new();
    for c in pattern.chars() {
        match c {
            '%' => expression.push_str(".*"),
            '_' => expression.push('.'),
            c => expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    let op = if like.negated {
        MatchOp::NotRegex
    } else {
        MatchOp::Regex
    };
    let matcher = Matcher::new(label, op, &expression).ok()?;
    Some(Narrowed::exact([vec![matcher], present(label).into()].concat()))
}

/// `a = 'x'`, `a = 'x' OR a = 'y'`, `a IN ('x', 'y')`: one label and the texts it may have.
fn alternatives<'e>(
    expr: &'e Expr,
    label_of: &dyn Fn(&Expr) -> Option<String>,
) -> Option<(String, Vec<&'e str>)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => match (label_of(left), text(right)) {
            (Some(label), Some(value)) => Some((label, vec![value])),
            _ => Some((label_of(right)?, vec![text(left)?])),
        },
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let (label, mut values) = alternatives(left, label_of)?;
            let (same, more) = alternatives(right, label_of)?;
            values.extend(more);
            (label == same && values.len() <= ALTERNATIVES_MAX).then_some((label, values))
        }
        Expr::InList(list) if !list.negated => {
            // NULL among the alternatives makes the others no less true, and it matches nothing itself.
            let is_null = |expr: &&Expr| matches!(expr, Expr::Literal(value, _) if value.is_null());
            let values = list
                .list
                .iter()
                .filter(|expr| !is_null(expr))
                .map(text)
                .collect::<Option<Vec<_>>>()?;
            Some((label_of(&list.expr)?, values))
        }
        _ => None,
    }
}

/// The empty text equals no label: what is empty is absent, and so NULL.
fn equal_to_one_of(label: &str, values: &[&str]) -> Option<Narrowed> {
    let values: Vec<_> = values.iter().copied().filter(|value| !value.is_empty()).collect();
    match values.as_slice() {
        [] => Some(Narrowed::at_least(vec![], label)),
        [value] => Some(Narrowed::exact(vec![Matcher::equal(label, value)])),
        values => Some(Narrowed::exact(vec![
            Matcher::new(label, MatchOp::Regex, &one_of(values)?).ok()?,
        ])),
    }
}

fn one_of(values: &[&str]) -> Option<String> {
    if values.len() > ALTERNATIVES_MAX {
        return None;
    }
    Some(
        values
            .iter()
            .map(|value| regex::escape(value))
            .collect::<Vec<_>>()
            .join("|"),
    )
}

/// A literal text.
fn text(expr: &Expr) -> Option<&str> {
    match without_string_cast(expr) {
        Expr::Literal(
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
            _,
        ) => text.as_deref(),
        _ => None,
    }
}

/// Casts between the kinds of text change nothing.
fn without_string_cast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(Cast { expr: inner, field }) | Expr::TryCast(TryCast { expr: inner, field })
            if field.data_type().is_string()
                && !matches!(inner.as_ref(), Expr::Literal(value, _) if !value.data_type().is_string()) =>
        {
            without_string_cast(inner)
        }
        _ => expr,
    }
}

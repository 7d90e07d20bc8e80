//! Selectors of PromQL: `up{job=~"a.*"}` as label matchers.

use barograph_model::{METRIC_NAME, MatchOp, Matcher, MatcherError};
use promql_parser::label;
use promql_parser::parser::{self, Expr};
use thiserror::Error;

/// A selector longer than this is refused before it is parsed.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// Why a text is not a selector.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// More text than any selector needs.
    #[error("a selector of {bytes} bytes is longer than the limit of {TEXT_BYTES_MAX}")]
    TooLong {
        /// The length given.
        bytes: usize,
    },
    /// The text is not PromQL.
    #[error("{text:?} is not a selector: {reason}")]
    Syntax {
        /// The text as given.
        text: String,
        /// What the parser said.
        reason: String,
    },
    /// The text is PromQL, but not a plain selector.
    #[error("{text:?} is {found}, not a plain selector (write it as metric{{label=\"value\"}})")]
    NotASelector {
        /// The text as given.
        text: String,
        /// What it is instead.
        found: &'static str,
    },
    /// A regular expression cannot be used.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
}

/// Reads an instant selector into matchers, the metric's name among them as a matcher on `__name__`.
///
/// As in Prometheus at least one matcher must refuse the empty value, so `{}` and `{job=~".*"}` are errors:
/// they would select every series there is. Ranges, offsets and `or` between matchers are refused.
///
/// # Errors
/// [`SelectorError`] says what the text is instead, or what is wrong with it.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, SelectorError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SelectorError::TooLong { bytes: text.len() });
    }
    // The parser descends by recursion; a selector holds no brackets of depth but its one pair of braces.
    if brackets_outside_quotes(text) > 2 {
        return Err(SelectorError::NotASelector {
            text: text.to_owned(),
            found: "an expression",
        });
    }
    let expression = parser::parse(text).map_err(|reason| SelectorError::Syntax {
        text: text.to_owned(),
        reason: reason.to_string(),
    })?;
    let not_a_selector = |found| {
        Err(SelectorError::NotASelector {
            text: text.to_owned(),
            found,
        })
    };
    let selector = match expression {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(_) => return not_a_selector("a range"),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => return not_a_selector("a constant"),
        _ => return not_a_selector("an expression"),
    };
    if selector.offset.is_some() || selector.at.is_some() {
        return not_a_selector("a selector with a modifier of time");
    }
    if !selector.matchers.or_matchers.is_empty() {
        return not_a_selector("a selector with `or`");
    }
    let mut matchers = Vec::with_capacity(selector.matchers.matchers.len() + 1);
    if let Some(name) = &selector.name {
        matchers.push(Matcher::equal(METRIC_NAME, name));
    }
    for matcher in &selector.matchers.matchers {
        let op = match matcher.op {
            label::MatchOp::Equal => MatchOp::Equal,
            label::MatchOp::NotEqual => MatchOp::NotEqual,
            label::MatchOp::Re(_) => MatchOp::Regex,
            label::MatchOp::NotRe(_) => MatchOp::NotRegex,
        };
        matchers.push(Matcher::new(&matcher.name, op, &matcher.value)?);
    }
    if matchers.iter().all(Matcher::matches_absent) {
        return not_a_selector("a selector of every series");
    }
    Ok(matchers)
}

/// Counts opening and closing brackets that are not inside a quoted text.
fn brackets_outside_quotes(text: &str) -> usize {
    let (mut count, mut quote, mut escaped) = (0, None, false);
    for c in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(q) if c == '\\' && q != '`' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None => count += usize::from(matches!(c, '{' | '}' | '(' | ')' | '[' | ']')),
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse_selector(text) {
            Ok(matchers) => matchers
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(","),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn reads_names_and_matchers() {
        assert_eq!(shown("up"), r#"__name__="up""#);
        assert_eq!(
            shown(r#"up{job=~"a.*", zone!="x"}"#),
            r#"__name__="up",job=~"a.*",zone!="x""#
        );
        assert_eq!(
            shown(r#"{__name__=~"http_.+", code!~"5.."}"#),
            r#"__name__=~"http_.+",code!~"5..""#
        );
        assert_eq!(shown("job:rate:5m"), r#"__name__="job:rate:5m""#);
        assert_eq!(
            shown(r#"{"odd.name", path="({["}"#),
            r#"__name__="odd.name",path="({[""#
        );
    }

    #[test]
    fn says_what_else_it_is() {
        assert!(shown("rate(up[5m])").contains("an expression"));
        assert!(shown("up[5m]").contains("a range"));
        assert!(shown("up offset 5m").contains("modifier of time"));
        assert!(shown("1").contains("a constant"));
        assert!(shown("{}").starts_with("error"), "{}", shown("{}"));
        assert!(shown(r#"{job=~".*"}"#).starts_with("error"));
        assert!(shown("up{job=}").contains("is not a selector"));
        assert!(shown(r#"up{job=~"("}"#).starts_with("error"));
    }

    #[test]
    fn survives_depth_and_length() {
        assert!(shown(&"(".repeat(10_000)).contains("an expression"));
        assert!(shown(&"-".repeat(10_000)).starts_with("error"));
        assert!(shown(&"x".repeat(100_000)).contains("longer than the limit"));
    }
}

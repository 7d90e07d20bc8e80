//! Selectors of PromQL: `up{job=~"a.*"}` as label matchers.

use barograph_model::{METRIC_NAME, Matcher};
use barograph_promql::syntax::{self, Expr, ExprKind, Modifiers, ParseError, ParseOptions};
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
    #[error("{text:?} is not a selector: {source}")]
    Syntax {
        /// The text as given.
        text: String,
        /// What the parser said.
        source: ParseError,
    },
    /// The text is PromQL, but not a plain selector.
    #[error("{text:?} is {found}, not a plain selector (write it as metric{{label=\"value\"}})")]
    NotASelector {
        /// The text as given.
        text: String,
        /// What it is instead.
        found: &'static str,
    },
}

/// Reads an instant selector into matchers, the metric's name first, as a matcher on `__name__`.
///
/// As in Prometheus at least one matcher must refuse the empty value, so `{}` and `{job=~".*"}` are errors:
/// they would select every series there is. Ranges and offsets are refused.
///
/// # Errors
/// [`SelectorError`] says what the text is instead, or what is wrong with it.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, SelectorError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SelectorError::TooLong { bytes: text.len() });
    }
    let mut matchers = match syntax::parse_selector(text) {
        Ok(matchers) if matchers.iter().all(Matcher::matches_absent) => {
            return Err(not_a_selector(text, "a selector of every series"));
        }
        Ok(matchers) => matchers,
        // Whoever writes an expression here is helped more by hearing so than by the place where the selector ends.
        Err(source) => {
            return Err(match syntax::parse(text, &ParseOptions::experimental()) {
                Ok(expr) => not_a_selector(text, what_else(&expr)),
                Err(_) => SelectorError::Syntax {
                    text: text.to_owned(),
                    source,
                },
            });
        }
    };
    matchers.sort_by_key(|matcher| matcher.name() != METRIC_NAME);
    Ok(matchers)
}

fn not_a_selector(text: &str, found: &'static str) -> SelectorError {
    SelectorError::NotASelector {
        text: text.to_owned(),
        found,
    }
}

fn what_else(expr: &Expr) -> &'static str {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => "a constant",
        ExprKind::Vector(vector) if vector.modifiers != Modifiers::default() => {
            "a selector with a modifier of time"
        }
        ExprKind::Matrix(_) => "a range",
        _ => "an expression",
    }
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
        assert!(
            shown(r#"up{job=~"("}"#).contains("1:4: parse error: error parsing regexp: missing closing )")
        );
    }

    #[test]
    fn survives_depth_and_length() {
        assert!(shown(&"(".repeat(10_000)).contains("is not a selector"));
        assert!(shown(&"-".repeat(10_000)).contains("is not a selector"));
        assert!(shown(&"x".repeat(100_000)).contains("longer than the limit"));
    }
}

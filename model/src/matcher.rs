//! Label matchers with PromQL's meaning: anchored regular expressions, and an absent label matches as `""`.

use std::fmt;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

use crate::Labels;

/// A compiled expression may take this much memory; beyond it the pattern is refused.
const REGEX_SIZE_LIMIT_BYTES: usize = 1 << 20;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        })
    }
}

/// Why a matcher could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MatcherError {
    /// The pattern does not parse, or compiles to more than a megabyte.
    #[error("the pattern {pattern:?} for label {name:?} is not usable: {source}")]
    Pattern {
        /// The label.
        name: String,
        /// The pattern as written.
        pattern: String,
        /// What the expression engine said.
        source: regex::Error,
    },
}

/// One condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    /// `None` also where `alternatives` say the same
    regex: Option<Regex>,
    /// what an expression of texts and bars alone matches, ascending, each once
    alternatives: Option<Vec<String>>,
}

impl Matcher {
    /// Compiles a condition. A regular expression must match the whole value and `.` matches newlines, as in
    /// Prometheus 3; matching takes time linear in the value.
    ///
    /// # Errors
    /// [`MatcherError::Pattern`] for a pattern that does not parse or grows too large.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Self, MatcherError> {
        let alternatives = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => alternatives(value),
        };
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            // To compile an expression takes longer than to read the samples that a panel shows.
            MatchOp::Regex | MatchOp::NotRegex if alternatives.is_some() => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(
                RegexBuilder::new(&format!("^(?:{value})$"))
                    .dot_matches_new_line(true)
                    .size_limit(REGEX_SIZE_LIMIT_BYTES)
                    .build()
                    .map_err(|source| MatcherError::Pattern {
                        name: name.to_owned(),
                        pattern: value.to_owned(),
                        source,
                    })?,
            ),
        };
        Ok(Self {
            name: name.to_owned(),
            op,
            value: value.to_owned(),
            regex,
            alternatives,
        })
    }

    /// `name = value`.
    #[must_use]
    pub fn equal(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            op: MatchOp::Equal,
            value: value.to_owned(),
            regex: None,
            alternatives: None,
        }
    }

    /// The label that is looked at.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    #[must_use]
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// The text or pattern it compares with.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The only values that an `=~` lets pass, where it is made of plain texts between bars, as the variables of
    /// dashboards are: `a|b|c\.d`. Looking each up is cheaper than trying the expression on every value there is.
    #[must_use]
    pub fn alternatives(&self) -> Option<&[String]> {
        self.alternatives.as_deref().filter(|_| self.op == MatchOp::Regex)
    }

    /// Whether a value passes; give `""` for an absent label.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Regex => self.is_match(value),
            MatchOp::NotRegex => !self.is_match(value),
        }
    }

    fn is_match(&self, value: &str) -> bool {
        match (&self.alternatives, &self.regex) {
            (Some(texts), _) => texts.binary_search_by(|text| text.as_str().cmp(value)).is_ok(),
            (None, regex) => regex.as_ref().is_some_and(|regex| regex.is_match(value)),
        }
    }

    /// Whether a series without the label passes.
    #[must_use]
    pub fn matches_absent(&self) -> bool {
        self.matches("")
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op, self.value)
    }
}

/// The texts between the bars of a pattern that has no other meaning, around which there may be one pair of brackets.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let bare = pattern.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let mut texts = vec![String::new()];
    let mut chars = bare.unwrap_or(pattern).chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '|' => {
                texts.push(String::new());
                continue;
            }
            '\\' => chars.next().filter(char::is_ascii_punctuation)?,
            '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            plain => plain,
        };
        texts.last_mut()?.push(literal);
    }
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

/// Whether a label set passes every condition.
#[must_use]
pub fn matches_all(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers
        .iter()
        .all(|matcher| matcher.matches(labels.get(matcher.name())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_anchored() {
        let matcher = Matcher::new("job", MatchOp::Regex, "a|b").unwrap();
        assert!(matcher.matches("a") && matcher.matches("b"));
        assert!(!matcher.matches("ab") && !matcher.matches("xa"));
    }

    #[test]
    fn alternatives_are_what_the_expression_matches() {
        let of = |pattern| {
            let matcher = Matcher::new("job", MatchOp::Regex, pattern).unwrap();
            let texts = matcher.alternatives().map(<[String]>::to_vec);
            let regex = Regex::new(&format!("^(?s:{pattern})$")).unwrap();
            for text in texts.iter().flatten() {
                assert!(
                    matcher.matches(text) && regex.is_match(text),
                    "{pattern} matches {text}"
                );
            }
            if let Some(texts) = &texts {
                let other = Matcher::new("job", MatchOp::NotRegex, pattern).unwrap();
                for text in ["", "a", "b", "b.c", "bxc", "ab", "a|b", "\n"] {
                    let expected = texts.iter().any(|known| known == text);
                    assert_eq!(expected, regex.is_match(text), "{pattern} and {text}");
                    assert_eq!(
                        (matcher.matches(text), other.matches(text)),
                        (expected, !expected)
                    );
                }
                assert_eq!(other.alternatives(), None);
            }
            texts
        };
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("a"), texts(&["a"]));
        assert_eq!(of("a|b\\.c|"), texts(&["", "a", "b.c"]));
        assert_eq!(of("(a|b)"), texts(&["a", "b"]));
        for pattern in [
            "a.b|c",
            "a|b+",
            "(a)(b)",
            "a|(b|c)",
            "\\d|x",
            "^a$",
            "[ab]",
            "(?i:a)",
            "(a|b)|(c)",
        ] {
            assert_eq!(of(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn absent_is_empty() {
        let labels = Labels::from_pairs([("__name__", "up")]).unwrap();
        let passes = |op, value| matches_all(&[Matcher::new("job", op, value).unwrap()], &labels);
        assert!(passes(MatchOp::Equal, "") && passes(MatchOp::NotEqual, "x"));
        assert!(passes(MatchOp::Regex, ".*") && passes(MatchOp::NotRegex, ".+"));
        assert!(!passes(MatchOp::Regex, ".+"));
    }

    #[test]
    fn exploding_patterns_are_refused() {
        let error = Matcher::new("job", MatchOp::Regex, "((a{1,100}){1,100}){1,100}").unwrap_err();
        assert!(error.to_string().contains("label \"job\""), "{error}");
        assert!(Matcher::new("job", MatchOp::Regex, "(").is_err());
    }
}

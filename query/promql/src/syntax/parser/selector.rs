//! Selectors: a metric's name, matchers in braces, or both.

use barograph_model::{METRIC_NAME, MatchOp, Matcher, MatcherError};

use super::{Node, Parser};
use crate::syntax::error::Fault;
use crate::syntax::token::{Token, TokenKind};
use crate::syntax::{BinaryOp, ExprKind, Modifiers, SourceSpan, VectorSelector};

const CONTEXT: &str = "label matching";

impl Parser<'_> {
    /// A selector that begins with this word: a name or an opening brace.
    pub(super) fn selector(&mut self, first: Token) -> Result<Node, Fault> {
        let (selector, span) = self.selector_from(first)?;
        let kind = ExprKind::Vector(selector);
        Ok(Node::new(kind, span, 1))
    }

    /// A selector where nothing else may stand.
    pub(super) fn bare_selector(&mut self) -> Result<VectorSelector, Fault> {
        let first = self.next()?;
        if first.kind != TokenKind::LeftBrace && !first.kind.is_metric_name() {
            return Err(self.unexpected(first));
        }
        Ok(self.selector_from(first)?.0)
    }

    fn selector_from(&mut self, first: Token) -> Result<(VectorSelector, SourceSpan), Fault> {
        let mut span = first.span;
        let mut matchers = Vec::new();
        let mut metric = None;
        let open = if first.kind == TokenKind::LeftBrace {
            Some(first)
        } else {
            metric = Some(self.word(first).to_owned());
            self.eat(TokenKind::LeftBrace)?
        };
        if open.is_some() {
            span.end = self.matchers(&mut matchers)?;
        }
        // Behind the others, as in Prometheus: clients see the order.
        if let Some(metric) = &metric {
            matchers.push(Matcher::equal(METRIC_NAME, metric));
        }
        let selector = VectorSelector {
            metric,
            matchers,
            modifiers: Modifiers::default(),
            widening: None,
        };
        Ok((selector, span))
    }

    /// Matchers up to the closing brace; gives its end.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<u32, Fault> {
        loop {
            let token = self.next()?;
            match token.kind {
                // `{}` and `{a="b",}` are right, `{,}` is not.
                TokenKind::RightBrace => return Ok(token.span.end),
                TokenKind::Identifier => {
                    let name = self.word(token);
                    let op = self.next()?;
                    let Some(op) = match_op(op.kind) else {
                        return Err(self.unexpected_in(op, CONTEXT, "label matching operator"));
                    };
                    matchers.push(self.matcher(token, name, op)?);
                }
                TokenKind::String => {
                    let name = self.unquoted(token)?;
                    if let Some(op) = match_op(self.peek()?.kind) {
                        self.next()?;
                        matchers.push(self.matcher(token, &name, op)?);
                    } else {
                        matchers.push(Matcher::equal(METRIC_NAME, &name));
                    }
                }
                _ => return Err(self.unexpected_in(token, CONTEXT, "identifier or \"}\"")),
            }
            let behind = self.next()?;
            match behind.kind {
                TokenKind::Comma => {}
                TokenKind::RightBrace => return Ok(behind.span.end),
                _ => return Err(self.unexpected_in(behind, CONTEXT, "\",\" or \"}\"")),
            }
        }
    }

    /// The matcher whose label and operator are already read.
    fn matcher(&mut self, label: Token, name: &str, op: MatchOp) -> Result<Matcher, Fault> {
        let value = self.next()?;
        if value.kind != TokenKind::String {
            return Err(self.unexpected_in(value, CONTEXT, "string"));
        }
        let span = SourceSpan {
            start: label.span.start,
            end: value.span.end,
        };
        if matches!(op, MatchOp::Regex | MatchOp::NotRegex) {
            self.regexes += 1;
            let limit = self.options.max_regexes;
            if self.regexes > limit {
                let message = format!("expression has more than {limit} regular expressions");
                return Err(Fault::new(span, message));
            }
        }
        let pattern = self.unquoted(value)?;
        Matcher::new(name, op, &pattern).map_err(|error| Fault::new(span, regex_message(&error)))
    }
}

fn match_op(kind: TokenKind) -> Option<MatchOp> {
    match kind {
        TokenKind::Assign => Some(MatchOp::Equal),
        TokenKind::Binary(BinaryOp::NotEqual) => Some(MatchOp::NotEqual),
        TokenKind::RegexMatch => Some(MatchOp::Regex),
        TokenKind::RegexNotMatch => Some(MatchOp::NotRegex),
        _ => None,
    }
}

/// What is wrong with a pattern, on one line, as Go says it: expression engines differ in their words, and in the errors
/// that they know.
fn regex_message(error: &MatcherError) -> String {
    match error {
        MatcherError::Pattern { pattern, source, .. } => {
            // The engine draws the pattern and says what is wrong with it in the last line.
            let drawn = source.to_string();
            let last = drawn.lines().last().unwrap_or_default();
            let reason = match last.strip_prefix("error: ").unwrap_or(last) {
                "unclosed group" => "missing closing )",
                "unopened group" => "unexpected )",
                "unclosed character class" => "missing closing ]",
                "repetition operator missing expression" => "missing argument to repetition operator",
                other => other,
            };
            format!("error parsing regexp: {reason}: `{pattern}`")
        }
        other => other.to_string(),
    }
}

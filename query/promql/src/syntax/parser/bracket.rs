//! Brackets behind an expression: a range `[5m]`, or a subquery `[1h:5m]`.

use super::duration::Seconds;
use super::{Node, Parser};
use crate::syntax::duration::seconds_to_ms;
use crate::syntax::error::Fault;
use crate::syntax::token::{Token, TokenKind};
use crate::syntax::{ExprKind, MatrixSelector, Modifiers, SourceSpan, Subquery};

impl Parser<'_> {
    /// The brackets whose opening one is already read, behind this piece.
    pub(super) fn bracket(&mut self, node: Node, open: Token) -> Result<Node, Fault> {
        let range = self.duration(0, &|parser, token| {
            let expected = "number, duration, step(), or range()";
            parser.unexpected_in(token, "subquery or range selector", expected)
        })?;
        let behind = self.next();
        // Prometheus looks at the value only when it has seen what follows.
        let behind = behind?;
        let range_ms = positive_ms(&range)?;
        match behind.kind {
            TokenKind::RightBracket => self.range(node, range_ms, open, behind),
            TokenKind::Colon => self.subquery(node, range_ms),
            _ => Err(self.unexpected_in(behind, "subquery or range", "\":\" or \"]\"")),
        }
    }

    fn range(&mut self, node: Node, range_ms: i64, open: Token, close: Token) -> Result<Node, Fault> {
        let error = |message| {
            let span = SourceSpan {
                start: open.span.start,
                end: close.span.end,
            };
            Err(Fault::new(span, message))
        };
        let ExprKind::Vector(vector) = node.expr.kind else {
            return error("ranges only allowed for vector selectors");
        };
        if vector.modifiers.offset_ms != 0 {
            return error("no offset modifiers allowed before range");
        }
        if vector.modifiers.at.is_some() {
            return error("no @ modifiers allowed before range");
        }
        let vector_span = node.expr.span;
        let span = SourceSpan {
            start: vector_span.start,
            end: close.span.end,
        };
        let kind = ExprKind::Matrix(MatrixSelector {
            vector,
            vector_span,
            range_ms,
        });
        Ok(Node::new(kind, span, node.height))
    }

    fn subquery(&mut self, node: Node, range_ms: i64) -> Result<Node, Fault> {
        const CONTEXT: &str = "subquery selector";
        let (step_ms, close) = match self.eat(TokenKind::RightBracket)? {
            Some(close) => (None, close),
            None => {
                let step = self.duration(0, &|parser, token| {
                    let expected = "number, duration, step(), range(), or \"]\"";
                    parser.unexpected_in(token, CONTEXT, expected)
                })?;
                let close = self.next()?;
                let step_ms = positive_ms(&step)?;
                if close.kind != TokenKind::RightBracket {
                    return Err(self.unexpected_in(close, CONTEXT, "\"]\""));
                }
                (Some(step_ms), close)
            }
        };
        let span = SourceSpan {
            start: node.expr.span.start,
            end: close.span.end,
        };
        let height = self.above(node.height, span)?;
        let kind = ExprKind::Subquery(Box::new(Subquery {
            expr: *node.expr,
            range_ms,
            step_ms,
            modifiers: Modifiers::default(),
        }));
        Ok(Node::new(kind, span, height))
    }
}

/// Milliseconds of a range or step. Less than one is refused with the words for zero: time is counted in
/// milliseconds, and Prometheus, which reads it, finds nothing in such a range.
fn positive_ms(seconds: &Seconds) -> Result<i64, Fault> {
    match seconds_to_ms(seconds.value) {
        Some(ms) if ms > 0 => Ok(ms),
        _ => Err(Fault::new(seconds.span, "duration must be greater than 0")),
    }
}

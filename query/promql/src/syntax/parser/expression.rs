//! Operators and what stands between them.

use super::{Node, Parser};
use crate::syntax::error::Fault;
use crate::syntax::number::parse_number;
use crate::syntax::token::{Token, TokenKind};
use crate::syntax::{Binary, BinaryOp, ExprKind, Fill, Number, SourceSpan, VectorMatching, parse_duration};

/// Tighter than `*`, looser than `^`: `-1 ^ 2` is `-(1 ^ 2)`, `-1 * 2` is `(-1) * 2`.
const UNARY_PRECEDENCE: u8 = 6;

impl Parser<'_> {
    /// An expression whose operators bind at least as tightly as `precedence`.
    pub(super) fn expression(&mut self, precedence: u8) -> Result<Node, Fault> {
        let mut left = self.operand()?;
        loop {
            let TokenKind::Binary(op) = self.peek()?.kind else {
                return Ok(left);
            };
            if op.precedence() < precedence {
                return Ok(left);
            }
            self.next()?;
            left = self.binary(left, op)?;
        }
    }

    /// What stands behind an operator that is already read.
    fn binary(&mut self, left: Node, op: BinaryOp) -> Result<Node, Fault> {
        let (matching, return_bool) = self.matching()?;
        // Only `^` groups from the right.
        let tighter = op.precedence() + u8::from(op != BinaryOp::Pow);
        self.enter()?;
        let right = self.expression(tighter)?;
        self.leave();
        self.joined(left, op, (matching, return_bool), right)
    }

    fn joined(
        &self,
        left: Node,
        op: BinaryOp,
        (matching, return_bool): (VectorMatching, bool),
        right: Node,
    ) -> Result<Node, Fault> {
        let span = SourceSpan {
            start: left.expr.span.start,
            end: right.expr.span.end,
        };
        if !self.options.fill_modifiers && matching.fill != Fill::default() {
            let message = "binop fill modifiers are experimental and not enabled";
            return Err(Fault::new(span, message));
        }
        let height = self.above(left.height.max(right.height), span)?;
        let kind = ExprKind::Binary(Box::new(Binary {
            op,
            lhs: *left.expr,
            rhs: *right.expr,
            matching: Some(matching),
            return_bool,
        }));
        Ok(Node::new(kind, span, height))
    }

    /// An operand with the signs before it and everything behind it that belongs to it.
    fn operand(&mut self) -> Result<Node, Fault> {
        let token = self.next()?;
        match token.kind {
            TokenKind::Binary(BinaryOp::Add) => self.unary(token, false),
            TokenKind::Binary(BinaryOp::Sub) => self.unary(token, true),
            _ => {
                let node = self.primary(token)?;
                self.modified(node)
            }
        }
    }

    fn unary(&mut self, sign: Token, negate: bool) -> Result<Node, Fault> {
        self.enter()?;
        let node = self.expression(UNARY_PRECEDENCE)?;
        self.leave();
        self.signed(sign, negate, node)
    }

    fn signed(&self, sign: Token, negate: bool, mut node: Node) -> Result<Node, Fault> {
        let span = SourceSpan {
            start: sign.span.start,
            end: node.expr.span.end,
        };
        // The sign of a number is part of the number.
        if let ExprKind::Number(number) = &mut node.expr.kind {
            if negate {
                number.value = -number.value;
            }
            node.expr.span = span;
            return Ok(node);
        }
        let height = self.above(node.height, span)?;
        let kind = ExprKind::Unary {
            negate,
            expr: node.expr,
        };
        Ok(Node::new(kind, span, height))
    }

    fn primary(&mut self, token: Token) -> Result<Node, Fault> {
        match token.kind {
            TokenKind::LeftParen => self.paren(token),
            TokenKind::Aggregate(op) => self.aggregate_or_metric(token, op),
            TokenKind::Identifier | TokenKind::Context(_) => match self.peek()?.kind {
                TokenKind::LeftParen => self.call(token),
                _ => self.selector(token),
            },
            _ => self.leaf(token),
        }
    }

    fn leaf(&mut self, token: Token) -> Result<Node, Fault> {
        let kind = match token.kind {
            TokenKind::Number | TokenKind::Duration => ExprKind::Number(self.number(token)?),
            TokenKind::String => ExprKind::String(self.unquoted(token)?),
            TokenKind::LeftBrace => return self.selector(token),
            kind if kind.is_metric_name() => return self.selector(token),
            _ => return Err(self.unexpected(token)),
        };
        Ok(Node::new(kind, token.span, 1))
    }

    fn paren(&mut self, open: Token) -> Result<Node, Fault> {
        self.enter()?;
        let inner = self.expression(0)?;
        self.leave();
        self.closed(open, inner)
    }

    fn closed(&mut self, open: Token, inner: Node) -> Result<Node, Fault> {
        let close = self.next()?;
        if close.kind != TokenKind::RightParen {
            return Err(self.unexpected(close));
        }
        let span = SourceSpan {
            start: open.span.start,
            end: close.span.end,
        };
        let height = self.above(inner.height, span)?;
        let kind = ExprKind::Paren(inner.expr);
        Ok(Node::new(kind, span, height))
    }

    /// The value of a number or of a duration, which is a number of seconds.
    pub(super) fn number(&self, token: Token) -> Result<Number, Fault> {
        let word = self.word(token);
        if token.kind == TokenKind::Duration {
            let ms = parse_duration(word).map_err(|error| Fault::new(token.span, error.to_string()))?;
            return Ok(Number {
                value: ms as f64 / 1e3,
                is_duration: true,
            });
        }
        let value = parse_number(word).map_err(|message| Fault::new(token.span, message))?;
        Ok(Number {
            value,
            is_duration: false,
        })
    }
}

//! Durations in brackets and behind `offset`: a number or a duration with a sign, or an expression of these.
//!
//! Prometheus 3.4 computes such expressions when the query runs, since `step()` may be part of them. Here they are
//! folded while they are read, so that the tree holds a number and what prints it prints the result; `step()` and
//! `range()` are refused.

use super::Parser;
use crate::syntax::error::Fault;
use crate::syntax::token::{Token, TokenKind};
use crate::syntax::{AggregateOp, BinaryOp, SourceSpan};

/// Seconds, and where they stand.
pub(super) struct Seconds {
    pub(super) value: f64,
    pub(super) span: SourceSpan,
}

/// What refuses a word that no duration begins with; it depends on where the duration stands.
pub(super) type Refuse<'r> = &'r dyn Fn(&Parser<'_>, Token) -> Fault;

/// The sign binds as it does in expressions: tighter than `*`, looser than `^`.
const SIGN_PRECEDENCE: u8 = 6;

impl Parser<'_> {
    /// A duration whose operators bind at least as tightly as `precedence`.
    pub(super) fn duration(&mut self, precedence: u8, refuse: Refuse<'_>) -> Result<Seconds, Fault> {
        let mut left = self.duration_operand(refuse)?;
        loop {
            let token = self.peek()?;
            let TokenKind::Binary(op) = token.kind else {
                return Ok(left);
            };
            if op.precedence() < precedence.max(BinaryOp::Add.precedence()) || op == BinaryOp::Atan2 {
                return Ok(left);
            }
            self.next()?;
            self.enter()?;
            let right = self.duration(op.precedence() + u8::from(op != BinaryOp::Pow), refuse)?;
            self.leave();
            self.experimental_duration(left.span)?;
            let value = fold(op, left.value, right.value, token.span)?;
            left = Seconds {
                value,
                span: SourceSpan {
                    start: left.span.start,
                    end: right.span.end,
                },
            };
        }
    }

    /// What stands behind `offset`: one number with its sign, or parentheses. An operator behind it belongs to the
    /// expression around, so `up offset -2 ^ 2` is a square.
    pub(super) fn duration_alone(&mut self, refuse: Refuse<'_>) -> Result<Seconds, Fault> {
        let first = self.next()?;
        let (mut token, mut negate) = (first, false);
        while let TokenKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub)) = token.kind {
            negate ^= op == BinaryOp::Sub;
            token = self.next()?;
        }
        let mut seconds = self.duration_primary(token, refuse)?;
        if negate {
            seconds.value = -seconds.value;
        }
        seconds.span.start = first.span.start;
        Ok(seconds)
    }

    fn duration_operand(&mut self, refuse: Refuse<'_>) -> Result<Seconds, Fault> {
        let token = self.next()?;
        let TokenKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub)) = token.kind else {
            return self.duration_primary(token, refuse);
        };
        self.enter()?;
        let mut seconds = self.duration(SIGN_PRECEDENCE, refuse)?;
        self.leave();
        if op == BinaryOp::Sub {
            seconds.value = -seconds.value;
        }
        seconds.span.start = token.span.start;
        Ok(seconds)
    }

    fn duration_primary(&mut self, token: Token, refuse: Refuse<'_>) -> Result<Seconds, Fault> {
        match token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let value = self.number(token)?.value;
                let span = token.span;
                in_range(value, span)?;
                Ok(Seconds { value, span })
            }
            TokenKind::LeftParen => {
                self.enter()?;
                let mut seconds = self.duration(0, refuse)?;
                self.leave();
                let close = self.next()?;
                if close.kind != TokenKind::RightParen {
                    return Err(refuse(self, close));
                }
                self.experimental_duration(seconds.span)?;
                seconds.span = SourceSpan {
                    start: token.span.start,
                    end: close.span.end,
                };
                Ok(seconds)
            }
            TokenKind::Aggregate(op @ (AggregateOp::Min | AggregateOp::Max)) => {
                self.lesser_or_greater(token, op, refuse)
            }
            TokenKind::Context(_) => {
                self.experimental_duration(token.span)?;
                let message = format!(
                    "{}() in a duration is not supported (write the duration itself)",
                    self.word(token)
                );
                Err(Fault::new(token.span, message))
            }
            _ => Err(refuse(self, token)),
        }
    }

    /// `min(5m, 1h)`
    fn lesser_or_greater(
        &mut self,
        name: Token,
        op: AggregateOp,
        refuse: Refuse<'_>,
    ) -> Result<Seconds, Fault> {
        self.experimental_duration(name.span)?;
        self.enter()?;
        let mut sides = [0.0; 2];
        let mut end = name.span.end;
        for (side, (open, close)) in sides.iter_mut().zip([
            (TokenKind::LeftParen, TokenKind::Comma),
            (TokenKind::Comma, TokenKind::RightParen),
        ]) {
            if open == TokenKind::LeftParen && self.eat(open)?.is_none() {
                let token = self.next()?;
                return Err(refuse(self, token));
            }
            *side = self.duration(0, refuse)?.value;
            let token = self.next()?;
            if token.kind != close {
                return Err(refuse(self, token));
            }
            end = token.span.end;
        }
        self.leave();
        let value = match op {
            AggregateOp::Min => sides[0].min(sides[1]),
            _ => sides[0].max(sides[1]),
        };
        Ok(Seconds {
            value,
            span: SourceSpan {
                start: name.span.start,
                end,
            },
        })
    }

    fn experimental_duration(&self, span: SourceSpan) -> Result<(), Fault> {
        if self.options.duration_expressions {
            return Ok(());
        }
        Err(Fault::new(
            span,
            "experimental duration expression is not enabled",
        ))
    }
}

fn fold(op: BinaryOp, left: f64, right: f64, operator: SourceSpan) -> Result<f64, Fault> {
    let value = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div if right == 0.0 => return Err(Fault::new(operator, "division by zero")),
        BinaryOp::Div => left / right,
        BinaryOp::Mod if right == 0.0 => return Err(Fault::new(operator, "modulo by zero")),
        BinaryOp::Mod => left % right,
        _ => left.powf(right),
    };
    in_range(value, operator)?;
    Ok(value)
}

fn in_range(seconds: f64, span: SourceSpan) -> Result<(), Fault> {
    match crate::syntax::duration::seconds_to_ms(seconds) {
        Some(_) => Ok(()),
        None => Err(Fault::new(span, "duration out of range")),
    }
}

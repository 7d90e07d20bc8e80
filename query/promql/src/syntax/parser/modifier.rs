//! What may stand behind an operand: brackets, `offset`, `@`, `anchored`, `smoothed`.

use super::{Node, Parser};
use crate::syntax::duration::seconds_to_ms;
use crate::syntax::error::Fault;
use crate::syntax::token::{Context, Keyword, Token, TokenKind};
use crate::syntax::{At, BinaryOp, Expr, ExprKind, Modifiers, Widening};

/// The farthest instant of `@`: some 30,000 years on both sides of the epoch. Prometheus goes on to where its integers
/// end, but a float of seconds does not tell milliseconds apart there; who writes such a number means nanoseconds.
const AT_MS_MAX: f64 = 1e15;

impl Parser<'_> {
    /// The operand with everything behind it that binds to it.
    pub(super) fn modified(&mut self, mut node: Node) -> Result<Node, Fault> {
        loop {
            let token = self.peek()?;
            match token.kind {
                TokenKind::LeftBracket => {
                    self.next()?;
                    node = self.bracket(node, token)?;
                }
                TokenKind::Keyword(Keyword::Offset) => {
                    self.next()?;
                    self.offset(&mut node.expr)?;
                }
                TokenKind::At => {
                    self.next()?;
                    self.at(&mut node.expr)?;
                }
                TokenKind::Keyword(Keyword::Anchored) => {
                    self.next()?;
                    self.widen(&mut node.expr, Widening::Anchored, token)?;
                }
                TokenKind::Keyword(Keyword::Smoothed) => {
                    self.next()?;
                    self.widen(&mut node.expr, Widening::Smoothed, token)?;
                }
                _ => return Ok(node),
            }
        }
    }

    fn offset(&mut self, expr: &mut Expr) -> Result<(), Fault> {
        let seconds = self.duration_alone(&|parser, token| {
            parser.unexpected_in(token, "offset", "number, duration, step(), or range()")
        })?;
        let span = expr.span;
        let Some(modifiers) = modifiers(expr) else {
            let message = "offset modifier must be preceded by an instant vector selector or range vector selector \
                           or a subquery";
            return Err(Fault::new(span, message));
        };
        if modifiers.offset_ms != 0 {
            return Err(Fault::new(span, "offset may not be set multiple times"));
        }
        modifiers.offset_ms = seconds_to_ms(seconds.value).unwrap_or_default();
        expr.span.end = seconds.span.end;
        Ok(())
    }

    fn at(&mut self, expr: &mut Expr) -> Result<(), Fault> {
        let (at, end) = self.at_value(expr)?;
        let span = expr.span;
        let Some(modifiers) = modifiers(expr) else {
            let message = "@ modifier must be preceded by an instant vector selector or range vector selector \
                           or a subquery";
            return Err(Fault::new(span, message));
        };
        if modifiers.at.is_some() {
            return Err(Fault::new(span, "@ <timestamp> may not be set multiple times"));
        }
        modifiers.at = Some(at);
        expr.span.end = end;
        Ok(())
    }

    fn at_value(&mut self, expr: &Expr) -> Result<(At, u32), Fault> {
        let first = self.next()?;
        let (negate, token) = match first.kind {
            TokenKind::Context(context @ (Context::Start | Context::End)) => {
                self.expect_for_at(TokenKind::LeftParen)?;
                let close = self.expect_for_at(TokenKind::RightParen)?;
                let at = match context {
                    Context::Start => At::Start,
                    _ => At::End,
                };
                return Ok((at, close.span.end));
            }
            TokenKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub)) => (op == BinaryOp::Sub, self.next()?),
            _ => (false, first),
        };
        if !matches!(token.kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected_at(token));
        }
        let mut seconds = self.number(token)?.value;
        if negate {
            seconds = -seconds;
        }
        let ms = (seconds * 1e3).round();
        if ms.is_nan() || ms.abs() > AT_MS_MAX {
            let shown = match (seconds.is_infinite(), negate) {
                (true, true) => "-Inf".to_owned(),
                (true, false) => "+Inf".to_owned(),
                (false, _) => format!("{seconds:.6}"),
            };
            let message = format!("timestamp out of bounds for @ modifier: {shown}");
            return Err(Fault::new(expr.span, message));
        }
        Ok((At::Timestamp(ms as i64), token.span.end))
    }

    fn expect_for_at(&mut self, kind: TokenKind) -> Result<Token, Fault> {
        match self.next()? {
            token if token.kind == kind => Ok(token),
            token => Err(self.unexpected_at(token)),
        }
    }

    fn unexpected_at(&self, token: Token) -> Fault {
        self.unexpected_in(token, "@", "timestamp")
    }

    fn widen(&self, expr: &mut Expr, widening: Widening, token: Token) -> Result<(), Fault> {
        let word = self.word(token).to_ascii_lowercase();
        let error = |reason: &str| Err(Fault::new(expr.span, format!("{word} modifier {reason}")));
        if !self.options.extended_range_selectors {
            return error("is experimental and not enabled");
        }
        let vector = match &mut expr.kind {
            ExprKind::Vector(vector) => vector,
            ExprKind::Matrix(matrix) => &mut matrix.vector,
            ExprKind::Subquery(_) => return error("is not supported for subqueries"),
            _ => return error("not implemented"),
        };
        if vector.widening.is_some_and(|other| other != widening) {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(Fault::new(expr.span, message));
        }
        vector.widening = Some(widening);
        Ok(())
    }
}

/// Where an expression keeps `offset` and `@`, if it may have them.
fn modifiers(expr: &mut Expr) -> Option<&mut Modifiers> {
    match &mut expr.kind {
        ExprKind::Vector(vector) => Some(&mut vector.modifiers),
        ExprKind::Matrix(matrix) => Some(&mut matrix.vector.modifiers),
        ExprKind::Subquery(subquery) => Some(&mut subquery.modifiers),
        _ => None,
    }
}

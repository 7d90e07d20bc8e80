//! Lists of labels: `(job, "a.b")`.

use super::Parser;
use crate::syntax::error::Fault;
use crate::syntax::quote::quote;
use crate::syntax::token::TokenKind;

const CONTEXT: &str = "grouping opts";

impl Parser<'_> {
    /// Labels in parentheses; gives the end of the closing one.
    pub(super) fn grouping(&mut self) -> Result<(Vec<String>, u32), Fault> {
        let open = self.next()?;
        if open.kind != TokenKind::LeftParen {
            return Err(self.unexpected_in(open, CONTEXT, "\"(\""));
        }
        let mut labels = Vec::new();
        loop {
            let token = self.next()?;
            let label = match token.kind {
                // `()` and `(a,)` are right, `(,)` is not.
                TokenKind::RightParen => return Ok((labels, token.span.end)),
                TokenKind::String => self.unquoted(token)?,
                kind if kind.is_label() => self.word(token).to_owned(),
                _ => return Err(self.unexpected_in(token, CONTEXT, "label")),
            };
            if label.is_empty() {
                let message = format!("invalid label name for grouping: {}", quote(&label));
                return Err(Fault::new(token.span, message));
            }
            labels.push(label);
            let behind = self.next()?;
            match behind.kind {
                TokenKind::Comma => {}
                TokenKind::RightParen => return Ok((labels, behind.span.end)),
                _ => return Err(self.unexpected_in(behind, CONTEXT, "\",\" or \")\"")),
            }
        }
    }
}

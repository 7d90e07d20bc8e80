//! What stands between an operator and its right side: `bool on (job) group_left (zone) fill (0)`.

use super::Parser;
use crate::syntax::error::Fault;
use crate::syntax::token::{Keyword, TokenKind};
use crate::syntax::{BinaryOp, Cardinality, Fill, VectorMatching};

impl Parser<'_> {
    /// The modifiers of an operator, and whether `bool` is among them.
    pub(super) fn matching(&mut self) -> Result<(VectorMatching, bool), Fault> {
        let mut matching = VectorMatching {
            cardinality: Cardinality::OneToOne,
            labels: Vec::new(),
            on: false,
            include: Vec::new(),
            fill: Fill::default(),
        };
        let return_bool = self.eat(TokenKind::Keyword(Keyword::Bool))?.is_some();
        let TokenKind::Keyword(keyword) = self.peek()?.kind else {
            return Ok((matching, return_bool));
        };
        if let Keyword::On | Keyword::Ignoring = keyword {
            self.next()?;
            matching.on = keyword == Keyword::On;
            matching.labels = self.grouping()?.0;
            self.group(&mut matching)?;
        }
        self.fill(&mut matching.fill)?;
        Ok((matching, return_bool))
    }

    fn group(&mut self, matching: &mut VectorMatching) -> Result<(), Fault> {
        matching.cardinality = match self.peek()?.kind {
            TokenKind::Keyword(Keyword::GroupLeft) => Cardinality::ManyToOne,
            TokenKind::Keyword(Keyword::GroupRight) => Cardinality::OneToMany,
            _ => return Ok(()),
        };
        self.next()?;
        // A parenthesis here always opens a list of labels, never the right side.
        let token = self.peek()?;
        match token.kind {
            TokenKind::LeftParen => matching.include = self.grouping()?.0,
            TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight) => {}
            _ if token.begins_operand() => {}
            _ => return Err(self.unexpected_in(token, "grouping opts", "\"(\"")),
        }
        Ok(())
    }

    /// `fill` stands for both sides; the other two may stand together in either order.
    fn fill(&mut self, fill: &mut Fill) -> Result<(), Fault> {
        loop {
            match self.peek()?.kind {
                TokenKind::Keyword(Keyword::Fill) if *fill == Fill::default() => {
                    self.next()?;
                    let value = Some(self.fill_value()?);
                    *fill = Fill {
                        left: value,
                        right: value,
                    };
                    return Ok(());
                }
                TokenKind::Keyword(Keyword::FillLeft) if fill.left.is_none() => {
                    self.next()?;
                    fill.left = Some(self.fill_value()?);
                }
                TokenKind::Keyword(Keyword::FillRight) if fill.right.is_none() => {
                    self.next()?;
                    fill.right = Some(self.fill_value()?);
                }
                // Whatever else stands here is no operand either, and is refused as one.
                _ => return Ok(()),
            }
        }
    }

    fn fill_value(&mut self) -> Result<f64, Fault> {
        let open = self.next()?;
        if open.kind != TokenKind::LeftParen {
            return Err(self.unexpected(open));
        }
        let mut token = self.next()?;
        let sign = match token.kind {
            TokenKind::Binary(BinaryOp::Sub) => -1.0,
            _ => 1.0,
        };
        if let TokenKind::Binary(BinaryOp::Sub | BinaryOp::Add) = token.kind {
            token = self.next()?;
        }
        if !matches!(token.kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected(token));
        }
        let value = self.number(token)?.value;
        let close = self.next()?;
        if close.kind != TokenKind::RightParen {
            return Err(self.unexpected(close));
        }
        Ok(sign * value)
    }
}

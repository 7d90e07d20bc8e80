//! Calls of functions, and lists of arguments.

use super::{Node, Parser};
use crate::syntax::error::Fault;
use crate::syntax::quote::quote;
use crate::syntax::token::{Token, TokenKind};
use crate::syntax::{Call, Expr, ExprKind, SourceSpan, function};

/// What stands between the parentheses of a call.
pub(super) struct Arguments {
    pub(super) args: Vec<Expr>,
    /// The levels of the highest argument.
    pub(super) height: usize,
    /// The end of the closing parenthesis.
    pub(super) end: u32,
}

impl Parser<'_> {
    /// The call of the function of this name; the next word is the opening parenthesis.
    pub(super) fn call(&mut self, name: Token) -> Result<Node, Fault> {
        let arguments = self.arguments()?;
        self.called(name, arguments)
    }

    fn called(&self, name: Token, arguments: Arguments) -> Result<Node, Fault> {
        let word = self.word(name);
        let Some(function) = function(word) else {
            let message = format!("unknown function with name {}", quote(word));
            return Err(Fault::new(name.span, message));
        };
        if function.is_experimental && !self.options.experimental_functions {
            let message = format!("function {} is not enabled", quote(word));
            return Err(Fault::new(name.span, message));
        }
        let span = SourceSpan {
            start: name.span.start,
            end: arguments.end,
        };
        let height = self.above(arguments.height, span)?;
        let kind = ExprKind::Call(Call {
            function,
            args: arguments.args,
        });
        Ok(Node::new(kind, span, height))
    }

    /// Arguments in parentheses.
    pub(super) fn arguments(&mut self) -> Result<Arguments, Fault> {
        let open = self.next()?;
        if open.kind != TokenKind::LeftParen {
            return Err(self.unexpected(open));
        }
        let (mut args, mut height) = (Vec::new(), 0);
        if let Some(close) = self.eat(TokenKind::RightParen)? {
            let end = close.span.end;
            return Ok(Arguments { args, height, end });
        }
        loop {
            self.enter()?;
            let node = self.expression(0)?;
            self.leave();
            height = height.max(node.height);
            args.push(*node.expr);
            let behind = self.next()?;
            match behind.kind {
                TokenKind::RightParen => {
                    let end = behind.span.end;
                    return Ok(Arguments { args, height, end });
                }
                TokenKind::Comma if self.peek()?.begins_operand() => {}
                TokenKind::Comma => {
                    let message = "trailing commas not allowed in function call args";
                    return Err(Fault::new(behind.span, message));
                }
                _ => return Err(self.unexpected(behind)),
            }
        }
    }
}

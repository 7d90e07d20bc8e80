//! Texts in quotes: where they end, and whether their escapes are escapes.

use super::Lexer;
use crate::syntax::error::Fault;
use crate::syntax::quote::code_point;
use crate::syntax::token::{Token, TokenKind};

impl Lexer<'_> {
    /// A text whose opening quote is already read.
    pub(super) fn string(&mut self, quote: char) -> Result<Token, Fault> {
        loop {
            match self.bump() {
                Some(c) if c == quote => return Ok(self.token(TokenKind::String)),
                None if quote == '`' => return Err(self.fault("unterminated raw string")),
                Some(_) if quote == '`' => {}
                None | Some('\n') => return Err(self.fault("unterminated quoted string")),
                Some('\\') => self.escape(quote)?,
                Some(_) => {}
            }
        }
    }

    /// An escape whose backslash is already read.
    fn escape(&mut self, quote: char) -> Result<(), Fault> {
        let (digits, base, max) = match self.bump() {
            None => return Err(self.fault("escape sequence not terminated")),
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return Ok(()),
            Some(c) if c == quote => return Ok(()),
            Some('0'..='7') => {
                self.pos -= 1;
                (3, 8, 255)
            }
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, u32::from(char::MAX)),
            Some('U') => (8, 16, u32::from(char::MAX)),
            Some(c) => return Err(self.fault(format!("unknown escape sequence {}", code_point(c)))),
        };
        let mut code = 0u32;
        for _ in 0..digits {
            let Some(c) = self.bump() else {
                return Err(self.fault("escape sequence not terminated"));
            };
            let Some(digit) = c.to_digit(base) else {
                return Err(self.fault(format!("illegal character {} in escape sequence", code_point(c))));
            };
            // Eight hexadecimal digits fill the number exactly.
            code = code * base + digit;
        }
        if code > max || (0xD800..0xE000).contains(&code) {
            return Err(self.fault("escape sequence is an invalid Unicode code point"));
        }
        Ok(())
    }
}

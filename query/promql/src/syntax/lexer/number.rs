//! Numbers and durations.

use super::{Lexer, Mode, is_alphanumeric};
use crate::syntax::error::Fault;
use crate::syntax::quote::quote;
use crate::syntax::token::{Token, TokenKind};

impl Lexer<'_> {
    /// A number or a duration. What comes out is shaped like one; whether it is one the parser finds when it reads
    /// the value.
    pub(super) fn number(&mut self) -> Result<Token, Fault> {
        self.pos = self.start;
        if self.mode == Mode::Duration {
            // Behind a number inside brackets a colon may follow.
            self.mode = Mode::Statement;
        }
        if self.scan_number() {
            return Ok(self.token(TokenKind::Number));
        }
        if self.scan_units() {
            return Ok(self.token(TokenKind::Duration));
        }
        Err(self.fault(format!("bad number or duration syntax: {}", quote(self.taken()))))
    }

    fn scan_number(&mut self) -> bool {
        let is_hex = self.accept("0") && self.accept("xX");
        if is_hex {
            self.accept("_");
        }
        let is_digit = |c: char| {
            if is_hex {
                c.is_ascii_hexdigit()
            } else {
                c.is_ascii_digit()
            }
        };
        self.accept(".");
        let (mut dot, mut exponent) = (false, false);
        while let Some(c) = self.peek() {
            match c {
                '.' => {
                    self.bump();
                    if dot || is_hex || self.accept("_.") {
                        return false;
                    }
                    dot = true;
                }
                'e' | 'E' if !is_hex => {
                    self.bump();
                    if exponent {
                        return false;
                    }
                    exponent = true;
                    self.accept("+-");
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                '_' => {
                    self.bump();
                    let is_last = self.accept(if is_hex { "._" } else { "._eE" });
                    if is_last || self.peek().is_none() {
                        return false;
                    }
                }
                c if is_digit(c) => self.skip_while(is_digit),
                _ => break,
            }
        }
        !self.peek().is_some_and(is_alphanumeric)
    }

    /// The unit behind a number that is already read, and all other numbers with units.
    fn scan_units(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        // The second letter of "ms"; behind another unit the parser refuses it.
        self.accept("s");
        while self.accept("0123456789") {
            self.skip_while(|c| c.is_ascii_digit());
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }
}

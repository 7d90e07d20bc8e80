//! Names and keywords.

use super::{Lexer, is_alpha, is_alphanumeric, is_space};
use crate::syntax::AggregateOp;
use crate::syntax::error::Fault;
use crate::syntax::quote::quote_char;
use crate::syntax::token::{Context, Keyword, Token, TokenKind};

impl Lexer<'_> {
    /// `step`, `range`, `min` or `max` inside brackets.
    pub(super) fn duration_word(&mut self) -> Option<Token> {
        self.skip_while(is_alpha);
        let kind = TokenKind::of_word(self.taken());
        let known = matches!(
            kind,
            TokenKind::Context(Context::Step | Context::Range)
                | TokenKind::Aggregate(AggregateOp::Min | AggregateOp::Max)
        );
        known.then(|| self.token(kind))
    }

    /// A name or keyword; inside brackets, the colon between range and step.
    pub(super) fn word(&mut self, first: char) -> Result<Token, Fault> {
        if self.bracket_open {
            return self.word_in_brackets(first);
        }
        self.skip_while(|c| is_alphanumeric(c) || c == ':');
        let mut kind = TokenKind::of_word(self.taken());
        // These came late to the language, so metrics of that name stay what they are.
        if let TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight) = kind {
            let rest = self.text[self.pos..].trim_start_matches(is_space);
            if !rest.starts_with('(') {
                kind = TokenKind::Identifier;
            }
        }
        Ok(self.token(kind))
    }

    fn word_in_brackets(&mut self, first: char) -> Result<Token, Fault> {
        if first == ':' {
            if self.got_colon {
                return Err(self.fault("unexpected colon ':'"));
            }
            self.got_colon = true;
            return Ok(self.token(TokenKind::Colon));
        }
        let word = match first {
            's' | 'S' | 'm' | 'M' | 'r' | 'R' => self.duration_word(),
            _ => None,
        };
        word.ok_or_else(|| {
            self.fault(format!(
                "unexpected character: {}, expected ':'",
                quote_char(Some(first))
            ))
        })
    }
}

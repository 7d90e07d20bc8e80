//! Text to words.
//!
//! The lexer has modes, as Prometheus' has: inside braces every word is a name, inside brackets only durations are
//! read. It is asked for one word at a time and stops at its first error, so that an error of the parser on an earlier
//! word comes first.

mod number;
mod string;
mod word;

use super::error::Fault;
use super::quote::quote_char;
use super::token::{Token, TokenKind};
use super::{BinaryOp, SourceSpan};

/// Reads one text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// The next byte.
    pos: usize,
    /// The first byte of the word that is being read.
    start: usize,
    mode: Mode,
    parens_open: usize,
    bracket_open: bool,
    got_colon: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Statement,
    /// Between braces.
    Matchers,
    /// Behind an opening bracket, until the first number.
    Duration,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            pos: 0,
            start: 0,
            mode: Mode::Statement,
            parens_open: 0,
            bracket_open: false,
            got_colon: false,
        }
    }

    /// The next word; [`TokenKind::End`] again and again behind the last.
    pub(super) fn next(&mut self) -> Result<Token, Fault> {
        self.skip_blanks();
        self.start = self.pos;
        match self.mode {
            Mode::Statement => self.statement(),
            Mode::Matchers => self.matchers(),
            Mode::Duration => self.duration(),
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            self.skip_while(is_space);
            // Between an opening bracket and its first number Prometheus knows no comments either.
            if self.mode == Mode::Duration || self.peek() != Some('#') {
                return;
            }
            self.skip_while(|c| c != '\n' && c != '\r');
        }
    }

    fn statement(&mut self) -> Result<Token, Fault> {
        let Some(c) = self.bump() else {
            return match (self.parens_open, self.bracket_open) {
                (0, false) => Ok(self.token(TokenKind::End)),
                (0, true) => Err(self.fault("unclosed left bracket")),
                _ => Err(self.fault("unclosed left parenthesis")),
            };
        };
        let kind = match c {
            '=' if self.peek() == Some('~') => {
                return Err(self.fault("unexpected character after '=': '~'"));
            }
            '=' if self.accept("=") => TokenKind::Binary(BinaryOp::Equal),
            '=' => TokenKind::Assign,
            '!' => match self.bump() {
                Some('=') => TokenKind::Binary(BinaryOp::NotEqual),
                other => {
                    return Err(self.fault(format!("unexpected character after '!': {}", quote_char(other))));
                }
            },
            '<' if self.accept("=") => TokenKind::Binary(BinaryOp::LessOrEqual),
            '<' if self.accept("/") => TokenKind::Binary(BinaryOp::TrimUpper),
            '<' => TokenKind::Binary(BinaryOp::Less),
            '>' if self.accept("=") => TokenKind::Binary(BinaryOp::GreaterOrEqual),
            '>' if self.accept("/") => TokenKind::Binary(BinaryOp::TrimLower),
            '>' => TokenKind::Binary(BinaryOp::Greater),
            '.' if self.peek().is_some_and(|next| next.is_ascii_digit()) => return self.number(),
            '0'..='9' => return self.number(),
            '"' | '\'' | '`' => return self.string(c),
            ':' | '_' | 'a'..='z' | 'A'..='Z' => return self.word(c),
            '{' => {
                self.mode = Mode::Matchers;
                TokenKind::LeftBrace
            }
            '[' if self.bracket_open => return Err(self.fault("unexpected left bracket '['")),
            '[' => {
                self.bracket_open = true;
                self.got_colon = false;
                self.mode = Mode::Duration;
                TokenKind::LeftBracket
            }
            ']' if !self.bracket_open => return Err(self.fault("unexpected right bracket ']'")),
            '@' => TokenKind::At,
            _ => return self.punctuation(c, "unexpected character: "),
        };
        Ok(self.token(kind))
    }

    /// Words that mean the same with and without brackets around.
    fn punctuation(&mut self, c: char, otherwise: &str) -> Result<Token, Fault> {
        let kind = match c {
            ',' => TokenKind::Comma,
            '+' => TokenKind::Binary(BinaryOp::Add),
            '-' => TokenKind::Binary(BinaryOp::Sub),
            '*' => TokenKind::Binary(BinaryOp::Mul),
            '/' => TokenKind::Binary(BinaryOp::Div),
            '%' => TokenKind::Binary(BinaryOp::Mod),
            '^' => TokenKind::Binary(BinaryOp::Pow),
            '(' => {
                self.parens_open += 1;
                TokenKind::LeftParen
            }
            ')' => {
                let Some(left) = self.parens_open.checked_sub(1) else {
                    self.start = self.pos;
                    return Err(self.fault("unexpected right parenthesis ')'"));
                };
                self.parens_open = left;
                TokenKind::RightParen
            }
            ']' => {
                self.bracket_open = false;
                self.mode = Mode::Statement;
                TokenKind::RightBracket
            }
            other => return Err(self.fault(format!("{otherwise}{}", quote_char(Some(other))))),
        };
        Ok(self.token(kind))
    }

    fn matchers(&mut self) -> Result<Token, Fault> {
        let Some(c) = self.bump() else {
            return Err(self.fault("unexpected end of input inside braces"));
        };
        let kind = match c {
            '_' | 'a'..='z' | 'A'..='Z' => {
                self.skip_while(is_alphanumeric);
                TokenKind::Identifier
            }
            ',' => TokenKind::Comma,
            '"' | '\'' | '`' => return self.string(c),
            '=' if self.accept("~") => TokenKind::RegexMatch,
            '=' => TokenKind::Assign,
            '!' => match self.bump() {
                Some('~') => TokenKind::RegexNotMatch,
                Some('=') => TokenKind::Binary(BinaryOp::NotEqual),
                other => {
                    return Err(self.fault(format!(
                        "unexpected character after '!' inside braces: {}",
                        quote_char(other)
                    )));
                }
            },
            '{' => return Err(self.fault("unexpected left brace '{'")),
            '}' => {
                self.mode = Mode::Statement;
                TokenKind::RightBrace
            }
            other => {
                return Err(self.fault(format!(
                    "unexpected character inside braces: {}",
                    quote_char(Some(other))
                )));
            }
        };
        Ok(self.token(kind))
    }

    fn duration(&mut self) -> Result<Token, Fault> {
        const OTHERWISE: &str = "unexpected character in duration expression: ";
        let Some(c) = self.bump() else {
            return Err(self.fault("unexpected end of input in duration expression"));
        };
        match c {
            ':' => {
                self.start = self.pos;
                Err(self.fault("unexpected colon before duration in duration expression"))
            }
            's' | 'S' | 'm' | 'M' | 'r' | 'R' => match self.duration_word() {
                Some(token) => Ok(token),
                None => Err(self.fault(format!("{OTHERWISE}{}", quote_char(Some(c))))),
            },
            '.' if self.peek().is_some_and(|next| next.is_ascii_digit()) => self.number(),
            '0'..='9' => self.number(),
            _ => self.punctuation(c, OTHERWISE),
        }
    }

    fn token(&self, kind: TokenKind) -> Token {
        Token {
            kind,
            span: self.span_to(self.pos),
        }
    }

    /// An error in the word that is being read. It speaks of the rest of the text, since what a word would have been
    /// nobody knows.
    fn fault(&self, message: impl Into<Box<str>>) -> Fault {
        Fault::new(self.span_to(self.text.len()), message)
    }

    fn span_to(&self, end: usize) -> SourceSpan {
        SourceSpan {
            start: self.start as u32,
            end: end as u32,
        }
    }

    fn taken(&self) -> &'a str {
        &self.text[self.start..self.pos]
    }

    fn peek(&self) -> Option<char> {
        self.text[self.pos..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// Takes the next character if it is one of these.
    fn accept(&mut self, valid: &str) -> bool {
        let is_next = self.peek().is_some_and(|c| valid.contains(c));
        if is_next {
            self.bump();
        }
        is_next
    }

    fn skip_while(&mut self, mut part: impl FnMut(char) -> bool) {
        while let Some(c) = self.peek() {
            if !part(c) {
                return;
            }
            self.pos += c.len_utf8();
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

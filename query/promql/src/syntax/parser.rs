//! Words to tree.
//!
//! One function a rule, and one word of lookahead. The first error ends the parse: it is the one that Prometheus
//! shows. Prometheus' parser is generated, and where its grammar recovers from an error decides what an error says; each
//! rule here names that place in its message.

mod aggregate;
mod bracket;
mod call;
mod duration;
mod expression;
mod grouping;
mod matching;
mod modifier;
mod selector;

use barograph_model::Matcher;

use super::error::Fault;
use super::lexer::Lexer;
use super::quote::{UnquoteError, quote, unquote};
use super::token::{Token, TokenKind};
use super::{Expr, ExprKind, ParseError, ParseOptions, SourceSpan, check};

/// Reads an expression and checks its types.
///
/// # Errors
/// [`ParseError`] says what is wrong and where, in the words of Prometheus.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Expr, ParseError> {
    parse_checked(text, options).map_err(|fault| fault.locate(text))
}

/// Reads a selector as it stands in `match[]`: `up{job="a"}`, without range and modifiers. Like Prometheus it accepts
/// `{}` here; whoever asks decides whether everything may be selected.
///
/// # Errors
/// [`ParseError`] says what is wrong and where, in the words of Prometheus.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let options = ParseOptions::default();
    let read = || {
        let mut parser = Parser::new(text, &options)?;
        let selector = parser.bare_selector()?;
        parser.expect_end()?;
        Ok(selector.matchers)
    };
    read().map_err(|fault: Fault| fault.locate(text))
}

fn parse_checked(text: &str, options: &ParseOptions) -> Result<Expr, Fault> {
    let mut parser = Parser::new(text, options)?;
    if parser.peek()?.kind == TokenKind::End {
        return Err(Fault::new(SourceSpan::default(), "no expression found in input"));
    }
    let mut expr = *parser.expression(0)?.expr;
    parser.expect_end()?;
    check::check(&mut expr, text)?;
    Ok(expr)
}

/// The state of one parse.
struct Parser<'a> {
    text: &'a str,
    options: &'a ParseOptions,
    lexer: Lexer<'a>,
    peeked: Option<Token>,
    /// Levels of the tree above what is being read.
    depth: usize,
    /// Aggregations whose brackets are open.
    aggregations_open: usize,
    /// Regular expressions compiled so far.
    regexes: usize,
}

/// A piece of the tree with the number of its levels. Boxed, because it passes through every function of the descent,
/// and the stack is what limits depth.
struct Node {
    expr: Box<Expr>,
    height: usize,
}

impl Node {
    fn new(kind: ExprKind, span: SourceSpan, height: usize) -> Self {
        Self {
            expr: Box::new(Expr { kind, span }),
            height,
        }
    }
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, options: &'a ParseOptions) -> Result<Self, Fault> {
        let limit = options.max_bytes.min(u32::MAX as usize);
        if text.len() > limit {
            let length = text.len();
            let message = format!("expression of {length} bytes is longer than the limit of {limit}");
            return Err(Fault::new(SourceSpan::default(), message));
        }
        Ok(Self {
            text,
            options,
            lexer: Lexer::new(text),
            peeked: None,
            depth: 0,
            aggregations_open: 0,
            regexes: 0,
        })
    }

    fn peek(&mut self) -> Result<Token, Fault> {
        match self.peeked {
            Some(token) => Ok(token),
            None => {
                let token = self.lexer.next()?;
                self.peeked = Some(token);
                Ok(token)
            }
        }
    }

    fn next(&mut self) -> Result<Token, Fault> {
        match self.peeked.take() {
            Some(token) => Ok(token),
            None => self.lexer.next(),
        }
    }

    /// Takes the next word if it is this one.
    fn eat(&mut self, kind: TokenKind) -> Result<Option<Token>, Fault> {
        let token = self.peek()?;
        if token.kind == kind {
            self.peeked = None;
            return Ok(Some(token));
        }
        Ok(None)
    }

    fn expect_end(&mut self) -> Result<(), Fault> {
        match self.next()? {
            token if token.kind == TokenKind::End => Ok(()),
            token => Err(self.unexpected(token)),
        }
    }

    /// The error where no rule has words of its own for it.
    fn unexpected(&self, token: Token) -> Fault {
        let context = if self.aggregations_open > 0 {
            "aggregation"
        } else {
            ""
        };
        self.unexpected_in(token, context, "")
    }

    fn unexpected_in(&self, token: Token, context: &str, expected: &str) -> Fault {
        let mut message = format!("unexpected {}", token.describe(self.text));
        if !context.is_empty() {
            message = format!("{message} in {context}");
        }
        if !expected.is_empty() {
            message = format!("{message}, expected {expected}");
        }
        Fault::new(token.span, message)
    }

    fn word(&self, token: Token) -> &'a str {
        &self.text[token.span.start as usize..token.span.end as usize]
    }

    /// The value of a text in quotes.
    fn unquoted(&self, token: Token) -> Result<String, Fault> {
        let word = self.word(token);
        unquote(word).map_err(|error| {
            let reason = match error {
                UnquoteError::Syntax => "invalid syntax",
                UnquoteError::NotUtf8 => "its bytes are not UTF-8",
            };
            let message = format!("error unquoting string {}: {reason}", quote(word));
            Fault::new(token.span, message)
        })
    }

    /// Goes one level down; the caller goes up again with [`Self::leave`] unless it fails.
    fn enter(&mut self) -> Result<(), Fault> {
        if self.depth >= self.options.max_depth {
            let token = self.peek()?;
            return Err(self.too_deep(token.span));
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// A level above a piece of `height` levels.
    fn above(&self, height: usize, span: SourceSpan) -> Result<usize, Fault> {
        if height >= self.options.max_depth {
            return Err(self.too_deep(span));
        }
        Ok(height + 1)
    }

    fn too_deep(&self, span: SourceSpan) -> Fault {
        let limit = self.options.max_depth;
        Fault::new(
            span,
            format!("expression is nested deeper than the limit of {limit}"),
        )
    }
}

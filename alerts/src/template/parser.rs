//! Reads the text of a template.

use super::function::{Function, NAMES};
use super::printf::Format;
use super::{Expression, Part, TemplateError};
use crate::error::nearest;

/// Parentheses deeper than this are refused.
const DEEPEST: usize = 8;

pub(super) fn parse(source: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut at = 0;
    let mut trim_next = false;
    while let Some(open) = source[at..].find("{{").map(|found| at + found) {
        let mut text = &source[at..open];
        if trim_next {
            text = text.trim_start();
        }
        let mut inner_start = open + 2;
        if source[inner_start..].starts_with("- ") {
            inner_start += 2;
            text = text.trim_end();
        }
        let error = |message: String| TemplateError {
            offset: open,
            message,
        };
        let inner_end = expression_end(source, inner_start)
            .ok_or_else(|| error("\"{{\" is not closed by \"}}\"".to_owned()))?;
        let mut inner = &source[inner_start..inner_end];
        trim_next = inner.ends_with(" -");
        if trim_next {
            inner = &inner[..inner.len() - 2];
        }
        parts.push(Part::Text(text.to_owned()));
        let tokens = tokens(inner).map_err(error)?;
        let mut parser = Parser {
            tokens: &tokens,
            depth: 0,
        };
        let expression = parser.pipeline().map_err(error)?;
        if let Some(token) = parser.tokens.first() {
            return Err(error(format!(
                "{} is not expected after the expression",
                token.shown()
            )));
        }
        parts.push(Part::Expression(expression));
        at = inner_end + 2;
    }
    let rest = if trim_next {
        source[at..].trim_start()
    } else {
        &source[at..]
    };
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    Ok(parts)
}

/// Where the closing braces stand; braces inside quotes do not close.
fn expression_end(source: &str, start: usize) -> Option<usize> {
    let mut quote = None;
    let mut chars = source[start..].char_indices();
    while let Some((offset, c)) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '`') => quote = Some(c),
            (None, '}') if source[start + offset..].starts_with("}}") => return Some(start + offset),
            _ => {}
        }
    }
    None
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Pipe,
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Word(word) => format!("{word:?}"),
            Self::Text(text) => format!("the text {text:?}"),
            Self::Open => "\"(\"".to_owned(),
            Self::Close => "\")\"".to_owned(),
            Self::Pipe => "\"|\"".to_owned(),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let mut len = 1;
        tokens.push(match first {
            '(' => Token::Open,
            ')' => Token::Close,
            '|' => Token::Pipe,
            '`' => {
                let end = rest[1..].find('`').ok_or("a text in backquotes is not closed")?;
                len = end + 2;
                Token::Text(rest[1..=end].to_owned())
            }
            '"' => {
                let (unquoted, end) = quoted(rest)?;
                len = end;
                Token::Text(unquoted)
            }
            _ => {
                len = rest
                    .find(|c: char| c.is_whitespace() || "()|\"`".contains(c))
                    .unwrap_or(rest.len());
                Token::Word(rest[..len].to_owned())
            }
        });
        rest = rest[len..].trim_start();
    }
    Ok(tokens)
}

/// The text inside the double quotes that `rest` starts with, and where they end.
fn quoted(rest: &str) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((text, at + 1)),
            '\\' => match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(escaped @ ('"' | '\\')) => text.push(escaped),
                Some(other) => {
                    return Err(format!(
                        "the escape \\{other} is not known (there are \\n \\t \\\" \\\\)"
                    ));
                }
                None => break,
            },
            c => text.push(c),
        }
    }
    Err("a text in double quotes is not closed".to_owned())
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn pipeline(&mut self) -> Result<Expression, String> {
        let mut expression = self.command(None)?;
        while self.tokens.first() == Some(&Token::Pipe) {
            self.next();
            expression = self.command(Some(expression))?;
        }
        Ok(expression)
    }

    /// A function call, to which a pipe adds its last argument, or an operand.
    fn command(&mut self, piped: Option<Expression>) -> Result<Expression, String> {
        let Some(Token::Word(name)) = self.tokens.first() else {
            return self.operand_alone(piped);
        };
        if !is_function_name(name) {
            return self.operand_alone(piped);
        }
        self.next();
        let mut arguments = Vec::new();
        while !matches!(self.tokens.first(), None | Some(Token::Pipe | Token::Close)) {
            arguments.push(self.operand()?);
        }
        arguments.extend(piped);
        if name == "printf" {
            let Some(Expression::Text(format)) = arguments.first().cloned() else {
                return Err("printf needs its format first, in double quotes".to_owned());
            };
            arguments.remove(0);
            let format = Format::parse(&format, &arguments)?;
            return Ok(Expression::Call(Function::Printf(format), arguments));
        }
        let function = Function::of_one(name).ok_or_else(|| unknown(name))?;
        if arguments.len() != 1 {
            return Err(format!("{name} takes one argument, here are {}", arguments.len()));
        }
        Ok(Expression::Call(function, arguments))
    }

    fn operand_alone(&mut self, piped: Option<Expression>) -> Result<Expression, String> {
        match (piped, self.tokens.first()) {
            (None, _) => self.operand(),
            (Some(_), Some(token)) => Err(format!("{} after a pipe is not a function", token.shown())),
            (Some(_), None) => Err("a function is missing after the last pipe".to_owned()),
        }
    }

    fn operand(&mut self) -> Result<Expression, String> {
        match self.next() {
            None => Err("the expression is empty".to_owned()),
            Some(Token::Text(text)) => Ok(Expression::Text(text.clone())),
            Some(Token::Open) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(format!("more than {DEEPEST} parentheses inside each other"));
                }
                let inner = self.pipeline()?;
                self.depth -= 1;
                match self.next() {
                    Some(Token::Close) => Ok(inner),
                    _ => Err("\"(\" is not closed".to_owned()),
                }
            }
            Some(Token::Word(word)) => operand_word(word),
            Some(token) => Err(format!("{} is not expected here", token.shown())),
        }
    }
}

fn is_function_name(word: &str) -> bool {
    NAMES.contains(&word)
}

fn operand_word(word: &str) -> Result<Expression, String> {
    if let Some(name) = word
        .strip_prefix("$labels.")
        .or_else(|| word.strip_prefix(".Labels."))
    {
        let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        return if bare {
            Ok(Expression::Label(name.to_owned()))
        } else {
            Err(format!(
                "{name:?} is not a label's name in a template (letters, digits and _)"
            ))
        };
    }
    if word == "$value" || word == ".Value" {
        return Ok(Expression::Value);
    }
    if let Ok(integer) = word.parse() {
        return Ok(Expression::Integer(integer));
    }
    if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))
        && let Ok(number) = word.parse::<f64>()
    {
        return Ok(Expression::Number(number));
    }
    Err(unknown(word))
}

fn unknown(word: &str) -> String {
    let known = NAMES.into_iter().chain(["$value", "$labels.NAME"]);
    match word {
        "if" | "else" | "end" | "range" | "with" | "define" | "template" | "block" => {
            format!("{word:?} is not spoken: a template holds single expressions only")
        }
        "query" | "first" | "sortByLabel" => format!("{word:?} is not spoken: a template cannot ask queries"),
        "$labels" | ".Labels" => "name one label: $labels.NAME".to_owned(),
        _ => format!("{word:?} is not known (did you mean {:?}?)", nearest(word, known)),
    }
}

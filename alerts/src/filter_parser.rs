//! Reads the text of an [`crate::EventFilter`].
//!
//! ```text
//! filter    = [ condition { "," condition } [ "," ] ]
//! condition = field op value
//! field     = "severity" | "rule" | "group" | "kind" | "label." ( name | quoted )
//! op        = "=" | "!=" | "=~" | "!~"
//! value     = quoted | any text without a comma, trimmed
//! ```

use barograph_model::{MatchOp, Matcher};

use crate::error::nearest;
use crate::filter::{Condition, Field};
use crate::{EventKind, FilterError};

/// A longer filter is refused: it comes from the network.
const LONGEST_BYTES: usize = 16 * 1024;

pub(crate) fn parse(text: &str) -> Result<Vec<Condition>, FilterError> {
    let mut parser = Parser { text, at: 0 };
    if text.len() > LONGEST_BYTES {
        return Err(FilterError::Syntax {
            filter: format!("{}...", text.chars().take(40).collect::<String>()),
            at: 1,
            message: format!(
                "{} bytes are more than the {LONGEST_BYTES} a filter may have",
                text.len()
            ),
        });
    }
    let mut conditions = Vec::new();
    parser.skip_space();
    while !parser.rest().is_empty() {
        conditions.push(parser.condition()?);
        parser.skip_space();
        if !parser.rest().is_empty() && !parser.take(",") {
            return Err(parser.error("expected a comma or the end"));
        }
        parser.skip_space();
    }
    Ok(conditions)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, message: &str) -> FilterError {
        FilterError::Syntax {
            filter: self.text.to_owned(),
            at: self.text[..self.at].chars().count() + 1,
            message: message.to_owned(),
        }
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn condition(&mut self) -> Result<Condition, FilterError> {
        let field = self.field()?;
        self.skip_space();
        let op = self.op()?;
        self.skip_space();
        let value = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            self.bare()
        };
        // A kind that does not exist would silently never match.
        if field == Field::Kind && matches!(op, MatchOp::Equal | MatchOp::NotEqual) {
            value.parse::<EventKind>()?;
        }
        let name = match &field {
            Field::Severity => "severity",
            Field::Rule => "rule",
            Field::Group => "group",
            Field::Kind => "kind",
            Field::Label(name) => name,
        };
        Ok(Condition {
            matcher: Matcher::new(name, op, &value)?,
            field,
        })
    }

    fn field(&mut self) -> Result<Field, FilterError> {
        if self.take("label.") {
            let name = if self.rest().starts_with('"') {
                self.quoted()?
            } else {
                self.word()
            };
            return if name.is_empty() {
                Err(self.error("a label's name is missing after \"label.\""))
            } else {
                Ok(Field::Label(name))
            };
        }
        let start = self.at;
        let field = self.word();
        match field.as_str() {
            "severity" => Ok(Field::Severity),
            "rule" => Ok(Field::Rule),
            "group" => Ok(Field::Group),
            "kind" => Ok(Field::Kind),
            "" => {
                self.at = start;
                Err(self.error("expected a field: severity, rule, group, kind or label.NAME"))
            }
            _ => {
                let as_label = format!("label.{field}");
                let fields = ["severity", "rule", "group", "kind"];
                let close = nearest(&field, fields);
                let typo = strsim::damerau_levenshtein(&field, close) <= 2;
                Err(FilterError::UnknownField {
                    nearest: if typo { close.to_owned() } else { as_label },
                    field,
                })
            }
        }
    }

    /// Everything up to an operator or a comma.
    fn word(&mut self) -> String {
        let len = self.rest().find(['=', '!', ',']).unwrap_or(self.rest().len());
        let word = self.rest()[..len].trim_end().to_owned();
        self.at += len;
        word
    }

    fn op(&mut self) -> Result<MatchOp, FilterError> {
        for (token, op) in [
            ("=~", MatchOp::Regex),
            ("!~", MatchOp::NotRegex),
            ("!=", MatchOp::NotEqual),
            ("=", MatchOp::Equal),
        ] {
            if self.take(token) {
                return Ok(op);
            }
        }
        Err(self.error("expected one of = != =~ !~"))
    }

    fn bare(&mut self) -> String {
        let len = self.rest().find(',').unwrap_or(self.rest().len());
        let value = self.rest()[..len].trim_end().to_owned();
        self.at += len;
        value
    }

    fn quoted(&mut self) -> Result<String, FilterError> {
        let open = self.at;
        self.at += 1;
        let mut value = String::new();
        let mut chars = self.text[self.at..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    return Ok(value);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                    // Expressions are full of backslashes: `\d` stays what it is.
                    Some((_, other)) => value.extend(['\\', other]),
                    None => break,
                },
                c => value.push(c),
            }
        }
        self.at = open;
        Err(self.error("the quote opened here is not closed"))
    }
}

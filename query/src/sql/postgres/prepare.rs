//! `PREPARE name [(type, ...)] AS statement` and `EXECUTE name [(value, ...)]`, cut into their parts.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::SessionStatement;
use super::places::Places;

/// Reads such a statement; `None` for everything else, and for what is not written so.
pub(super) fn parse(sql: &str) -> Option<SessionStatement> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    let is_sign = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
    let mut words = Words {
        places: Places::new(sql),
        tokens: tokens.iter().filter(is_sign).collect(),
        at: 0,
    };
    let verb = words.keyword()?;
    let name = words.name()?;
    match verb {
        Keyword::PREPARE => {
            let types = words.list()?;
            if words.keyword()? != Keyword::AS {
                return None;
            }
            let sql = words.rest()?;
            Some(SessionStatement::Prepare { name, types, sql })
        }
        Keyword::EXECUTE => {
            let values = words.list()?;
            words
                .rest()
                .is_none()
                .then_some(SessionStatement::Execute { name, values })
        }
        _ => None,
    }
}

/// The tokens of a statement, read one after the other.
struct Words<'a> {
    places: Places<'a>,
    tokens: Vec<&'a TokenWithSpan>,
    at: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Option<&Token> {
        let found = self.tokens.get(self.at)?;
        self.at += 1;
        Some(&found.token)
    }

    fn keyword(&mut self) -> Option<Keyword> {
        match self.next()? {
            Token::Word(word) => Some(word.keyword),
            _ => None,
        }
    }

    /// A name: in lower case, unless it stands in quotes.
    fn name(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
            Token::Word(word) => Some(word.value.to_lowercase()),
            _ => None,
        }
    }

    /// What stands in brackets, cut at its commas; nothing where no bracket opens. `None` for an empty part and for brackets
    /// that do not close.
    fn list(&mut self) -> Option<Vec<String>> {
        let mut parts = Vec::new();
        if !matches!(self.tokens.get(self.at), Some(token) if token.token == Token::LParen) {
            return Some(parts);
        }
        self.at += 1;
        let mut start = self.tokens.get(self.at)?.span.start;
        let mut depth = 0usize;
        loop {
            let token = *self.tokens.get(self.at)?;
            self.at += 1;
            match token.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket if depth > 0 => depth -= 1,
                Token::Comma | Token::RParen if depth == 0 => {
                    let part = self.places.between(start, token.span.start).trim();
                    if part.is_empty() {
                        return None;
                    }
                    parts.push(part.to_owned());
                    if token.token == Token::RParen {
                        return Some(parts);
                    }
                    start = token.span.end;
                }
                _ => {}
            }
        }
    }

    /// The text from here to the end, where there is any.
    fn rest(&self) -> Option<String> {
        let (first, last) = (self.tokens.get(self.at)?, self.tokens.last()?);
        Some(self.places.between(first.span.start, last.span.end).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(name: &str, types: &[&str], sql: &str) -> Option<SessionStatement> {
        Some(SessionStatement::Prepare {
            name: name.to_owned(),
            types: types.iter().map(|text| (*text).to_owned()).collect(),
            sql: sql.to_owned(),
        })
    }

    fn executed(name: &str, values: &[&str]) -> Option<SessionStatement> {
        Some(SessionStatement::Execute {
            name: name.to_owned(),
            values: values.iter().map(|text| (*text).to_owned()).collect(),
        })
    }

    #[test]
    fn statements_are_cut_into_parts() {
        assert_eq!(parse("PREPARE a AS SELECT 1"), prepared("a", &[], "SELECT 1"));
        assert_eq!(
            parse("prepare \"A b\" (text, numeric(10, 2))\n as -- ü\n SELECT 'ü;', $1 "),
            prepared("A b", &["text", "numeric(10, 2)"], "SELECT 'ü;', $1")
        );
        assert_eq!(parse("EXECUTE Q"), executed("q", &[]));
        assert_eq!(
            parse("EXECUTE q('a, b', f(1, 2), ARRAY[1, 2] , -3)"),
            executed("q", &["'a, b'", "f(1, 2)", "ARRAY[1, 2]", "-3"])
        );
    }

    #[test]
    fn what_is_written_otherwise_is_none_of_them() {
        for sql in [
            "PREPARE",
            "PREPARE a",
            "PREPARE a AS",
            "PREPARE a SELECT 1",
            "PREPARE TRANSACTION 'x'",
            "PREPARE a(int AS SELECT 1",
            "EXECUTE",
            "EXECUTE q(",
            "EXECUTE q()",
            "EXECUTE q(1,)",
            "EXECUTE q(1]",
            "EXECUTE q(1) x",
            "SELECT 1",
            "EXECUTE 'q'",
        ] {
            assert_eq!(parse(sql), None, "{sql}");
        }
    }
}

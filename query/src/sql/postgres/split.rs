//! One text of several statements, as PostgreSQL's simple queries may be, cut at its semicolons.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::places::Places;
use crate::sql::error::{SqlError, SqlErrorCode};

/// The statements of a text, without their semicolons and without those that are empty.
///
/// # Errors
/// `parse_error` for an open quote or comment, and for a text longer than `text_bytes_max`.
pub fn split_statements(sql: &str, text_bytes_max: usize) -> Result<Vec<String>, SqlError> {
    let wrong = |message: String| SqlError::new(SqlErrorCode::ParseError, message);
    if sql.len() > text_bytes_max {
        return Err(wrong(format!(
            "the query has {} bytes of text, the limit is {text_bytes_max}",
            sql.len()
        )));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| wrong(error.to_string()))?;
    let places = Places::new(sql);
    let mut statements = Vec::new();
    // Where the first word of the statement begins, once it is known.
    let mut start: Option<usize> = None;
    for token in &tokens {
        match token.token {
            Token::SemiColon => {
                if let Some(start) = start.take() {
                    statements.push(
                        sql.get(start..places.offset(token.span.start))
                            .unwrap_or_default()
                            .to_owned(),
                    );
                }
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ if start.is_none() => start = Some(places.offset(token.span.start)),
            _ => {}
        }
    }
    if let Some(start) = start {
        statements.push(sql.get(start..).unwrap_or_default().to_owned());
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(sql: &str) -> Vec<String> {
        split_statements(sql, 1 << 16).unwrap()
    }

    #[test]
    fn quotes_and_comments_hold_semicolons() {
        assert_eq!(split("SELECT 1; SELECT 2"), ["SELECT 1", "SELECT 2"]);
        assert_eq!(split(";; \n ;"), Vec::<String>::new());
        assert_eq!(split(""), Vec::<String>::new());
        assert_eq!(
            split("SELECT ';', \";\" -- ;\n, 1;"),
            ["SELECT ';', \";\" -- ;\n, 1"]
        );
        assert_eq!(split("/* ; */ SELECT 1"), ["SELECT 1"]);
        assert_eq!(
            split("SELECT $$a;b$$; SELECT 'ü;' ;SELECT 'é'"),
            ["SELECT $$a;b$$", "SELECT 'ü;' ", "SELECT 'é'"]
        );
        assert_eq!(
            split("BEGIN;\nSELECT 'ü',\n  'x';\nCOMMIT"),
            ["BEGIN", "SELECT 'ü',\n  'x'", "COMMIT"]
        );
        assert_eq!(split("SELECT E'\\';'; SELECT 2"), ["SELECT E'\\';'", "SELECT 2"]);
    }

    #[test]
    fn what_is_no_text_of_statements_is_refused() {
        assert!(split_statements("SELECT 'open", 100).is_err());
        assert!(split_statements("SELECT 1", 3).is_err());
    }
}

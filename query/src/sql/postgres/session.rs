//! Statements about the session rather than the data.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::prepare;

/// What a statement asks of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStatement {
    /// `SET name = value`; `None` for `DEFAULT`. Names are lower case.
    Set {
        /// The setting.
        name: String,
        /// Its parts joined by `, `, without quotes.
        value: Option<String>,
    },
    /// `SHOW name`; `all` for all.
    Show {
        /// The setting.
        name: String,
    },
    /// `RESET name`; `all` for all.
    Reset {
        /// The setting.
        name: String,
    },
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, `ABORT`.
    Rollback,
    /// `DISCARD ALL` and its parts.
    Discard,
    /// `DEALLOCATE name`; `None` for `ALL`.
    Deallocate {
        /// A prepared statement.
        name: Option<String>,
    },
    /// `PREPARE name AS statement`.
    Prepare {
        /// What it is called.
        name: String,
        /// The types of `$1`, `$2`, ... as they are written, where any are.
        types: Vec<String>,
        /// The statement.
        sql: String,
    },
    /// `EXECUTE name`.
    Execute {
        /// A prepared statement.
        name: String,
        /// The values of `$1`, `$2`, ... as they are written.
        values: Vec<String>,
    },
    /// What has no meaning here and is answered with its own name: `LISTEN`, `UNLISTEN`, `SAVEPOINT`, `RELEASE`.
    Ignored(&'static str),
}

impl SessionStatement {
    /// Tells such a statement from a query, for which it gives `None`.
    #[must_use]
    pub fn parse(sql: &str) -> Option<Self> {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().ok()?;
        let words: Vec<_> = tokens.iter().filter_map(word).collect();
        let lower: Vec<_> = words.iter().map(|word| word.to_lowercase()).collect();
        let rest = |from: usize| words.get(from..).unwrap_or_default();
        let names: Vec<_> = lower.iter().map(String::as_str).collect();
        Some(match names.as_slice() {
            ["set", "time", "zone", ..] => Self::Set {
                name: "timezone".to_owned(),
                value: value(rest(3)),
            },
            ["set", "session", "characteristics", ..] | ["set", "transaction", ..] => Self::Ignored("SET"),
            ["set", "session" | "local", name, "=" | "to", ..] => Self::Set {
                name: (*name).to_owned(),
                value: value(rest(4)),
            },
            ["set", name, "=" | "to", ..] => Self::Set {
                name: (*name).to_owned(),
                value: value(rest(3)),
            },
            ["show", "time", "zone"] => Self::Show {
                name: "timezone".to_owned(),
            },
            ["show", "transaction", "isolation", "level"] => Self::Show {
                name: "transaction_isolation".to_owned(),
            },
            // Tables and columns are shown by SQL.
            ["show", "tables" | "columns" | "functions" | "create", ..] => return None,
            ["show", name] => Self::Show {
                name: (*name).to_owned(),
            },
            ["reset", name] => Self::Reset {
                name: (*name).to_owned(),
            },
            ["begin", ..] | ["start", "transaction", ..] => Self::Begin,
            ["commit" | "end", ..] => Self::Commit,
            ["rollback", "to", ..] => Self::Ignored("ROLLBACK"),
            ["rollback" | "abort", ..] => Self::Rollback,
            ["discard", ..] => Self::Discard,
            ["deallocate", "all"] | ["deallocate", "prepare", "all"] => Self::Deallocate { name: None },
            ["deallocate", "prepare", _] => Self::Deallocate {
                name: words.get(2).cloned(),
            },
            ["deallocate", _] => Self::Deallocate {
                name: words.get(1).cloned(),
            },
            ["prepare" | "execute", ..] => return prepare::parse(sql),
            ["listen", ..] => Self::Ignored("LISTEN"),
            ["unlisten", ..] => Self::Ignored("UNLISTEN"),
            ["savepoint", ..] => Self::Ignored("SAVEPOINT"),
            ["release", ..] => Self::Ignored("RELEASE"),
            _ => return None,
        })
    }
}

/// A word, a number, a text without its quotes or a sign; nothing for white space.
fn word(token: &Token) -> Option<String> {
    match token {
        Token::Whitespace(_) | Token::EOF | Token::SemiColon => None,
        Token::Word(word) => Some(word.value.clone()),
        Token::SingleQuotedString(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The value of a setting: texts are joined as they would be shown.
fn value(words: &[String]) -> Option<String> {
    let mut text = String::new();
    for word in words {
        match word.as_str() {
            "," => text.push_str(", "),
            word => text.push_str(word),
        }
    }
    (!text.eq_ignore_ascii_case("default")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        let set = |sql: &str| match SessionStatement::parse(sql) {
            Some(SessionStatement::Set { name, value }) => (name, value),
            other => panic!("{sql}: {other:?}"),
        };
        let of = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        assert_eq!(
            set("SET search_path TO public, metrics"),
            of("search_path", "public, metrics")
        );
        assert_eq!(set("set extra_float_digits = 3"), of("extra_float_digits", "3"));
        assert_eq!(set("SET SESSION DateStyle = 'ISO'"), of("datestyle", "ISO"));
        assert_eq!(
            set("SET LOCAL statement_timeout TO '5s'"),
            of("statement_timeout", "5s")
        );
        assert_eq!(
            set("SET TIME ZONE 'Europe/Berlin'"),
            of("timezone", "Europe/Berlin")
        );
        assert_eq!(set("SET timezone = -3"), of("timezone", "-3"));
        assert_eq!(
            set("SET client_min_messages TO DEFAULT"),
            ("client_min_messages".to_owned(), None)
        );
    }

    #[test]
    fn queries_are_none_of_them() {
        for sql in [
            "SELECT 1",
            "SHOW TABLES",
            "WITH begin AS (SELECT 1) SELECT * FROM begin",
            "",
            "'set'",
        ] {
            assert_eq!(SessionStatement::parse(sql), None, "{sql}");
        }
        assert_eq!(
            SessionStatement::parse("BEGIN READ ONLY"),
            Some(SessionStatement::Begin)
        );
        assert_eq!(SessionStatement::parse("end"), Some(SessionStatement::Commit));
        assert_eq!(
            SessionStatement::parse("ROLLBACK;"),
            Some(SessionStatement::Rollback)
        );
        let deallocate = |name: &str| SessionStatement::Deallocate {
            name: Some(name.to_owned()),
        };
        assert_eq!(
            SessionStatement::parse("DEALLOCATE _pg3_0"),
            Some(deallocate("_pg3_0"))
        );
        assert_eq!(
            SessionStatement::parse("DEALLOCATE ALL"),
            Some(SessionStatement::Deallocate { name: None })
        );
    }
}

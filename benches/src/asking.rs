//! Questions to a contestant over HTTP, and answers in a form that is the same for all languages.
//!
//! An answer is pairs of a key (a label's value, or an instant in milliseconds) and a number, sorted by key.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::contestant::{Kind, Language};

/// A question, put in every language.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// What it is about, as tables show it.
    pub(crate) name: &'static str,
    /// In PromQL.
    pub(crate) promql: PromQl,
    /// In SQL; the first column is the key, the second the number.
    pub(crate) sql: String,
}

/// A question to Prometheus' API. Instants are in milliseconds.
#[derive(Debug, Clone)]
pub(crate) enum PromQl {
    /// An expression at one instant.
    Instant {
        /// The expression.
        expr: String,
        /// When.
        at_ms: i64,
    },
    /// An expression at several instants.
    Range {
        /// The expression.
        expr: String,
        /// The first instant.
        start_ms: i64,
        /// The last instant.
        end_ms: i64,
        /// Between two of them.
        step_ms: i64,
    },
    /// The values of a label of the series that a selector selects; each counts 1.
    LabelValues {
        /// The label.
        label: String,
        /// The selector.
        selector: String,
        /// Series that have samples from then on.
        start_ms: i64,
        /// Series that have samples up to then.
        end_ms: i64,
    },
}

/// Sorted pairs.
pub(crate) type Answer = Vec<(String, f64)>;

/// A kept connection to a contestant.
#[derive(Debug)]
pub(crate) struct Asking {
    kind: Kind,
    connection: Connection,
}

impl Asking {
    /// Connects.
    ///
    /// # Errors
    /// When nothing listens.
    pub(crate) fn open(kind: Kind, listen: SocketAddr) -> Result<Self> {
        let connection = Connection::open(listen)?;
        Ok(Self { kind, connection })
    }

    /// The answer to a question in the contestant's first language.
    ///
    /// # Errors
    /// As [`Asking::ask_in`].
    pub(crate) fn ask(&mut self, question: &Question) -> Result<Answer> {
        let text = self.raw(question, self.kind.languages()[0])?;
        answer(&text, self.kind.languages()[0])
    }

    /// The text of an answer, which is what is timed: reading it is the caller's work, not the contestant's.
    ///
    /// # Errors
    /// When the connection breaks, or the contestant refuses, with what it says.
    pub(crate) fn raw(&mut self, question: &Question, language: Language) -> Result<String> {
        let (status, text) = match language {
            Language::Sql => {
                let body = json!({ "query": question.sql, "format": "json" }).to_string();
                self.connection.post_json("/api/v1/sql", &body)?
            }
            Language::PromQl => self.connection.get(&question.promql.path())?,
        };
        if status != 200 {
            bail!(
                "{} answers {status} to {:?}: {}",
                self.kind.program(),
                question.name,
                text.trim()
            );
        }
        Ok(text)
    }
}

impl PromQl {
    /// The expression, and when it is asked for, in milliseconds.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Instant { expr, at_ms } => format!("{expr} at {at_ms}"),
            Self::Range {
                expr,
                start_ms,
                end_ms,
                step_ms,
            } => format!("{expr} from {start_ms} to {end_ms} step {step_ms}"),
            Self::LabelValues { label, selector, .. } => format!("values of {label} of {selector}"),
        }
    }

    /// The path and query of a `GET`.
    #[must_use]
    pub(crate) fn path(&self) -> String {
        let seconds = |ms: i64| format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000));
        // VictoriaMetrics keeps answers and rounds instants unless it is told not to; others ignore that.
        match self {
            Self::Instant { expr, at_ms } => {
                let (expr, at) = (escaped(expr), seconds(*at_ms));
                format!("/api/v1/query?query={expr}&time={at}&nocache=1")
            }
            Self::Range {
                expr,
                start_ms,
                end_ms,
                step_ms,
            } => format!(
                "/api/v1/query_range?query={}&start={}&end={}&step={}&nocache=1",
                escaped(expr),
                seconds(*start_ms),
                seconds(*end_ms),
                seconds(*step_ms)
            ),
            Self::LabelValues {
                label,
                selector,
                start_ms,
                end_ms,
            } => format!(
                "/api/v1/label/{label}/values?match[]={}&start={}&end={}",
                escaped(selector),
                seconds(*start_ms),
                seconds(*end_ms)
            ),
        }
    }
}

/// What an answer's text says.
///
/// # Errors
/// When it is not what the language's API answers.
pub(crate) fn answer(text: &str, language: Language) -> Result<Answer> {
    let whole: Value = serde_json::from_str(text).context("an answer is not JSON")?;
    let mut pairs = match language {
        Language::Sql => rows(&whole),
        Language::PromQl => results(&whole["data"]),
    }
    .with_context(|| {
        format!(
            "an answer has another form: {}",
            &text[..text.floor_char_boundary(300)]
        )
    })?;
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(pairs)
}

fn rows(whole: &Value) -> Option<Answer> {
    let rows = whole["rows"].as_array()?.iter();
    rows.map(|row| Some((text(&row[0])?, number(&row[1])?))).collect()
}

fn results(data: &Value) -> Option<Answer> {
    if let Some(values) = data.as_array() {
        return values.iter().map(|value| Some((text(value)?, 1.0))).collect();
    }
    let mut pairs = Vec::new();
    for series in data["result"].as_array()? {
        let labels = series["metric"].as_object()?.values().map(text);
        match series["values"].as_array() {
            // Questions for several instants are about one series, so the instant is the key.
            Some(values) => {
                for value in values {
                    let ms = (value[0].as_f64()? * 1e3).round();
                    pairs.push((format!("{ms}"), number(&value[1])?));
                }
            }
            None => {
                let key = labels.collect::<Option<Vec<_>>>()?.join(",");
                pairs.push((key, number(&series["value"][1])?));
            }
        }
    }
    Some(pairs)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some(String::new()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        // Everything in PromQL; in SQL what JSON has no number for.
        other => other.as_str()?.parse().ok(),
    }
}

/// For a query string.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Whether two answers are the same but for the last digits of sums, which depend on the order of adding.
#[must_use]
pub(crate) fn agree(a: &Answer, b: &Answer) -> bool {
    let close =
        |a: f64, b: f64| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && close(a.1, b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_one_form() {
        let sql = r#"{"columns":[],"rows":[["b",2.5],[null,1]]}"#;
        let instant = r#"{"data":{"resultType":"vector","result":[
            {"metric":{"zone":"b"},"value":[1.5,"2.5"]},{"metric":{},"value":[1.5,"1"]}]}}"#;
        let expected = vec![(String::new(), 1.0), ("b".to_owned(), 2.5)];
        assert_eq!(answer(sql, Language::Sql).unwrap(), expected);
        assert_eq!(answer(instant, Language::PromQl).unwrap(), expected);

        let matrix = r#"{"data":{"result":[{"metric":{"a":"b"},"values":[[1768397820.125,"3"]]}]}}"#;
        let expected = [("1768397820125".to_owned(), 3.0)];
        assert_eq!(answer(matrix, Language::PromQl).unwrap(), expected);
        let values = r#"{"data":["x","a"]}"#;
        assert_eq!(answer(values, Language::PromQl).unwrap().len(), 2);
        assert!(answer(r#"{"error":"no"}"#, Language::Sql).is_err());
    }

    #[test]
    fn sums_may_differ_in_their_last_digits_only() {
        let of = |value| vec![("a".to_owned(), value)];
        assert!(agree(&of(0.1 + 0.2), &of(0.3)));
        assert!(!agree(&of(3.0), &of(3.001)));
        assert!(!agree(&of(3.0), &vec![("b".to_owned(), 3.0)]));
        assert!(!agree(&of(3.0), &Vec::new()));
    }
}

//! Texts of labels and annotations: Prometheus' `{{ $labels.instance }}` and `{{ $value | humanize }}`.
//!
//! The part of Go's templates that rule files use: one expression between braces, which is an operand or a
//! function call, with pipes. `if`, `range`, `with`, variables and queries are refused when the file is read,
//! so that a template never fails when an alert does fire.
//!
//! ```text
//! expression = command { "|" command }
//! command    = operand | function { operand }
//! operand    = "$labels." name | ".Labels." name | "$value" | ".Value" | text | number | "(" expression ")"
//! function   = humanize | humanize1024 | humanizePercentage | humanizeDuration | printf
//!            | toUpper | toLower | title | stripPort
//! ```

use barograph_model::Labels;
use thiserror::Error;

mod float;
mod function;
mod parser;
mod printf;

use function::Function;

use crate::rule::cut;

/// A text filled in is not longer.
const LONGEST_BYTES: usize = 16 * 1024;

/// Why a template was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("template: {message}")]
pub struct TemplateError {
    /// Bytes from the start of the text to the expression.
    pub offset: usize,
    /// What is wrong and what can stand there.
    pub message: String,
}

/// A text with places to fill in, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Expression(Expression),
}

/// What stands between the braces.
#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Label(String),
    Value,
    Text(String),
    Number(f64),
    Integer(i64),
    Call(Function, Vec<Expression>),
}

/// What an expression gives.
#[derive(Debug, Clone, PartialEq)]
enum Datum {
    Text(String),
    Float(f64),
    Integer(i64),
}

impl Template {
    /// Reads and checks a text.
    ///
    /// # Errors
    /// [`TemplateError`] for anything outside the grammar above.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Ok(Self {
            source: source.to_owned(),
            parts: parser::parse(source)?,
        })
    }

    /// The text as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the result depends on the value.
    #[must_use]
    pub fn uses_value(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Expression(expression) if expression.uses_value()))
    }

    /// Fills the places in. An absent label is empty; a function of numbers gives a text that is not a number
    /// back unchanged. Cut at 16 KiB.
    #[must_use]
    pub fn render(&self, labels: &Labels, value: f64) -> String {
        let mut text = String::new();
        // The check stands inside the loop, because labels come from outside and may repeat many times over.
        for part in &self.parts {
            if text.len() > LONGEST_BYTES {
                break;
            }
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Expression(expression) => text.push_str(&expression.evaluate(labels, value).to_text()),
            }
        }
        cut(text, LONGEST_BYTES)
    }
}

impl Expression {
    fn uses_value(&self) -> bool {
        match self {
            Self::Value => true,
            Self::Call(_, arguments) => arguments.iter().any(Self::uses_value),
            _ => false,
        }
    }

    fn evaluate(&self, labels: &Labels, value: f64) -> Datum {
        match self {
            Self::Label(name) => Datum::Text(labels.get(name).to_owned()),
            Self::Value => Datum::Float(value),
            Self::Text(text) => Datum::Text(text.clone()),
            Self::Number(number) => Datum::Float(*number),
            Self::Integer(number) => Datum::Integer(*number),
            Self::Call(function, arguments) => {
                let arguments: Vec<_> = arguments
                    .iter()
                    .map(|argument| argument.evaluate(labels, value))
                    .collect();
                function.call(&arguments)
            }
        }
    }
}

impl Datum {
    /// As Go prints it.
    fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Float(value) => float::general(*value, None),
            Self::Integer(value) => value.to_string(),
        }
    }

    fn to_float(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Float(value) => Some(*value),
            Self::Integer(value) => Some(*value as f64),
        }
    }
}

#[cfg(test)]
mod tests;

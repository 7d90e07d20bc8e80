//! What is wrong with a text, and where.

use std::fmt;

use super::SourceSpan;

/// Why a text is not PromQL. Displays as Prometheus writes it: `1:5: parse error: unexpected end of input`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: parse error: {message}")]
pub struct ParseError {
    message: String,
    span: SourceSpan,
    place: Place,
}

impl ParseError {
    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes of the text that the message speaks of.
    #[must_use]
    pub fn span(&self) -> SourceSpan {
        self.span
    }
}

/// Line and column in bytes, both from 1; an empty text has neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    At { line: u32, column: u32 },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("unknown position"),
            Self::At { line, column } => write!(f, "{line}:{column}"),
        }
    }
}

/// An error on its way up, before its line is counted.
///
/// The message is boxed, since every function of the parser returns this by value and the stack is what limits depth.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: SourceSpan,
    pub(super) message: Box<str>,
}

impl Fault {
    pub(super) fn new(span: SourceSpan, message: impl Into<Box<str>>) -> Self {
        Self {
            span,
            message: message.into(),
        }
    }

    /// The error as a caller sees it.
    pub(super) fn locate(self, text: &str) -> ParseError {
        let place = if text.is_empty() {
            Place::Nowhere
        } else {
            let before = &text.as_bytes()[..text.len().min(self.span.start as usize)];
            let breaks = before.iter().filter(|byte| **byte == b'\n').count();
            let last_break = before.iter().rposition(|byte| *byte == b'\n');
            Place::At {
                line: 1 + breaks as u32,
                column: (before.len() - last_break.map_or(0, |at| at + 1)) as u32 + 1,
            }
        };
        ParseError {
            message: self.message.into(),
            span: self.span,
            place,
        }
    }
}

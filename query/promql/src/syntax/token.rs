//! The words of the language.

use super::quote::{quote, quote_start};
use super::{AggregateOp, BinaryOp, SourceSpan};

/// A word and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: SourceSpan,
}

/// What a word is. Names that mean something in one place are plain names in another; the parser decides which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    End,
    Identifier,
    /// A name with a colon in it, which no label and no function has.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Assign,
    /// `=~`
    RegexMatch,
    /// `!~`
    RegexNotMatch,
    Binary(BinaryOp),
    At,
    Aggregate(AggregateOp),
    Keyword(Keyword),
    Context(Context),
}

/// Words that modify what stands before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Anchored,
    Bool,
    By,
    Fill,
    FillLeft,
    FillRight,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    On,
    Smoothed,
    Without,
}

/// Words that stand for something of the query around: its first and last step, its step, its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Start,
    End,
    Step,
    Range,
}

impl TokenKind {
    /// What a name outside of braces is, in whatever case it is written.
    pub(super) fn of_word(word: &str) -> Self {
        let mut lower = [0; 16];
        let Some(lower) = lower.get_mut(..word.len()) else {
            return Self::of_name(word);
        };
        lower.copy_from_slice(word.as_bytes());
        lower.make_ascii_lowercase();
        match &*lower {
            b"and" => Self::Binary(BinaryOp::And),
            b"or" => Self::Binary(BinaryOp::Or),
            b"unless" => Self::Binary(BinaryOp::Unless),
            b"atan2" => Self::Binary(BinaryOp::Atan2),
            b"inf" | b"nan" => Self::Number,
            b"anchored" => Self::Keyword(Keyword::Anchored),
            b"bool" => Self::Keyword(Keyword::Bool),
            b"by" => Self::Keyword(Keyword::By),
            b"fill" => Self::Keyword(Keyword::Fill),
            b"fill_left" => Self::Keyword(Keyword::FillLeft),
            b"fill_right" => Self::Keyword(Keyword::FillRight),
            b"group_left" => Self::Keyword(Keyword::GroupLeft),
            b"group_right" => Self::Keyword(Keyword::GroupRight),
            b"ignoring" => Self::Keyword(Keyword::Ignoring),
            b"offset" => Self::Keyword(Keyword::Offset),
            b"on" => Self::Keyword(Keyword::On),
            b"smoothed" => Self::Keyword(Keyword::Smoothed),
            b"without" => Self::Keyword(Keyword::Without),
            b"start" => Self::Context(Context::Start),
            b"end" => Self::Context(Context::End),
            b"step" => Self::Context(Context::Step),
            b"range" => Self::Context(Context::Range),
            other => AggregateOp::ALL
                .into_iter()
                .find(|op| op.as_str().as_bytes() == other)
                .map_or_else(|| Self::of_name(word), Self::Aggregate),
        }
    }

    fn of_name(word: &str) -> Self {
        if word.contains(':') {
            Self::MetricIdentifier
        } else {
            Self::Identifier
        }
    }

    /// Whether the word may be the name of a metric.
    pub(super) fn is_metric_name(self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregate(_) | Self::Context(_) => true,
            Self::Binary(op) => op.is_set(),
            Self::Keyword(keyword) => matches!(
                keyword,
                Keyword::By | Keyword::Offset | Keyword::Without | Keyword::Anchored | Keyword::Smoothed
            ),
            _ => false,
        }
    }

    /// Whether the word may be a label in `by (...)`, `on (...)` and their like.
    pub(super) fn is_label(self) -> bool {
        match self {
            Self::Binary(op) => op.is_set() || op == BinaryOp::Atan2,
            Self::Keyword(keyword) => keyword != Keyword::Without,
            other => other.is_metric_name(),
        }
    }
}

impl Token {
    /// Whether an expression may begin with the word.
    pub(super) fn begins_operand(self) -> bool {
        match self.kind {
            TokenKind::Number | TokenKind::Duration | TokenKind::String => true,
            TokenKind::LeftParen | TokenKind::LeftBrace => true,
            TokenKind::Binary(BinaryOp::Add | BinaryOp::Sub) => true,
            other => other.is_metric_name(),
        }
    }

    /// The word in an error, as Prometheus shows it there.
    pub(super) fn describe(self, text: &str) -> String {
        let word = &text[self.span.start as usize..self.span.end as usize];
        match self.kind {
            TokenKind::End => "end of input".to_owned(),
            TokenKind::Identifier => format!("identifier {}", quote(word)),
            TokenKind::MetricIdentifier => format!("metric identifier {}", quote(word)),
            TokenKind::Number => format!("number {}", quote_start(word)),
            TokenKind::Duration => format!("duration {}", quote_start(word)),
            TokenKind::String => format!("string {}", quote_start(word)),
            TokenKind::Keyword(_) => format!("<{word}>"),
            TokenKind::Aggregate(_) => format!("<aggr:{word}>"),
            TokenKind::Binary(_) | TokenKind::At | TokenKind::RegexMatch | TokenKind::RegexNotMatch => {
                format!("<op:{word}>")
            }
            _ => quote_start(word),
        }
    }
}

//! Which events someone wants: `severity=P1,rule=~"Login.*",kind=firing,label.service=orders`.

use std::fmt;
use std::str::FromStr;

use barograph_model::Matcher;

use crate::filter_parser::parse;
use crate::{Event, FilterError};

/// Conditions that must all hold. The default and the empty text let every event pass.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    conditions: Vec<Condition>,
}

/// One condition: the field, and the matcher on its text.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) field: Field,
    pub(crate) matcher: Matcher,
}

/// A part of an event that has a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Severity,
    Rule,
    Group,
    Kind,
    Label(String),
}

impl EventFilter {
    /// Reads a filter: conditions `field operator value` with commas between them.
    ///
    /// Fields are `severity`, `rule`, `group`, `kind` and `label.NAME`; operators `=`, `!=`, `=~`, `!~` with the
    /// meaning of PromQL (expressions match the whole text, an absent label is empty). A value stands bare up to
    /// the next comma, or in double quotes with `\"`, `\\` and `\n`; an odd label name as `label."a name"`.
    ///
    /// # Errors
    /// [`FilterError`] names the place, or the nearest existing field or kind.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Ok(Self {
            conditions: parse(text)?,
        })
    }

    /// Whether an event passes. Linear in the conditions and their texts.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.conditions.iter().all(|condition| {
            condition.matcher.matches(match &condition.field {
                Field::Severity => &event.severity,
                Field::Rule => &event.rule,
                Field::Group => &event.group,
                Field::Kind => event.kind.as_str(),
                Field::Label(name) => event.labels.get(name),
            })
        })
    }

    /// Whether a condition speaks of the event's kind.
    #[must_use]
    pub fn names_kind(&self) -> bool {
        self.conditions
            .iter()
            .any(|condition| condition.field == Field::Kind)
    }
}

impl FromStr for EventFilter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl fmt::Display for EventFilter {
    /// Writes a text that [`EventFilter::parse`] reads back to the same conditions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Condition { field, matcher }) in self.conditions.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            match field {
                Field::Severity => f.write_str("severity")?,
                Field::Rule => f.write_str("rule")?,
                Field::Group => f.write_str("group")?,
                Field::Kind => f.write_str("kind")?,
                Field::Label(name) => write!(f, "label.{}", quoted(name))?,
            }
            write!(f, "{}{}", matcher.op(), quoted(matcher.value()))?;
        }
        Ok(())
    }
}

/// The text in double quotes, with the three escapes the parser knows.
fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    )
}

#[cfg(test)]
mod tests;

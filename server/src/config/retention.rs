//! `[[retention]]`: series that are kept for another time than `[storage]` says.

use barograph_engine::RetentionRule;
use barograph_query::{SelectorError, parse_selector};

use super::section::Section;
use super::sections::parse_retention_ms;

/// One `[[retention]]`. Of several that a series passes, the first in the file counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionConfig {
    /// `selector`: the series that are meant, as in PromQL: `{job="debug"}`.
    pub selector: String,
    /// `keep`: how long their samples are kept; `off` (`None`) is for ever.
    pub keep_ms: Option<i64>,
}

impl RetentionConfig {
    /// `None` when it lacks what it cannot do without; the problem is recorded.
    pub(super) fn read(section: Section<'_>) -> Option<Self> {
        let selector = section.required_text("selector", "{job=\"debug\"}");
        if let Some(Err(error)) = selector.map(parse_selector) {
            section.problem("selector", format!("selector cannot be used: {error}"));
        }
        let keep = section.required_text("keep", "2d");
        let keep_ms = section.parsed("keep", "2d", None, parse_retention_ms);
        section.finish();
        keep?;
        Some(Self {
            selector: selector?.to_owned(),
            keep_ms,
        })
    }

    /// The rule as the store takes it.
    ///
    /// # Errors
    /// [`SelectorError`] when the selector does not parse, which reading a file has excluded.
    pub fn to_rule(&self) -> Result<RetentionRule, SelectorError> {
        Ok(RetentionRule {
            matchers: parse_selector(&self.selector)?,
            keep_ms: self.keep_ms,
        })
    }
}

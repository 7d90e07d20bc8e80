//! `[[retention]]`: series that are kept for another time than `[storage]` says. `[rollup]`: how long rollups are kept.

use barograph_engine::{RetentionRule, RollupKeep, RollupOptions, RollupWidth};
use barograph_model::parse_duration_ms;
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

/// `[rollup]`: which rollups are made of whole days, and how long they are kept.
///
/// `five_minutes` and `one_hour`: a duration, and they outlive the samples; `rows`, the default, and they are kept as long
/// as these; `off`, and they are not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollupConfig {
    /// What the store is given.
    pub options: RollupOptions,
}

impl RollupConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let keep = |width: RollupWidth, key, example| {
            section.parsed(key, example, RollupKeep::default(), |text| {
                parse_keep(text, width.ms(), example)
            })
        };
        let options = RollupOptions {
            five_minutes: keep(RollupWidth::FiveMinutes, "five_minutes", "90d"),
            one_hour: keep(RollupWidth::OneHour, "one_hour", "2y"),
        };
        section.finish();
        Self { options }
    }
}

/// `off`, `rows`, or a duration of at least a bucket.
fn parse_keep(text: &str, width_ms: i64, example: &str) -> Result<RollupKeep, String> {
    match text {
        "off" => return Ok(RollupKeep::Off),
        "rows" => return Ok(RollupKeep::AsRows),
        _ => {}
    }
    let others = "\"rows\" keeps them as long as the samples, \"off\" makes none";
    match parse_duration_ms(text) {
        Ok(ms) if ms >= width_ms => Ok(RollupKeep::AtLeast(ms)),
        Ok(_) => Err(format!(
            "must be longer than a bucket (try {example:?}; {others})"
        )),
        Err(error) => Err(format!("{error}; {others}")),
    }
}

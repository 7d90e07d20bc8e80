//! `[[detector]]`: which series are watched, by what.

use std::collections::BTreeMap;

use barograph_detectors::{Context, DetectorError, Params, build};

use barograph_query::parse_selector;

use super::section::{Section, nearest};

/// What is done to a series before it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transform {
    /// The value as it is stored.
    #[default]
    Value,
    /// The increase per second between steps, for counters; a counter that starts anew is not a fall.
    Rate,
}

/// One `[[detector]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectorConfig {
    /// `name`: label `detector` of what it writes; unique.
    pub name: String,
    /// `kind`: one of the detectors the program has, such as `seasonal` or `pca`.
    pub kind: String,
    /// `selector`: the series to watch, as in PromQL: `http_requests_total{job="gateway"}`.
    pub selector: String,
    /// `step`: the distance of the points that are looked at. Default `1m`.
    pub step_ms: i64,
    /// `transform`: `value` or `rate`. Default `value`.
    pub transform: Transform,
    /// `history`: how far back is learned from when the program starts. Default `14d`.
    pub history_ms: i64,
    /// `params`: the detector's own parameters, as texts. Default: none.
    pub params: BTreeMap<String, String>,
    /// The line of the file on which it begins, for messages.
    pub line: usize,
}

impl DetectorConfig {
    /// `None` when it lacks what it cannot do without; the problem is recorded.
    pub(super) fn read(section: Section<'_>) -> Option<Self> {
        let name = section.required_text("name", "requests");
        let kind = section.required_text("kind", "seasonal");
        let selector = section.required_text("selector", "http_requests_total{job=\"gateway\"}");
        if let Some(Err(error)) = selector.map(parse_selector) {
            section.problem("selector", format!("selector cannot be used: {error}"));
        }
        let transform = section.parsed("transform", "value", Transform::default(), parse_transform);
        let step_ms = section.duration_ms("step", "1m", 60_000);
        let history_ms = section.duration_ms("history", "14d", 14 * 86_400_000);
        if history_ms < step_ms {
            let at = if section.has("history") { "history" } else { "step" };
            section.problem(at, "history must not be shorter than step");
        }
        let placed = section.pairs("params");
        let params: BTreeMap<_, _> = placed.into_iter().map(|(key, (value, _))| (key, value)).collect();
        let line = section.line();
        let as_params: Params = params
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        if let Some(Err(error)) = kind.map(|kind| build(kind, &as_params, &Context { width: 1, step_ms })) {
            let at = if matches!(error, DetectorError::UnknownDetector { .. }) {
                "kind"
            } else {
                "params"
            };
            section.problem(at, error.to_string());
        }
        section.finish();
        Some(Self {
            name: name?.to_owned(),
            kind: kind?.to_owned(),
            selector: selector?.to_owned(),
            step_ms,
            transform,
            history_ms,
            params,
            line,
        })
    }
}

fn parse_transform(text: &str) -> Result<Transform, String> {
    match text {
        "value" => Ok(Transform::Value),
        "rate" => Ok(Transform::Rate),
        _ => {
            let hint = nearest(text, ["value", "rate"]).unwrap_or("value");
            Err(format!(
                "{text:?} does not exist (try {hint:?}; there are \"value\" and \"rate\")"
            ))
        }
    }
}

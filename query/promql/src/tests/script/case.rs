//! One query of a script, and whether its answer is the expected one.

use barograph_model::Labels;
use regex::Regex;

use super::super::store::{Store, Stored};
use super::compare::{almost_equal, histograms_are_almost_equal};
use super::notation::Place;
use crate::{Answer, Grid, QueryValue, SampleValue};

/// When a query is asked.
pub(super) enum Times {
    Instant(i64),
    Range(Grid),
}

/// What a message must be.
pub(super) enum Verdict {
    Any,
    Message(String),
    Regex(Regex),
}

/// What is expected of warnings, or of infos.
#[derive(Default)]
pub(super) enum Expectation {
    #[default]
    None,
    /// at least one for each of these, and none that is for none of them
    Some(Vec<Verdict>),
}

/// A series of an answer, or a scalar, with a place a step.
pub(super) type Line = (Option<Labels>, Vec<Place>);

/// All that is expected of an answer.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) ordered: bool,
    pub(super) fails: Vec<Verdict>,
    pub(super) warnings: Expectation,
    pub(super) infos: Expectation,
    pub(super) text: Option<String>,
    pub(super) lines: Vec<Line>,
}

/// A query with its expected answer.
pub(super) struct Case {
    pub(super) times: Times,
    pub(super) expr: String,
    pub(super) expected: Expected,
}

/// The distance of the steps around an instant.
const AROUND_MS: i64 = 60_000;

impl Verdict {
    /// Whether a message is what it must be. The place in the query, ` (1:4)`, may be left out.
    fn accepts(&self, message: &str) -> bool {
        let placeless = match message.rfind(" (") {
            Some(at) if message.ends_with(')') => &message[..at],
            _ => message,
        };
        match self {
            Self::Any => true,
            Self::Message(text) => text == message || text == placeless,
            Self::Regex(pattern) => pattern.is_match(message),
        }
    }
}

impl Expectation {
    pub(super) fn add(&mut self, verdict: Verdict) {
        match self {
            Self::None => *self = Self::Some(vec![verdict]),
            Self::Some(verdicts) => verdicts.push(verdict),
        }
    }

    fn check(&self, found: &[String]) -> Result<(), String> {
        let verdicts = match self {
            Self::None => &[][..],
            Self::Some(verdicts) => verdicts,
        };
        if let Some(other) = found
            .iter()
            .find(|text| !verdicts.iter().any(|verdict| verdict.accepts(text)))
        {
            return Err(format!("not expected: {other}"));
        }
        if verdicts
            .iter()
            .all(|verdict| found.iter().any(|text| verdict.accepts(text)))
        {
            Ok(())
        } else {
            Err(format!("an annotation is missing among {found:?}"))
        }
    }
}

impl Case {
    /// Asks, and says what is wrong with the answer.
    pub(super) fn check(&self, store: &Store) -> Result<(), String> {
        match self.times {
            Times::Instant(ts) => {
                self.judge(store.instant(&self.expr, ts), None)?;
                if !self.is_of_an_instant() && ts >= AROUND_MS {
                    let grid =
                        Grid::range(ts - AROUND_MS, ts + AROUND_MS, AROUND_MS).map_err(|e| e.to_string())?;
                    let answer = store.range(&self.expr, grid);
                    // The other steps may fail where this one does not.
                    if answer.is_ok() || !self.expected.fails.is_empty() {
                        let within = |wrong| format!("as a step of a range query: {wrong}");
                        self.judge_values_at(answer, ts).map_err(within)?;
                    }
                }
                Ok(())
            }
            Times::Range(grid) => self.judge(store.range(&self.expr, grid), Some(grid)),
        }
    }

    /// Whether the answer has an order, or knows of the range, so that it differs as a step of a range query.
    fn is_of_an_instant(&self) -> bool {
        let knows = ["start()", "end()", "range()", "step()"];
        self.expected.ordered
            || self.expected.text.is_some()
            || knows.iter().any(|word| self.expr.contains(word))
    }

    fn judge(&self, answer: Result<Answer, String>, grid: Option<Grid>) -> Result<(), String> {
        let answer = match (answer, self.expected.fails.as_slice()) {
            (Err(message), []) => return Err(format!("fails: {message}")),
            (Ok(answer), [_, ..]) => return Err(format!("must fail, and gives {}", shown(&answer.value))),
            (Err(message), verdicts) => {
                let is_right = verdicts.iter().all(|verdict| verdict.accepts(&message));
                return if is_right {
                    Ok(())
                } else {
                    Err(format!("fails by another message: {message}"))
                };
            }
            (Ok(answer), []) => answer,
        };
        self.expected.warnings.check(&answer.annotations.warnings)?;
        self.expected.infos.check(&answer.annotations.infos)?;
        if let (Some(expected), QueryValue::String { text, .. }) = (&self.expected.text, &answer.value) {
            return if expected == text {
                Ok(())
            } else {
                Err(format!("is the string {text:?}"))
            };
        }
        let found = lines(&answer.value, grid)?;
        self.compare(&found, self.expected.ordered)
            .map_err(|wrong| format!("{wrong}\n  found {}", shown(&answer.value)))
    }

    /// The same for the middle of three steps; what is said beside the answer may be about the others.
    fn judge_values_at(&self, answer: Result<Answer, String>, ts: i64) -> Result<(), String> {
        let Ok(answer) = answer else {
            return Ok(());
        };
        if !self.expected.fails.is_empty() {
            return Err("must fail".to_owned());
        }
        let QueryValue::Matrix(mut series) = answer.value else {
            return Err("is no matrix".to_owned());
        };
        for one in &mut series {
            one.points.retain(|point| point.ts == ts);
        }
        series.retain(|one| !one.points.is_empty());
        let value = QueryValue::Matrix(series);
        let found = lines(&value, Some(Grid::instant(ts)))?;
        self.compare(&found, false)
            .map_err(|wrong| format!("{wrong}\n  found {}", shown(&value)))
    }

    fn compare(&self, found: &[Line], ordered: bool) -> Result<(), String> {
        let expected = &self.expected.lines;
        if expected.len() != found.len() {
            return Err(format!("has {} series and not {}", found.len(), expected.len()));
        }
        for (i, (labels, places)) in expected.iter().enumerate() {
            let of_scalar = Labels::empty();
            let labels = labels.as_ref().unwrap_or(&of_scalar);
            let is_it = |line: &&Line| line.0.as_ref().unwrap_or(&of_scalar) == labels;
            let line = if ordered {
                found.get(i).filter(is_it)
            } else {
                found.iter().find(is_it)
            };
            let Some((_, others)) = line else {
                return Err(format!("{labels} is not there"));
            };
            let steps = others.len().max(places.len());
            let at = |places: &[Place], step: usize| places.get(step).cloned().flatten();
            if let Some(step) = (0..steps).find(|step| !are_equal(&at(places, *step), &at(others, *step))) {
                return Err(format!(
                    "{labels} differs at step {step} from {:?}",
                    at(places, step)
                ));
            }
        }
        Ok(())
    }
}

fn are_equal(expected: &Place, found: &Place) -> bool {
    match (expected, found) {
        (None, None) => true,
        (Some(Stored::Float(a)), Some(Stored::Float(b))) => almost_equal(*a, *b),
        (Some(Stored::Histogram(a)), Some(Stored::Histogram(b))) => {
            let says_nothing = a.reset_hint() == barograph_model::ResetHint::Unknown;
            histograms_are_almost_equal(a, b) && (says_nothing || a.reset_hint() == b.reset_hint())
        }
        _ => false,
    }
}

/// An answer as lines of a script. Of a range query each step has a place; of a range vector each sample.
fn lines(value: &QueryValue, grid: Option<Grid>) -> Result<Vec<Line>, String> {
    let stored = |value: &SampleValue| match value {
        SampleValue::Float(float) => Stored::Float(*float),
        SampleValue::Histogram(histogram) => Stored::Histogram(histogram.as_ref().clone()),
    };
    Ok(match value {
        QueryValue::Scalar { value, .. } => vec![(None, vec![Some(Stored::Float(*value))])],
        QueryValue::String { text, .. } => return Err(format!("is the string {text:?}")),
        QueryValue::Vector(series) => {
            let line = |one: &crate::InstantSeries| {
                (
                    Some(one.labels.as_ref().clone()),
                    vec![Some(stored(&one.point.value))],
                )
            };
            series.iter().map(line).collect()
        }
        QueryValue::Matrix(series) => {
            let line = |one: &crate::RangeSeries| {
                let places = match grid {
                    None => one
                        .points
                        .iter()
                        .map(|point| Some(stored(&point.value)))
                        .collect(),
                    Some(grid) => {
                        let at = |ts| one.points.iter().find(|point| point.ts == ts);
                        grid.iter()
                            .map(|ts| at(ts).map(|point| stored(&point.value)))
                            .collect()
                    }
                };
                (Some(one.labels.as_ref().clone()), places)
            };
            series.iter().map(line).collect()
        }
    })
}

/// An answer for people.
fn shown(value: &QueryValue) -> String {
    let sample = |value: &SampleValue| match value {
        SampleValue::Float(float) => float.to_string(),
        SampleValue::Histogram(histogram) => format!("{histogram}"),
    };
    match value {
        QueryValue::Scalar { value, .. } => value.to_string(),
        QueryValue::String { text, .. } => format!("{text:?}"),
        QueryValue::Vector(series) => {
            let one =
                |one: &crate::InstantSeries| format!("\n    {} {}", one.labels, sample(&one.point.value));
            series.iter().map(one).collect()
        }
        QueryValue::Matrix(series) => {
            let one = |one: &crate::RangeSeries| {
                let point = |point: &crate::Point| format!(" {}@{}", sample(&point.value), point.ts);
                format!(
                    "\n    {}{}",
                    one.labels,
                    one.points.iter().map(point).collect::<String>()
                )
            };
            series.iter().map(one).collect()
        }
    }
}

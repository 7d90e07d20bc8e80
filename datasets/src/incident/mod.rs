//! Incidents: what goes wrong in a fleet, when, where it shows, and who ought to notice.
//!
//! An incident is data twice over: its public fields are the label that measurements compare with, its private
//! effects are what the fleet's mechanics apply. A test of the fleet holds the two together: the series named by
//! the selectors differ from a clean fleet's inside the window, and no series does outside it.

pub(crate) mod effect;
pub(crate) mod plan;

use std::fmt;

use barograph_model::{Labels, METRIC_NAME, TimeRange, TimestampMs};
use serde::{Serialize, Serializer};

pub use plan::LIVE_SLOT_MS;

use crate::fleet::topology::Service;
use effect::Effect;

/// The six kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// A metric steps to another level and stays there until something is done.
    LevelShift,
    /// A resource drains so slowly that no single minute looks wrong.
    SlowLeak,
    /// The values are ordinary, but not at this hour.
    SeasonalBreak,
    /// Requests fail for some minutes.
    ErrorBurst,
    /// One service drags its callers along, with a lag.
    Cascade,
    /// An instance can no longer be scraped.
    MissingData,
}

impl IncidentKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::LevelShift,
        Self::SlowLeak,
        Self::SeasonalBreak,
        Self::ErrorBurst,
        Self::Cascade,
        Self::MissingData,
    ];

    /// Its name as data: `level_shift`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LevelShift => "level_shift",
            Self::SlowLeak => "slow_leak",
            Self::SeasonalBreak => "seasonal_break",
            Self::ErrorBurst => "error_burst",
            Self::Cascade => "cascade",
            Self::MissingData => "missing_data",
        }
    }
}

impl fmt::Display for IncidentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What ought to notice an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// A detector of that name: `seasonal`, `pca`.
    Detector(&'static str),
    /// A SQL rule: a threshold that a person would have written.
    SqlRule,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Detector(name) => name,
            Self::SqlRule => "sql rule",
        })
    }
}

/// The series in which an incident shows: a metric and label values that must be equal. Its text is a PromQL
/// selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector {
    metric: &'static str,
    equal: Vec<(&'static str, String)>,
}

impl Selector {
    pub(crate) fn new(metric: &'static str, equal: &[(&'static str, &str)]) -> Self {
        Self {
            metric,
            equal: equal
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        }
    }

    /// The metric's name.
    #[must_use]
    pub fn metric(&self) -> &str {
        self.metric
    }

    /// Whether a series of the store is selected.
    #[must_use]
    pub fn matches(&self, series: &Labels) -> bool {
        series.metric() == self.metric && self.equal.iter().all(|(name, value)| series.get(name) == value)
    }

    /// Whether a finding may stem from the selected series: like [`Selector::matches`], but a label that the
    /// finding lacks, because a rule aggregated it away, contradicts nothing.
    #[must_use]
    pub fn admits(&self, finding: &Labels) -> bool {
        let agrees = |name: &str, value: &str| finding.get(name).is_empty() || finding.get(name) == value;
        agrees(METRIC_NAME, self.metric) && self.equal.iter().all(|(name, value)| agrees(name, value))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric)?;
        for (i, (name, value)) in self.equal.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if i == 0 { "{" } else { "," })?;
        }
        f.write_str(if self.equal.is_empty() { "" } else { "}" })
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A labelled incident. Serialises to one JSON object without its mechanics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Which of the six.
    pub kind: IncidentKind,
    /// A short name for tables.
    pub title: &'static str,
    /// Where it begins.
    pub service: Service,
    /// Every service whose series it changes, the first one being `service`.
    pub services: Vec<Service>,
    /// Where it shows most.
    pub selectors: Vec<Selector>,
    /// The first instant at which anything differs; a full minute.
    pub start: TimestampMs,
    /// The first instant at which all is well again; a full minute.
    pub end: TimestampMs,
    /// What changes in the metrics.
    pub what: &'static str,
    /// What ought to notice.
    pub expected: Vec<Expected>,
    /// Why it happened, as the report afterwards would tell it.
    pub story: &'static str,
    /// Whether it belongs to the time after the back-fill.
    pub live: bool,
    #[serde(skip)]
    pub(crate) effects: Vec<Effect>,
}

impl Incident {
    /// The instants at which something may differ.
    #[must_use]
    pub fn window(&self) -> TimeRange {
        TimeRange {
            start: self.start,
            end: TimestampMs(self.end.0 - 1),
        }
    }

    /// Whether the incident shows in a finding's series; see [`Selector::admits`].
    #[must_use]
    pub fn shows_in(&self, finding: &Labels) -> bool {
        self.selectors.iter().any(|selector| selector.admits(finding))
    }

    /// Whether a finding's series belongs to a service that the incident touches; one without a label `service`
    /// might.
    #[must_use]
    pub fn touches(&self, finding: &Labels) -> bool {
        let service = finding.get("service");
        service.is_empty() || self.services.iter().any(|s| s.name() == service)
    }
}

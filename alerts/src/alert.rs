//! One alert: a finding of a rule over time.

use std::collections::BTreeMap;

use barograph_model::{Labels, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::number::Number;

/// Where an alert stands. What was pending and is no longer found is forgotten, so there is no fourth state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Found, but not yet for the rule's `for`.
    Pending,
    /// Found for the rule's `for`.
    Firing,
    /// Was firing; stays visible for a while.
    Resolved,
}

impl AlertState {
    /// The name in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    /// Pending or firing.
    #[must_use]
    pub fn is_active(self) -> bool {
        self != Self::Resolved
    }
}

/// What is stored of an alert. Its identity (group, rule, the finding's labels) is the key it is stored under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alert {
    pub(crate) state: AlertState,
    /// The finding's labels overlaid with the rule's.
    pub(crate) labels: Labels,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) value: Number,
    pub(crate) evidence: String,
    /// Since when it is found without a break.
    pub(crate) since: TimestampMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fired_at: Option<TimestampMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resolved_at: Option<TimestampMs>,
    /// Since when it is known to be calm, while `keep_firing_for` holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calm_since: Option<TimestampMs>,
    /// Since when nothing is known about it, while `keep_missing_for` holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing_since: Option<TimestampMs>,
}

impl Alert {
    pub(crate) fn severity(&self) -> &str {
        self.labels.get("severity")
    }

    /// Whether the mere passing of time may change it at the next evaluation.
    pub(crate) fn waits(&self) -> bool {
        self.state.is_active()
            && (self.state == AlertState::Pending
                || self.calm_since.is_some()
                || self.missing_since.is_some())
    }

    /// Moves the instants that durations are measured from, when the clock was set back.
    pub(crate) fn shift_back(&mut self, by_ms: i64) {
        self.since = self.since.saturating_add(-by_ms);
        for instant in [&mut self.calm_since, &mut self.missing_since]
            .into_iter()
            .flatten()
        {
            *instant = instant.saturating_add(-by_ms);
        }
    }
}

/// An alert as the rest of the program sees it; resolved ones stay for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlert<'a> {
    /// The rule's group.
    pub group: &'a str,
    /// The rule.
    pub rule: &'a str,
    /// The finding's labels overlaid with the rule's.
    pub labels: &'a Labels,
    /// The filled-in annotations.
    pub annotations: &'a BTreeMap<String, String>,
    /// The `severity` label, empty where there is none.
    pub severity: &'a str,
    /// Where it stands.
    pub state: AlertState,
    /// The last value found; NaN where there was none.
    pub value: f64,
    /// What was last seen.
    pub evidence: &'a str,
    /// Since when it is found without a break.
    pub since: TimestampMs,
    /// When it began to fire.
    pub fired_at: Option<TimestampMs>,
    /// When it resolved.
    pub resolved_at: Option<TimestampMs>,
    /// The name that its events carry. Computed, O(labels).
    pub fingerprint: String,
}

/// How the evaluation of a rule goes.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleHealth<'a> {
    /// The rule's group.
    pub group: &'a str,
    /// The rule.
    pub rule: &'a str,
    /// Failed evaluations in a row, up to the announcement; 0 when the last one succeeded.
    pub failures: u32,
    /// Whether [`crate::EventKind::RuleFailing`] was announced and still holds.
    pub failing: bool,
    /// The error of the last failed evaluation, while it fails.
    pub last_error: Option<&'a str>,
    /// Whether it finds more than is tracked.
    pub over_limit: bool,
    /// Its pending and firing alerts.
    pub active: usize,
}

/// What is stored of a rule, its alerts aside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleStatus {
    /// The last evaluation that was written down. Evaluations that change nothing are not, but none is left out
    /// while an alert waits for time to pass: that is what a clock set back is recognised by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evaluated_at: Option<TimestampMs>,
    #[serde(default)]
    pub(crate) failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failing_since: Option<TimestampMs>,
    #[serde(default)]
    pub(crate) failing: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
    #[serde(default)]
    pub(crate) over_limit: bool,
    /// The rule's own labels when it last was in trouble, for the event that ends the trouble after its removal.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub(crate) labels: Labels,
}

/// A rule and its alerts, by the finding's labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RuleState {
    pub(crate) status: RuleStatus,
    pub(crate) alerts: BTreeMap<Labels, Alert>,
}

impl RuleState {
    pub(crate) fn active(&self) -> usize {
        self.alerts
            .values()
            .filter(|alert| alert.state.is_active())
            .count()
    }
}

/// Which rule; orders by group, then name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RuleKey {
    pub(crate) group: String,
    pub(crate) rule: String,
}

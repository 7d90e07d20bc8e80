//! What happened: the numbered facts that subscribers and channels get.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use barograph_model::{Labels, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::FilterError;
use crate::error::nearest;

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A condition holds, but not yet for the rule's `for`.
    Pending,
    /// A condition has held for the rule's `for`.
    Firing,
    /// A firing alert ended.
    Resolved,
    /// A pending alert ended without having fired.
    Cancelled,
    /// A rule could not be evaluated several times in a row; its alerts stay as they are.
    RuleFailing,
    /// A failing rule is evaluated again, or is gone.
    RuleRecovered,
    /// A rule found more than it may hold; the surplus is not tracked.
    RuleOverLimit,
    /// All a rule finds is tracked again.
    RuleWithinLimit,
    /// A channel did not get an event, and it will not be tried again.
    DeliveryFailed,
}

impl EventKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Firing,
        Self::Resolved,
        Self::Cancelled,
        Self::RuleFailing,
        Self::RuleRecovered,
        Self::RuleOverLimit,
        Self::RuleWithinLimit,
        Self::DeliveryFailed,
    ];

    /// The name in filters, in JSON and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Cancelled => "cancelled",
            Self::RuleFailing => "rule_failing",
            Self::RuleRecovered => "rule_recovered",
            Self::RuleOverLimit => "rule_over_limit",
            Self::RuleWithinLimit => "rule_within_limit",
            Self::DeliveryFailed => "delivery_failed",
        }
    }

    /// Whether a channel gets this kind when its filter does not speak of kinds. Pending alerts are not news.
    #[must_use]
    pub fn is_notified(self) -> bool {
        !matches!(self, Self::Pending | Self::Cancelled)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let names = || Self::ALL.into_iter().map(Self::as_str);
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| FilterError::UnknownKind {
                text: text.to_owned(),
                nearest: nearest(text, names()).to_owned(),
            })
    }
}

/// One fact in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: dense, from 1.
    pub seq: u64,
    /// When it happened by the clock of the evaluation; may step back with that clock.
    pub ts: TimestampMs,
    /// What happened.
    pub kind: EventKind,
    /// The rule it is about, empty for [`EventKind::DeliveryFailed`] of a whole queue.
    pub rule: String,
    /// The rule's group.
    pub group: String,
    /// The rule's `severity` label, empty where it has none.
    pub severity: String,
    /// The finding's labels overlaid with the rule's; for events about a rule itself the rule's alone.
    pub labels: Labels,
    /// The rule's annotations, filled in.
    pub annotations: BTreeMap<String, String>,
    /// The finding's value; the number of failures, of findings, of attempts for the other kinds.
    #[serde(with = "crate::number")]
    pub value: f64,
    /// What was seen, or the error's text.
    pub evidence: String,
    /// Since when the condition holds; for the other kinds, since when the trouble lasts.
    pub since: TimestampMs,
    /// Names the alert (or the rule, or the channel) over all its events: 32 hexadecimal digits.
    pub fingerprint: String,
}

/// Events are shared between the log and the outbox; stored, each stands where it is used.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Event;

    pub(crate) fn serialize<S: Serializer>(event: &Arc<Event>, serializer: S) -> Result<S::Ok, S::Error> {
        event.as_ref().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Event>, D::Error> {
        Event::deserialize(deserializer).map(Arc::new)
    }
}

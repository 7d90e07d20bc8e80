//! The body of a webhook: Alertmanager's format, version 4, so that receivers written for Alertmanager work.
//!
//! Each event is one notification with one alert, as Alertmanager sends with `group_by: ['...']`: the group's
//! labels are the alert's. Source: Alertmanager's `notify/webhook` and its documentation of `<webhook_config>`.

use std::collections::BTreeMap;

use barograph_alerts::{Event, EventKind};
use barograph_model::TimestampMs;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// What Alertmanager writes for an instant that is not there: the zero time of Go.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// The whole body.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    version: &'static str,
    group_key: String,
    truncated_alerts: u64,
    status: Status,
    receiver: String,
    group_labels: BTreeMap<String, String>,
    common_labels: BTreeMap<String, String>,
    common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: String,
    alerts: [Alert; 1],
}

/// The two states the format knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Something is wrong.
    Firing,
    /// It no longer is.
    Resolved,
}

impl Status {
    /// As in the JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: Status,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

impl Payload {
    /// The body for one event.
    ///
    /// Labels are the event's with `alertname`, the rule. An event about a rule or a channel itself has an
    /// `alertname` of its own (`BarographRuleFailing`) and the rule in label `rule`, so that it is never taken
    /// for the rule's alert. Annotations are the event's with `kind`, `value` and `evidence` where the rule
    /// has none of these names.
    #[must_use]
    pub fn new(event: &Event, receiver: &str, external_url: &str) -> Self {
        let status = Self::status(event.kind);
        let labels = labels(event);
        let mut annotations = event.annotations.clone();
        for (name, text) in [
            ("kind", event.kind.to_string()),
            ("value", event.value.to_string()),
            ("evidence", event.evidence.clone()),
        ] {
            annotations.entry(name.to_owned()).or_insert(text);
        }
        let alert = Alert {
            status,
            labels: labels.clone(),
            annotations: annotations.clone(),
            starts_at: rfc3339(event.since),
            ends_at: match status {
                Status::Firing => NO_TIME.to_owned(),
                Status::Resolved => rfc3339(event.ts),
            },
            generator_url: external_url.to_owned(),
            fingerprint: event.fingerprint.clone(),
        };
        let named: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        Self {
            version: "4",
            group_key: format!("{{}}:{{{}}}", named.join(", ")),
            truncated_alerts: 0,
            status,
            receiver: receiver.to_owned(),
            group_labels: labels.clone(),
            common_labels: labels,
            common_annotations: annotations,
            external_url: external_url.to_owned(),
            alerts: [alert],
        }
    }

    /// What a kind of event is in a format that knows two states. Pending alerts reach a channel only when its
    /// route asks for them, and then count as firing.
    #[must_use]
    pub fn status(kind: EventKind) -> Status {
        match kind {
            EventKind::Resolved
            | EventKind::Cancelled
            | EventKind::RuleRecovered
            | EventKind::RuleWithinLimit => Status::Resolved,
            _ => Status::Firing,
        }
    }
}

fn labels(event: &Event) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = event
        .labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // Both events of a pair carry the same name, or a receiver could not match the end to the beginning.
    let own_name = match event.kind {
        EventKind::RuleFailing | EventKind::RuleRecovered => Some("BarographRuleFailing"),
        EventKind::RuleOverLimit | EventKind::RuleWithinLimit => Some("BarographRuleOverLimit"),
        EventKind::DeliveryFailed => Some("BarographDeliveryFailed"),
        _ => None,
    };
    if let Some(name) = own_name {
        labels.insert("alertname".to_owned(), name.to_owned());
        labels.insert("rule".to_owned(), event.rule.clone());
    } else {
        labels.insert("alertname".to_owned(), event.rule.clone());
    }
    for (name, value) in [("severity", &event.severity), ("alertgroup", &event.group)] {
        if !value.is_empty() {
            labels.entry(name.to_owned()).or_insert_with(|| value.clone());
        }
    }
    labels.retain(|_, value| !value.is_empty());
    labels
}

/// An instant as text; beyond what a calendar can say, the zero time.
fn rfc3339(ts: TimestampMs) -> String {
    DateTime::<Utc>::from_timestamp_millis(ts.0).map_or_else(
        || NO_TIME.to_owned(),
        |time| time.to_rfc3339_opts(SecondsFormat::Millis, true),
    )
}

#[cfg(test)]
mod tests;

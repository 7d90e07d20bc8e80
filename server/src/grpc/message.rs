//! Alerts and events as messages.

use std::collections::BTreeMap;

use barograph_alerts::{ActiveAlert, AlertState, Event, EventKind};
use barograph_model::Labels;
use barograph_proto::v1;

use super::Cursor;

pub(super) fn event(log_id: u64, event: &Event) -> v1::Event {
    v1::Event {
        cursor: Cursor {
            log_id,
            seq: event.seq,
        }
        .to_string(),
        seq: event.seq,
        ts_ms: event.ts.0,
        kind: kind(event.kind).into(),
        group: event.group.clone(),
        rule: event.rule.clone(),
        severity: event.severity.clone(),
        labels: labels(&event.labels),
        annotations: event.annotations.clone(),
        value: event.value,
        evidence: event.evidence.clone(),
        since_ms: event.since.0,
        fingerprint: event.fingerprint.clone(),
    }
}

/// `None` for an alert that has ended.
pub(super) fn alert(alert: &ActiveAlert<'_>) -> Option<v1::Alert> {
    let state = match alert.state {
        AlertState::Pending => v1::AlertState::Pending,
        AlertState::Firing => v1::AlertState::Firing,
        AlertState::Resolved => return None,
    };
    Some(v1::Alert {
        group: alert.group.to_owned(),
        rule: alert.rule.to_owned(),
        severity: alert.severity.to_owned(),
        state: state.into(),
        labels: labels(alert.labels),
        annotations: alert.annotations.clone(),
        value: alert.value,
        since_ms: alert.since.0,
        fired_at_ms: alert.fired_at.map(|ts| ts.0),
        fingerprint: alert.fingerprint.clone(),
    })
}

/// The event that an alert's present state came from, for filters, which speak of events.
pub(super) fn event_of(alert: &ActiveAlert<'_>) -> Event {
    Event {
        seq: 0,
        ts: alert.fired_at.unwrap_or(alert.since),
        kind: if alert.state == AlertState::Pending {
            EventKind::Pending
        } else {
            EventKind::Firing
        },
        rule: alert.rule.to_owned(),
        group: alert.group.to_owned(),
        severity: alert.severity.to_owned(),
        labels: alert.labels.clone(),
        annotations: BTreeMap::new(),
        value: alert.value,
        evidence: String::new(),
        since: alert.since,
        fingerprint: String::new(),
    }
}

fn labels(labels: &Labels) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A kind that this edge does not know yet is sent as unspecified: the event still reaches the client.
fn kind(kind: EventKind) -> v1::EventKind {
    match kind {
        EventKind::Pending => v1::EventKind::Pending,
        EventKind::Firing => v1::EventKind::Firing,
        EventKind::Resolved => v1::EventKind::Resolved,
        EventKind::Cancelled => v1::EventKind::Cancelled,
        EventKind::RuleFailing => v1::EventKind::RuleFailing,
        EventKind::RuleRecovered => v1::EventKind::RuleRecovered,
        EventKind::RuleOverLimit => v1::EventKind::RuleOverLimit,
        EventKind::RuleWithinLimit => v1::EventKind::RuleWithinLimit,
        EventKind::DeliveryFailed => v1::EventKind::DeliveryFailed,
        _ => v1::EventKind::Unspecified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_on_the_wire() {
        for known in EventKind::ALL {
            let name = kind(known).as_str_name().to_owned();
            assert_eq!(name, format!("EVENT_KIND_{}", known.as_str().to_uppercase()));
        }
    }
}

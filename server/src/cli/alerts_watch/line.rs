//! Messages of the subscription as lines.

use std::collections::BTreeMap;

use barograph_model::Labels;
use barograph_proto::v1;
use barograph_proto::v1::subscribe_response::Message;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::WatchFormat;

/// The lines for a message: one an event, active alert or gap, none for a heartbeat.
pub(super) fn lines(message: &Message, format: WatchFormat) -> Vec<String> {
    match format {
        WatchFormat::Text => texts(message).iter().map(|text| printable(text)).collect(),
        WatchFormat::Json => objects(message).iter().map(Value::to_string).collect(),
    }
}

/// Text without the characters that move a cursor, colour a screen or break a line.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn texts(message: &Message) -> Vec<String> {
    match message {
        Message::Snapshot(snapshot) => snapshot.alerts.iter().map(active_text).collect(),
        Message::Event(event) => vec![event_text(event)],
        Message::Gap(gap) => vec![format!("--- GAP: {} [{}]", gap.reason, gap.cursor)],
        Message::Heartbeat(_) => Vec::new(),
    }
}

fn active_text(alert: &v1::Alert) -> String {
    let v1::Alert {
        group,
        rule,
        severity,
        value,
        ..
    } = alert;
    let (since, state, labels) = (
        time(alert.since_ms),
        alert_state(alert.state),
        selector(&alert.labels),
    );
    format!("{since} still {state} {severity} {group}/{rule}{labels} value {value}")
}

/// `2023-11-14T22:13:20.000Z firing P1 orders/Slow{service="orders"} value 1.5: p99 over 1 s [cursor]`
fn event_text(event: &v1::Event) -> String {
    let v1::Event {
        group,
        rule,
        severity,
        value,
        evidence,
        cursor,
        ..
    } = event;
    let (ts, kind, labels) = (time(event.ts_ms), event_kind(event.kind), selector(&event.labels));
    let why = if evidence.is_empty() {
        String::new()
    } else {
        format!(": {evidence}")
    };
    format!("{ts} {kind} {severity} {group}/{rule}{labels} value {value}{why} [{cursor}]")
}

/// Every object has `type`; a value that JSON has no number for is null.
fn objects(message: &Message) -> Vec<Value> {
    match message {
        Message::Snapshot(snapshot) => snapshot.alerts.iter().map(active_object).collect(),
        Message::Event(event) => vec![event_object(event)],
        Message::Gap(gap) => vec![json!({
            "type": "gap",
            "first_missing": gap.first_missing,
            "last_missing": gap.last_missing,
            "reason": gap.reason,
            "cursor": gap.cursor,
        })],
        Message::Heartbeat(_) => Vec::new(),
    }
}

fn active_object(alert: &v1::Alert) -> Value {
    json!({
        "type": "active",
        "state": alert_state(alert.state),
        "group": alert.group,
        "rule": alert.rule,
        "severity": alert.severity,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "value": alert.value,
        "since": time(alert.since_ms),
        "fired_at": alert.fired_at_ms.map(time),
        "fingerprint": alert.fingerprint,
    })
}

fn event_object(event: &v1::Event) -> Value {
    json!({
        "type": "event",
        "cursor": event.cursor,
        "seq": event.seq,
        "ts": time(event.ts_ms),
        "kind": event_kind(event.kind),
        "group": event.group,
        "rule": event.rule,
        "severity": event.severity,
        "labels": event.labels,
        "annotations": event.annotations,
        "value": event.value,
        "evidence": event.evidence,
        "since": time(event.since_ms),
        "fingerprint": event.fingerprint,
    })
}

/// As SQL and filters name it; a kind of a newer server by its number.
fn event_kind(kind: i32) -> String {
    v1::EventKind::try_from(kind).map_or_else(
        |_| format!("kind_{kind}"),
        |kind| short_name(kind.as_str_name(), "EVENT_KIND_"),
    )
}

fn alert_state(state: i32) -> String {
    v1::AlertState::try_from(state).map_or_else(
        |_| format!("state_{state}"),
        |state| short_name(state.as_str_name(), "ALERT_STATE_"),
    )
}

fn short_name(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

/// Labels that no label set can be are shown as they came.
fn selector(labels: &BTreeMap<String, String>) -> String {
    Labels::from_pairs(labels).map_or_else(|_| format!("{labels:?}"), |labels| labels.to_selector())
}

/// An instant, or the bare milliseconds where no calendar reaches.
fn time(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms).map_or_else(
        || ms.to_string(),
        |time| time.to_rfc3339_opts(SecondsFormat::Millis, true),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> v1::Event {
        v1::Event {
            cursor: "00000000000000ff-7".to_owned(),
            seq: 7,
            ts_ms: 1_700_000_000_000,
            kind: v1::EventKind::Firing.into(),
            group: "orders".to_owned(),
            rule: "Slow".to_owned(),
            severity: "P1".to_owned(),
            labels: BTreeMap::from([("service".to_owned(), "orders".to_owned())]),
            value: 1.5,
            evidence: "p99\n\u{1b}[31mover 1 s".to_owned(),
            ..v1::Event::default()
        }
    }

    #[test]
    fn an_event_is_one_line_without_control_characters() {
        let lines = lines(&Message::Event(event()), WatchFormat::Text);
        let expected = "2023-11-14T22:13:20.000Z firing P1 orders/Slow{service=\"orders\"} value 1.5: p99  [31mover 1 s \
                        [00000000000000ff-7]";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let event = v1::Event {
            value: f64::NAN,
            kind: 99,
            ..event()
        };
        let lines = lines(&Message::Event(event), WatchFormat::Json);
        let object: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((lines.len(), lines[0].contains('\n')), (1, false));
        assert_eq!(object["value"], Value::Null);
        assert_eq!(object["kind"], "kind_99");
        assert_eq!(object["labels"]["service"], "orders");
    }

    #[test]
    fn a_gap_is_shown_and_a_heartbeat_is_not() {
        let gap = v1::Gap {
            first_missing: 3,
            last_missing: 5,
            reason: "too slow".to_owned(),
            cursor: "c".to_owned(),
        };
        assert_eq!(
            lines(&Message::Gap(gap), WatchFormat::Text),
            ["--- GAP: too slow [c]"]
        );
        assert!(lines(&Message::Heartbeat(v1::Heartbeat::default()), WatchFormat::Text).is_empty());
    }
}

use barograph_model::Labels;

use super::*;

fn event(kind: EventKind) -> Event {
    Event {
        seq: 7,
        ts: TimestampMs(1_700_000_060_000),
        kind,
        rule: "OrdersSlow".to_owned(),
        group: "orders".to_owned(),
        severity: "P1".to_owned(),
        labels: Labels::from_pairs([("service", "orders"), ("severity", "P1")]).unwrap(),
        annotations: BTreeMap::from([("summary".to_owned(), "orders is slow".to_owned())]),
        value: 1.5,
        evidence: "p99 1.5 s, limit 1 s".to_owned(),
        since: TimestampMs(1_700_000_000_000),
        fingerprint: "00112233445566778899aabbccddeeff".to_owned(),
    }
}

#[test]
fn has_the_shape_of_alertmanagers_version_4() {
    let payload = Payload::new(&event(EventKind::Firing), "oncall", "http://barograph:7117");
    let labels = serde_json::json!({
        "alertgroup": "orders", "alertname": "OrdersSlow", "service": "orders", "severity": "P1",
    });
    let annotations = serde_json::json!({
        "summary": "orders is slow", "kind": "firing", "value": "1.5", "evidence": "p99 1.5 s, limit 1 s",
    });
    let expected = serde_json::json!({
        "version": "4",
        "groupKey": r#"{}:{alertgroup="orders", alertname="OrdersSlow", service="orders", severity="P1"}"#,
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "oncall",
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "http://barograph:7117",
        "alerts": [{
            "status": "firing",
            "labels": labels,
            "annotations": annotations,
            "startsAt": "2023-11-14T22:13:20.000Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://barograph:7117",
            "fingerprint": "00112233445566778899aabbccddeeff",
        }],
    });
    assert_eq!(serde_json::to_value(payload).unwrap(), expected);
}

#[test]
fn resolved_has_an_end() {
    let json = serde_json::to_value(Payload::new(&event(EventKind::Resolved), "r", "")).unwrap();
    assert_eq!(json["status"], "resolved");
    assert_eq!(json["alerts"][0]["endsAt"], "2023-11-14T22:14:20.000Z");
}

#[test]
fn trouble_with_a_rule_is_not_taken_for_its_alert() {
    let name = |kind| {
        let json = serde_json::to_value(Payload::new(&event(kind), "r", "")).unwrap();
        (
            json["status"].clone(),
            json["groupLabels"]["alertname"].clone(),
            json["groupLabels"]["rule"].clone(),
        )
    };
    let failing = (
        "firing".into(),
        "BarographRuleFailing".into(),
        "OrdersSlow".into(),
    );
    assert_eq!(name(EventKind::RuleFailing), failing);
    assert_eq!(
        name(EventKind::RuleRecovered),
        ("resolved".into(), failing.1, failing.2)
    );
}

#[test]
fn values_that_json_lacks_and_instants_no_calendar_has_are_text() {
    let mut odd = event(EventKind::Firing);
    odd.value = f64::NAN;
    odd.since = TimestampMs::MAX;
    let json = serde_json::to_value(Payload::new(&odd, "r", "")).unwrap();
    assert_eq!(json["alerts"][0]["annotations"]["value"], "NaN");
    assert_eq!(json["alerts"][0]["startsAt"], NO_TIME);
}

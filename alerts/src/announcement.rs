//! The events that the state machine brings forth.

use std::collections::BTreeMap;

use barograph_model::{Labels, TimestampMs, format_duration_ms};

use crate::alert::{Alert, RuleKey, RuleStatus};
use crate::draft::NewEvent;
use crate::fingerprint::{alert_fingerprint, rule_fingerprint};
use crate::{EventKind, Rule};

/// The key a rule is stored under.
pub(crate) fn rule_key(rule: &Rule) -> RuleKey {
    RuleKey {
        group: rule.group.clone(),
        rule: rule.name.clone(),
    }
}

/// About an alert; `why` takes the place of its evidence.
pub(crate) fn alert_event(
    kind: EventKind,
    key: &RuleKey,
    identity: &Labels,
    alert: &Alert,
    why: Option<&str>,
) -> NewEvent {
    NewEvent {
        kind,
        group: key.group.clone(),
        rule: key.rule.clone(),
        severity: alert.severity().to_owned(),
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        value: alert.value.get(),
        evidence: why.map_or_else(|| alert.evidence.clone(), str::to_owned),
        since: alert.since,
        fingerprint: alert_fingerprint(&key.group, &key.rule, identity),
    }
}

/// About the rule itself.
pub(crate) fn rule_event(
    kind: EventKind,
    key: &RuleKey,
    labels: Labels,
    value: f64,
    evidence: String,
    since: TimestampMs,
) -> NewEvent {
    NewEvent {
        kind,
        group: key.group.clone(),
        rule: key.rule.clone(),
        severity: labels.get("severity").to_owned(),
        labels,
        annotations: BTreeMap::new(),
        value,
        evidence,
        since,
        fingerprint: rule_fingerprint(&key.group, &key.rule),
    }
}

/// A failing rule is evaluated again, or gone.
pub(crate) fn recovered(
    key: &RuleKey,
    status: &RuleStatus,
    labels: Labels,
    now: TimestampMs,
    why: &str,
) -> NewEvent {
    let since = status.failing_since.unwrap_or(now);
    let lasted = format_duration_ms(now.since(since).max(0));
    let failures = f64::from(status.failures);
    rule_event(
        EventKind::RuleRecovered,
        key,
        labels,
        failures,
        format!("{why}, after {lasted}"),
        since,
    )
}

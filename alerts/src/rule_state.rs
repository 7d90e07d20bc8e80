//! What happens to a rule as a whole: it fails, it is removed, it is written down.

use std::collections::BTreeMap;

use barograph_model::{Labels, TimestampMs};

use crate::alert::{Alert, AlertState, RuleKey, RuleState, RuleStatus};
use crate::announcement::{alert_event, recovered, rule_event, rule_key};
use crate::draft::Draft;
use crate::rule::cut;
use crate::transaction::{Change, RuleChange};
use crate::{EventKind, Rule};

/// Longer error texts are cut.
const LONGEST_ERROR_BYTES: usize = 4 * 1024;
/// A rule evaluated this rarely announces its first failure: waiting for three would hide it too long.
const RARE_INTERVAL_MS: i64 = 300_000;

/// Counts a failed evaluation and announces the trouble when it lasts. No alert changes.
pub(crate) fn failed(draft: &mut Draft<'_>, rule: &Rule, state: &RuleState, error: &str) {
    let error = cut(error.to_owned(), LONGEST_ERROR_BYTES);
    let mut status = state.status.clone();
    let now = draft.now;
    if !status.failing {
        status.failures = status.failures.saturating_add(1);
        let since = *status.failing_since.get_or_insert(now);
        let rare = rule.interval_ms >= RARE_INTERVAL_MS;
        let bearable = if rare {
            1
        } else {
            draft.options().limits.failures_before_event.max(1)
        };
        if status.failures >= bearable {
            status.failing = true;
            status.labels = rule.render_labels(&Labels::empty());
            let (labels, failures) = (status.labels.clone(), f64::from(status.failures));
            draft.emit(rule_event(
                EventKind::RuleFailing,
                &rule_key(rule),
                labels,
                failures,
                error.clone(),
                since,
            ));
        }
    }
    status.last_error = Some(error);
    write_rule(draft, rule_key(rule), state, status, state.alerts.clone(), false);
}

/// Ends everything of a rule that is no longer in any file. Its resolved alerts stay visible for their time.
pub(crate) fn remove_rule(draft: &mut Draft<'_>, key: &RuleKey, state: &RuleState) {
    let why = "the rule was removed";
    let mut alerts = state.alerts.clone();
    for (identity, alert) in &state.alerts {
        match alert.state {
            AlertState::Pending => {
                draft.emit(alert_event(EventKind::Cancelled, key, identity, alert, Some(why)));
                alerts.remove(identity);
            }
            AlertState::Firing => {
                let resolved = Alert {
                    state: AlertState::Resolved,
                    resolved_at: Some(draft.now),
                    calm_since: None,
                    missing_since: None,
                    ..alert.clone()
                };
                draft.emit(alert_event(
                    EventKind::Resolved,
                    key,
                    identity,
                    &resolved,
                    Some(why),
                ));
                alerts.insert(identity.clone(), resolved);
            }
            AlertState::Resolved => {}
        }
    }
    let labels = state.status.labels.clone();
    if state.status.failing {
        draft.emit(recovered(key, &state.status, labels.clone(), draft.now, why));
    }
    if state.status.over_limit {
        let kind = EventKind::RuleWithinLimit;
        draft.emit(rule_event(kind, key, labels, 0.0, why.to_owned(), draft.now));
    }
    write_rule(draft, key.clone(), state, RuleStatus::default(), alerts, false);
}

/// Lets time alone drop resolved alerts.
pub(crate) fn expire_resolved(draft: &mut Draft<'_>, key: &RuleKey, state: &RuleState) {
    let mut alerts = state.alerts.clone();
    forget_resolved(&mut alerts, draft, draft.now);
    write_rule(draft, key.clone(), state, state.status.clone(), alerts, false);
}

/// Drops resolved alerts that are too old or too many.
pub(crate) fn forget_resolved(alerts: &mut BTreeMap<Labels, Alert>, draft: &Draft<'_>, now: TimestampMs) {
    let limits = &draft.options().limits;
    alerts.retain(|_, alert| {
        alert
            .resolved_at
            .is_none_or(|at| now.since(at) < limits.resolved_kept_ms)
    });
    let resolved = alerts
        .iter()
        .filter_map(|(identity, alert)| alert.resolved_at.map(|at| (at, identity.clone())));
    let mut oldest_first: Vec<_> = resolved.collect();
    oldest_first.sort();
    let surplus = oldest_first.len().saturating_sub(limits.resolved_per_rule);
    for (_, identity) in &oldest_first[..surplus] {
        alerts.remove(identity);
    }
}

/// Writes the difference between a rule's old and new state, if there is one or if time must be written down.
pub(crate) fn write_rule(
    draft: &mut Draft<'_>,
    key: RuleKey,
    old: &RuleState,
    status: RuleStatus,
    alerts: BTreeMap<Labels, Alert>,
    waits: bool,
) {
    let healthy = RuleStatus {
        evaluated_at: status.evaluated_at,
        ..RuleStatus::default()
    } == status;
    let forgotten: Vec<_> = old
        .alerts
        .keys()
        .filter(|identity| !alerts.contains_key(identity))
        .cloned()
        .collect();
    let is_empty = alerts.is_empty();
    let set: Vec<_> = alerts
        .into_iter()
        .filter(|(identity, alert)| old.alerts.get(identity) != Some(alert))
        .collect();
    let same_status = RuleStatus {
        evaluated_at: old.status.evaluated_at,
        ..status.clone()
    } == old.status;
    if is_empty && healthy {
        if *old != RuleState::default() {
            draft.change(Change::RuleForgotten(key));
        }
    } else if waits || !same_status || !set.is_empty() || !forgotten.is_empty() {
        draft.change(Change::Rule(RuleChange {
            key,
            status,
            set,
            forgotten,
        }));
    }
}

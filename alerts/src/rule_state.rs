//! What happens to a rule as a whole: it fails, it is removed, its resolved alerts age.

use barograph_model::Labels;

use crate::alert::{Alert, AlertState, RuleKey, RuleState, RuleStatus};
use crate::announcement::{alert_event, recovered, rule_event, rule_key};
use crate::draft::Draft;
use crate::rule::cut;
use crate::rule_edit::RuleEdit;
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
    RuleEdit::new(state).write(draft, rule_key(rule), status, false);
}

/// Ends everything of a rule that is no longer in any file. Its resolved alerts stay visible for their time.
pub(crate) fn remove_rule(draft: &mut Draft<'_>, key: &RuleKey, state: &RuleState) {
    let why = "the rule was removed";
    let mut edit = RuleEdit::new(state);
    for (identity, alert) in &state.alerts {
        match alert.state {
            AlertState::Pending => {
                draft.emit(alert_event(EventKind::Cancelled, key, identity, alert, Some(why)));
                edit.forget(identity);
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
                edit.set(identity, resolved);
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
    edit.write(draft, key.clone(), RuleStatus::default(), false);
}

/// Lets time alone drop resolved alerts.
pub(crate) fn expire_resolved(draft: &mut Draft<'_>, key: &RuleKey, state: &RuleState) {
    let mut edit = RuleEdit::new(state);
    edit.forget_resolved(&draft.options().limits, draft.now);
    edit.write(draft, key.clone(), state.status.clone(), false);
}

//! The state machine: what follows for a rule's alerts from one evaluation.
//!
//! ```text
//!                 found                 found for `for`              calm for `keep_firing_for`
//!   (nothing) ------------> pending ----------------------> firing ------------------------------> resolved
//!       ^                      | calm: cancelled               ^ found: goes on                        |
//!       +----------------------+                               |                                      | found:
//!       +<------------------------------------------------------------------ anew, from the start ----+
//! ```
//!
//! - A failed evaluation changes no alert. It counts, and is announced as the rule's trouble.
//! - An alert whose data is missing (see [`Outcome::Judged`]) stays as it is for `keep_missing_for`.
//! - Durations are measured between evaluations' clocks. When the clock was set back, what is measured from moves
//!   back with it: time that was waited stays waited, and none is invented.
//! - Labels may change only with the rule file. A firing alert then resolves under its old labels and fires under
//!   the new ones at once, so that whoever was told of the one is told of its end.

use std::collections::{BTreeMap, BTreeSet};

use barograph_model::{Labels, TimestampMs, format_duration_ms};

use crate::alert::{Alert, AlertState, RuleState, RuleStatus};
use crate::announcement::{alert_event, recovered, rule_event, rule_key};
use crate::draft::Draft;
use crate::number::Number;
use crate::rule::cut;
use crate::rule_edit::RuleEdit;
use crate::rule_state::failed;
use crate::{EventKind, Finding, Outcome, Rule};

/// Longer evidence and error texts are cut.
const LONGEST_EVIDENCE_BYTES: usize = 4 * 1024;
/// An evaluation that brings a larger label set counts as failed.
const LARGEST_LABELS_BYTES: usize = 16 * 1024;

/// Adds what follows from the evaluation to the draft.
pub(crate) fn evaluate(draft: &mut Draft<'_>, rule: &Rule, state: &RuleState, outcome: &Outcome) {
    let (findings, calm) = match outcome {
        Outcome::Findings(findings) => (findings, None),
        Outcome::Judged { findings, calm } => (findings, Some(calm.iter().collect())),
        Outcome::Failed(error) => return failed(draft, rule, state, error),
    };
    if let Some(huge) = findings
        .iter()
        .find(|finding| finding.labels.heap_bytes() > LARGEST_LABELS_BYTES)
    {
        let bytes = huge.labels.heap_bytes();
        let error = format!(
            "a finding has {bytes} bytes of labels, more than {LARGEST_LABELS_BYTES}: select fewer or shorter text columns"
        );
        return failed(draft, rule, state, &error);
    }
    let now = draft.now;
    let back_ms = state
        .status
        .evaluated_at
        .map_or(0, |before| before.since(now).max(0));
    Evaluation {
        rule,
        now,
        back_ms,
        calm,
        edit: RuleEdit::new(state),
        active: state.active(),
        draft,
    }
    .run(findings, state);
}

struct Evaluation<'d, 's, 'r> {
    draft: &'d mut Draft<'s>,
    rule: &'r Rule,
    now: TimestampMs,
    /// How far the clock was set back since the last evaluation.
    back_ms: i64,
    /// What is known not to hold; `None` where that is everything not found.
    calm: Option<BTreeSet<&'r Labels>>,
    edit: RuleEdit<'r>,
    active: usize,
}

impl Evaluation<'_, '_, '_> {
    fn run(mut self, findings: &[Finding], state: &RuleState) {
        let mut found: BTreeMap<&Labels, &Finding> = BTreeMap::new();
        for finding in findings {
            let best = found.entry(&finding.labels).or_insert(finding);
            if finding.value > best.value || best.value.is_nan() {
                *best = finding;
            }
        }
        for (identity, alert) in &state.alerts {
            let mut alert = alert.clone();
            if self.back_ms > 0 && alert.waits() {
                alert.shift_back(self.back_ms);
            }
            match (alert.state, found.get(identity)) {
                (AlertState::Pending | AlertState::Firing, Some(finding)) => {
                    self.found_again(identity, alert, finding);
                    found.remove(identity);
                }
                (AlertState::Pending | AlertState::Firing, None) => self.not_found(identity, alert),
                // A resolved alert that is found begins anew, below.
                (AlertState::Resolved, _) => {}
            }
        }
        let limit = self
            .draft
            .options()
            .limits
            .active_per_rule
            .min(self.rule.limit.unwrap_or(usize::MAX));
        let total = self.active + found.len();
        for (identity, finding) in found {
            if self.active < limit {
                self.found_first(identity, finding);
            }
        }
        self.finish(state, total, limit);
    }

    fn found_first(&mut self, identity: &Labels, finding: &Finding) {
        self.active += 1;
        let alert = Alert {
            state: AlertState::Pending,
            labels: self.rule.render_labels(&finding.labels),
            annotations: self.rule.render_annotations(&finding.labels, finding.value),
            value: Number::new(finding.value),
            evidence: cut(finding.evidence.clone(), LONGEST_EVIDENCE_BYTES),
            since: self.now,
            fired_at: None,
            resolved_at: None,
            calm_since: None,
            missing_since: None,
        };
        if self.rule.for_ms > 0 {
            self.announce(EventKind::Pending, identity, &alert, None);
            self.edit.set(identity, alert);
        } else {
            self.fire(identity, alert);
        }
    }

    fn found_again(&mut self, identity: &Labels, mut alert: Alert, finding: &Finding) {
        let labels = self.rule.render_labels(&finding.labels);
        let relabelled = labels != alert.labels;
        if relabelled && alert.state == AlertState::Firing {
            self.announce(
                EventKind::Resolved,
                identity,
                &alert,
                Some("the rule's labels changed"),
            );
        }
        alert.labels = labels;
        alert.annotations = self.rule.render_annotations(&finding.labels, finding.value);
        alert.value = Number::new(finding.value);
        alert.evidence = cut(finding.evidence.clone(), LONGEST_EVIDENCE_BYTES);
        alert.calm_since = None;
        alert.missing_since = None;
        if alert.state == AlertState::Pending && self.now.since(alert.since) >= self.rule.for_ms {
            return self.fire(identity, alert);
        }
        if relabelled && alert.state == AlertState::Firing {
            self.announce(EventKind::Firing, identity, &alert, None);
        }
        self.edit.set(identity, alert);
    }

    fn fire(&mut self, identity: &Labels, mut alert: Alert) {
        alert.state = AlertState::Firing;
        alert.fired_at = Some(self.now);
        self.announce(EventKind::Firing, identity, &alert, None);
        self.edit.set(identity, alert);
    }

    fn not_found(&mut self, identity: &Labels, mut alert: Alert) {
        let is_missing = self.calm.as_ref().is_some_and(|calm| !calm.contains(identity));
        let (since, keep_ms, why) = if is_missing {
            (
                *alert.missing_since.get_or_insert(self.now),
                self.rule.keep_missing_for_ms,
                "no data",
            )
        } else {
            alert.missing_since = None;
            let keep_ms = if alert.state == AlertState::Firing {
                self.rule.keep_firing_for_ms
            } else {
                0
            };
            (
                *alert.calm_since.get_or_insert(self.now),
                keep_ms,
                "not found any more",
            )
        };
        let lasted_ms = self.now.since(since);
        if lasted_ms < keep_ms {
            self.edit.set(identity, alert);
            return;
        }
        let why = if keep_ms > 0 {
            format!("{why} for {}", format_duration_ms(lasted_ms))
        } else {
            why.to_owned()
        };
        self.end(identity, alert, &why);
    }

    fn end(&mut self, identity: &Labels, mut alert: Alert, why: &str) {
        self.active -= 1;
        alert.calm_since = None;
        alert.missing_since = None;
        if alert.state == AlertState::Pending {
            self.announce(EventKind::Cancelled, identity, &alert, Some(why));
            self.edit.forget(identity);
        } else {
            alert.state = AlertState::Resolved;
            alert.resolved_at = Some(self.now);
            self.announce(EventKind::Resolved, identity, &alert, Some(why));
            self.edit.set(identity, alert);
        }
    }

    fn announce(&mut self, kind: EventKind, identity: &Labels, alert: &Alert, why: Option<&str>) {
        let key = rule_key(self.rule);
        self.draft.emit(alert_event(kind, &key, identity, alert, why));
    }

    /// Over or within the limit, healthy again, old resolved alerts out; then writes what differs.
    fn finish(mut self, state: &RuleState, total: usize, limit: usize) {
        let mut status = state.status.clone();
        let over_limit = total > limit;
        if over_limit != status.over_limit {
            let (kind, evidence) = if over_limit {
                (
                    EventKind::RuleOverLimit,
                    format!(
                        "{total} alerts, of which {} are tracked; aggregate in the query",
                        self.active
                    ),
                )
            } else {
                (EventKind::RuleWithinLimit, format!("{total} alerts, all tracked"))
            };
            let labels = self.rule.render_labels(&Labels::empty());
            self.draft.emit(rule_event(
                kind,
                &rule_key(self.rule),
                labels,
                total as f64,
                evidence,
                self.now,
            ));
            status.over_limit = over_limit;
        }
        if status.failures > 0 {
            if status.failing {
                let labels = self.rule.render_labels(&Labels::empty());
                self.draft.emit(recovered(
                    &rule_key(self.rule),
                    &status,
                    labels,
                    self.now,
                    "evaluated again",
                ));
            }
            status.failures = 0;
            status.failing = false;
            status.failing_since = None;
            status.last_error = None;
        }
        status.labels = self.labels_in_trouble(&status);
        self.edit.forget_resolved(&self.draft.options().limits, self.now);
        status.evaluated_at = Some(self.now);
        let waits = self.edit.waits();
        self.edit.write(self.draft, rule_key(self.rule), status, waits);
    }

    fn labels_in_trouble(&self, status: &RuleStatus) -> Labels {
        let in_trouble = status.failing || status.over_limit;
        if in_trouble {
            self.rule.render_labels(&Labels::empty())
        } else {
            Labels::empty()
        }
    }
}

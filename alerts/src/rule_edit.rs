//! A rule's alerts with changes on top, until they are written as one change. What stays is not copied: a rule
//! with ten thousand steady alerts costs a comparison each.

use std::collections::{BTreeMap, BTreeSet};

use barograph_model::{Labels, TimestampMs};

use crate::Limits;
use crate::alert::{Alert, RuleKey, RuleState, RuleStatus};
use crate::draft::Draft;
use crate::transaction::{Change, RuleChange};

pub(crate) struct RuleEdit<'s> {
    old: &'s RuleState,
    set: BTreeMap<Labels, Alert>,
    forgotten: BTreeSet<Labels>,
}

impl<'s> RuleEdit<'s> {
    pub(crate) fn new(old: &'s RuleState) -> Self {
        Self {
            old,
            set: BTreeMap::new(),
            forgotten: BTreeSet::new(),
        }
    }

    /// The alert becomes this.
    pub(crate) fn set(&mut self, identity: &Labels, alert: Alert) {
        self.forgotten.remove(identity);
        if self.old.alerts.get(identity) == Some(&alert) {
            self.set.remove(identity);
        } else {
            self.set.insert(identity.clone(), alert);
        }
    }

    /// The alert goes.
    pub(crate) fn forget(&mut self, identity: &Labels) {
        self.set.remove(identity);
        if self.old.alerts.contains_key(identity) {
            self.forgotten.insert(identity.clone());
        }
    }

    /// The alerts as they are now, those that were changed last.
    fn alerts(&self) -> impl Iterator<Item = (&Labels, &Alert)> {
        let is_old =
            |identity: &Labels| !self.set.contains_key(identity) && !self.forgotten.contains(identity);
        let old = self
            .old
            .alerts
            .iter()
            .filter(move |(identity, _)| is_old(identity));
        old.chain(&self.set)
    }

    /// Drops resolved alerts that are too old or too many; the oldest first, of equals the first by label.
    pub(crate) fn forget_resolved(&mut self, limits: &Limits, now: TimestampMs) {
        let resolved = self
            .alerts()
            .filter_map(|(identity, alert)| Some((alert.resolved_at?, identity)));
        let mut oldest_first: Vec<_> = resolved.collect();
        oldest_first.sort_unstable();
        let too_old = oldest_first
            .iter()
            .take_while(|(at, _)| now.since(*at) >= limits.resolved_kept_ms)
            .count();
        let too_many = oldest_first.len().saturating_sub(limits.resolved_per_rule);
        let gone: Vec<Labels> = oldest_first[..too_old.max(too_many)]
            .iter()
            .map(|(_, identity)| (*identity).clone())
            .collect();
        gone.iter().for_each(|identity| self.forget(identity));
    }

    /// Whether the mere passing of time may change an alert at the next evaluation.
    pub(crate) fn waits(&self) -> bool {
        self.alerts().any(|(_, alert)| alert.waits())
    }

    /// Writes what differs, or at least the time where that must be known.
    pub(crate) fn write(self, draft: &mut Draft<'_>, key: RuleKey, status: RuleStatus, time_matters: bool) {
        let is_well = status
            == RuleStatus {
                evaluated_at: status.evaluated_at,
                ..RuleStatus::default()
            };
        let is_same = self.old.status
            == RuleStatus {
                evaluated_at: self.old.status.evaluated_at,
                ..status.clone()
            };
        if is_well && self.alerts().next().is_none() {
            if *self.old != RuleState::default() {
                draft.change(Change::RuleForgotten(key));
            }
        } else if time_matters || !is_same || !self.set.is_empty() || !self.forgotten.is_empty() {
            draft.change(Change::Rule(RuleChange {
                key,
                status,
                set: self.set.into_iter().collect(),
                forgotten: self.forgotten.into_iter().collect(),
            }));
        }
    }
}

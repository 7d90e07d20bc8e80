//! All alert state: rules and their alerts, the event log, the outbox. Planned on, changed only by `apply`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barograph_model::{Labels, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, RuleKey, RuleState, RuleStatus};
use crate::draft::Draft;
use crate::event_log::EventLog;
use crate::fingerprint::alert_fingerprint;
use crate::outbox::{Outbox, Progress};
use crate::transaction::{Change, Transaction};
use crate::{
    ActiveAlert, Entry, Event, EventsAfter, Options, Outcome, Rule, RuleHealth, RuleSet, StoreError,
};
use crate::{announcement, evaluator, rule_state};

/// The format of checkpoints this program writes.
const FORMAT: u32 = 1;

/// The state of alerting. One writer at a time: plan, make the transaction durable, apply, then plan again.
#[derive(Debug, Clone, Default)]
pub struct AlertStore {
    options: Options,
    /// The number of the last transaction applied.
    applied: u64,
    rules: BTreeMap<RuleKey, RuleState>,
    log: EventLog,
    outbox: Outbox,
}

/// The greatest number of a transaction or an event in a checkpoint. Counting does not get there, and from there it can
/// go on.
const NUMBER_MAX: u64 = i64::MAX as u64;

/// A checkpoint as it is stored.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    format: u32,
    applied: u64,
    rules: Vec<StoredRule>,
    first_seq: u64,
    events: Vec<Event>,
    waiting: Vec<Entry>,
    finished: Vec<Entry>,
    sent_total: u64,
    dead_total: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredRule {
    key: RuleKey,
    status: RuleStatus,
    alerts: Vec<(Labels, Alert)>,
}

impl AlertStore {
    /// A store without history.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Replaces limits, delivery policy and routes, from the next plan on.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// What the store is told to keep to.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What follows from one evaluation of a rule. Empty when nothing changes.
    pub fn plan(&self, now: TimestampMs, rule: &Rule, outcome: &Outcome) -> Transaction {
        let mut draft = Draft::new(self, now);
        let nothing = RuleState::default();
        let state = self.rules.get(&announcement::rule_key(rule)).unwrap_or(&nothing);
        evaluator::evaluate(&mut draft, rule, state, outcome);
        draft.finish()
    }

    /// Ends the alerts and troubles of rules that are not in the set.
    pub fn plan_removed_rules(&self, now: TimestampMs, rules: &RuleSet) -> Transaction {
        let mut draft = Draft::new(self, now);
        let kept: BTreeSet<RuleKey> = rules.rules().map(announcement::rule_key).collect();
        for (key, state) in self.rules.iter().filter(|(key, _)| !kept.contains(key)) {
            rule_state::remove_rule(&mut draft, key, state);
        }
        draft.finish()
    }

    /// Drops what is too old: resolved alerts and events. To be called now and then (once a minute is fine).
    pub fn plan_expiry(&self, now: TimestampMs) -> Transaction {
        let mut draft = Draft::new(self, now);
        for (key, state) in &self.rules {
            rule_state::expire_resolved(&mut draft, key, state);
        }
        draft.finish_with_limits()
    }

    /// Makes a transaction part of the state. Deterministic, without regard to the options. An empty one
    /// changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Stale`] for one that was planned before another was applied,
    /// [`StoreError::MissingTransactions`] or [`StoreError::Mismatch`] for one that does not follow; the state is
    /// then as before.
    pub fn apply(&mut self, transaction: &Transaction) -> Result<(), StoreError> {
        if transaction.is_empty() {
            return Ok(());
        }
        let (applied, found) = (self.applied, transaction.number);
        if found <= applied {
            return Err(StoreError::Stale { applied, found });
        }
        if found > applied + 1 {
            return Err(StoreError::MissingTransactions { applied, found });
        }
        self.check(transaction).map_err(|message| StoreError::Mismatch {
            index: transaction.number,
            message,
        })?;
        self.applied = transaction.number;
        transaction
            .changes
            .iter()
            .for_each(|change| self.apply_change(change));
        Ok(())
    }

    /// Whether all that a transaction refers to is there.
    fn check(&self, transaction: &Transaction) -> Result<(), String> {
        let mut next_seq = self.last_seq() + 1;
        for change in &transaction.changes {
            match change {
                Change::Event(event) if event.seq != next_seq => {
                    return Err(format!("it has event {} where {next_seq} must follow", event.seq));
                }
                Change::Event(_) => next_seq += 1,
                Change::Queued { seq, .. } if !(self.last_seq() + 1..next_seq).contains(seq) => {
                    return Err(format!("it queues event {seq}, which it does not hold"));
                }
                Change::Delivery(Progress { channel, seq, .. })
                    if self.outbox.get(channel, *seq).is_none() =>
                {
                    return Err(format!(
                        "it delivers event {seq} to channel {channel:?}, where it does not wait"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn apply_change(&mut self, change: &Change) {
        match change {
            Change::Rule(change) => {
                let state = self.rules.entry(change.key.clone()).or_default();
                state.status = change.status.clone();
                state.alerts.extend(change.set.iter().cloned());
                for identity in &change.forgotten {
                    state.alerts.remove(identity);
                }
            }
            Change::RuleForgotten(key) => {
                self.rules.remove(key);
            }
            Change::Event(event) => self.log.push(Arc::clone(event)),
            Change::EventsDropped { first_seq } => self.log.drop_before(*first_seq),
            Change::Queued { channel, seq } => {
                if let Some(event) = self.log.get(*seq) {
                    self.outbox.queue(Entry::new(channel, Arc::clone(event)));
                }
            }
            Change::Delivery(progress) => self.outbox.advance(progress),
            Change::FinishedDropped { count } => self.outbox.drop_finished(*count),
        }
    }

    /// Lets an entry that was read from storage point to the event in the log.
    fn share(&self, entry: &mut Entry) {
        if let Some(event) = self
            .log
            .get(entry.event.seq)
            .filter(|event| **event == entry.event)
        {
            entry.event = Arc::clone(event);
        }
    }

    /// The whole state, to begin a shorter journal with. O(state).
    #[must_use]
    pub fn to_checkpoint(&self) -> Vec<u8> {
        let stored = |(key, state): (&RuleKey, &RuleState)| StoredRule {
            key: key.clone(),
            status: state.status.clone(),
            alerts: state.alerts.clone().into_iter().collect(),
        };
        let checkpoint = Checkpoint {
            format: FORMAT,
            applied: self.applied,
            rules: self.rules.iter().map(stored).collect(),
            first_seq: self.log.first_seq(),
            events: self.log.iter().map(|event| event.as_ref().clone()).collect(),
            waiting: self.outbox.all_waiting().cloned().collect(),
            finished: self.outbox.finished().iter().cloned().collect(),
            sent_total: self.outbox.sent_total,
            dead_total: self.outbox.dead_total,
        };
        serde_json::to_vec(&checkpoint)
            .expect("map keys are texts and numbers finite, so JSON can always be written")
    }

    /// The reverse of [`AlertStore::to_checkpoint`].
    ///
    /// # Errors
    /// [`StoreError::Unreadable`], or [`StoreError::Newer`] for a checkpoint of a later program.
    pub fn from_checkpoint(bytes: &[u8], options: Options) -> Result<Self, StoreError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = |source| StoreError::Unreadable {
            what: "checkpoint",
            bytes: bytes.len(),
            source,
        };
        let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format > FORMAT {
            return Err(StoreError::Newer {
                found: format,
                supported: FORMAT,
            });
        }
        let checkpoint: Checkpoint = serde_json::from_slice(bytes).map_err(unreadable)?;
        let (applied, first_seq) = (checkpoint.applied, checkpoint.first_seq);
        if first_seq == 0 || applied.max(first_seq) > NUMBER_MAX {
            return Err(StoreError::Mismatch {
                index: applied,
                message: format!(
                    "the checkpoint has {applied} transactions and events from {first_seq} on; they count from 1"
                ),
            });
        }
        let mut store = Self {
            options,
            applied: checkpoint.applied,
            ..Self::default()
        };
        for StoredRule { key, status, alerts } in checkpoint.rules {
            store.rules.insert(
                key,
                RuleState {
                    status,
                    alerts: alerts.into_iter().collect(),
                },
            );
        }
        store.log = EventLog::starting_at(checkpoint.first_seq);
        for event in checkpoint.events {
            if event.seq != store.last_seq() + 1 {
                let message = format!(
                    "the checkpoint has event {} after {}",
                    event.seq,
                    store.last_seq()
                );
                return Err(StoreError::Mismatch {
                    index: checkpoint.applied,
                    message,
                });
            }
            store.log.push(Arc::new(event));
        }
        let (mut waiting, mut finished) = (checkpoint.waiting, checkpoint.finished);
        waiting
            .iter_mut()
            .chain(&mut finished)
            .for_each(|entry| store.share(entry));
        store.outbox = Outbox::restore(waiting, finished, checkpoint.sent_total, checkpoint.dead_total);
        Ok(store)
    }

    /// The state of a checkpoint and the journal records after it.
    ///
    /// # Errors
    /// [`StoreError`] of the first part that does not fit; records before the checkpoint are passed over.
    pub fn recover<R: AsRef<[u8]>>(
        checkpoint: Option<&[u8]>,
        records: impl IntoIterator<Item = R>,
        options: Options,
    ) -> Result<Self, StoreError> {
        match Self::recover_prefix(checkpoint, records, options)? {
            (store, None) => Ok(store),
            (_, Some(error)) => Err(error),
        }
    }

    /// The state of a checkpoint and as many of the journal records after it as follow one another, and why it ends
    /// there, if it does not reach the last: for a journal that is damaged in the middle. It is a state that was there
    /// once.
    ///
    /// # Errors
    /// [`StoreError`] when the checkpoint is not readable.
    pub fn recover_prefix<R: AsRef<[u8]>>(
        checkpoint: Option<&[u8]>,
        records: impl IntoIterator<Item = R>,
        options: Options,
    ) -> Result<(Self, Option<StoreError>), StoreError> {
        let mut store = match checkpoint {
            Some(bytes) => Self::from_checkpoint(bytes, options)?,
            None => Self::new(options),
        };
        let in_checkpoint = store.applied;
        for record in records {
            let applied = Transaction::from_record(record.as_ref()).and_then(|transaction| {
                if transaction.number > in_checkpoint {
                    store.apply(&transaction)?;
                }
                Ok(())
            });
            if let Err(error) = applied {
                return Ok((store, Some(error)));
            }
        }
        Ok((store, None))
    }

    /// The events after a cursor, and what is missing between. O(1).
    #[must_use]
    pub fn events_after(&self, seq: u64) -> EventsAfter<'_> {
        self.log.after(seq)
    }

    /// The number of the first event in the log; one more than the last where it is empty.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.log.first_seq()
    }

    /// The number of the last event that was ever logged, 0 before the first.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.log.last_seq()
    }

    /// All visible alerts, by group, rule and the finding's labels; recently resolved ones among them.
    pub fn active(&self) -> impl Iterator<Item = ActiveAlert<'_>> {
        self.rules.iter().flat_map(|(key, state)| {
            state.alerts.iter().map(move |(identity, alert)| ActiveAlert {
                group: &key.group,
                rule: &key.rule,
                labels: &alert.labels,
                annotations: &alert.annotations,
                severity: alert.severity(),
                state: alert.state,
                value: alert.value.get(),
                evidence: &alert.evidence,
                since: alert.since,
                fired_at: alert.fired_at,
                resolved_at: alert.resolved_at,
                fingerprint: alert_fingerprint(&key.group, &key.rule, identity),
            })
        })
    }

    /// The health of each rule that has alerts or trouble; a rule that is not named is well and quiet.
    pub fn health(&self) -> impl Iterator<Item = RuleHealth<'_>> {
        self.rules.iter().map(|(key, state)| RuleHealth {
            group: &key.group,
            rule: &key.rule,
            failures: state.status.failures,
            failing: state.status.failing,
            last_error: state.status.last_error.as_deref(),
            over_limit: state.status.over_limit,
            active: state.active(),
        })
    }

    /// All entries of the outbox: those that wait by channel and event, then the recently finished.
    pub fn deliveries(&self) -> impl Iterator<Item = &Entry> {
        self.outbox.all_waiting().chain(self.outbox.finished())
    }

    /// How many deliveries wait for a channel.
    #[must_use]
    pub fn waiting(&self, channel: &str) -> usize {
        self.outbox.waiting_len(channel)
    }

    /// When a channel next has something to send; `None` while there is nothing, or all of it is under way.
    #[must_use]
    pub fn next_delivery_at(&self, channel: &str) -> Option<TimestampMs> {
        self.outbox.next_due_at(channel)
    }

    /// Deliveries that arrived, and that were given up, since the store began.
    #[must_use]
    pub fn delivery_totals(&self) -> (u64, u64) {
        (self.outbox.sent_total, self.outbox.dead_total)
    }

    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    pub(crate) fn log(&self) -> &EventLog {
        &self.log
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }
}

#[cfg(test)]
mod tests;

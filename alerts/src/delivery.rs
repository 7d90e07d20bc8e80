//! Steps of a delivery: begin, and the four ways it can end.

use std::sync::Arc;

use barograph_model::TimestampMs;

use crate::backoff::wait_ms;
use crate::draft::Draft;
use crate::outbox::{Entry, EntryState, Progress};
use crate::rule::cut;
use crate::transaction::Transaction;
use crate::{AlertStore, Event};

const LONGEST_ERROR_BYTES: usize = 4 * 1024;

/// What a channel is to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The channel.
    pub channel: String,
    /// What to send; with the channel, `event.seq` names the delivery in `plan_sent` and its sisters.
    pub event: Arc<Event>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// To be sent along, so that a receiver can recognise a repetition.
    pub idempotency_key: String,
}

impl AlertStore {
    /// Takes up to `max` deliveries that are due for a channel. Write and apply the transaction before the
    /// first byte is sent: a crash in between then leaves "unknown", not "never tried".
    pub fn plan_delivery(&self, now: TimestampMs, channel: &str, max: usize) -> (Transaction, Vec<Delivery>) {
        let mut draft = Draft::new(self, now);
        let mut deliveries = Vec::new();
        for entry in self.outbox().due(channel, now).take(max) {
            let attempt = entry.progress.attempts.saturating_add(1);
            deliveries.push(Delivery {
                channel: channel.to_owned(),
                event: Arc::clone(&entry.event),
                attempt,
                idempotency_key: entry.idempotency_key(),
            });
            draft.advance(Progress {
                state: EntryState::Sending,
                attempts: attempt,
                scheduled_at: now,
                next_attempt_at: now,
                ..entry.progress.clone()
            });
        }
        (draft.finish(), deliveries)
    }

    /// It arrived.
    pub fn plan_sent(&self, now: TimestampMs, channel: &str, seq: u64) -> Transaction {
        self.plan_end(now, channel, seq, |draft, entry| {
            draft.advance(Progress {
                state: EntryState::Sent,
                last_error: None,
                ..entry.progress
            });
        })
    }

    /// It certainly did not arrive (no connection, a 5xx answer): tried again later, `retry_after_ms` being the
    /// receiver's wish, unless it is too old.
    pub fn plan_failed(
        &self,
        now: TimestampMs,
        channel: &str,
        seq: u64,
        error: &str,
        retry_after_ms: Option<i64>,
    ) -> Transaction {
        self.plan_end(now, channel, seq, |draft, entry| {
            retry(draft, entry, error, retry_after_ms)
        })
    }

    /// Nobody knows (a timeout or a reset after the request was written): tried again with the same key.
    pub fn plan_unknown(&self, now: TimestampMs, channel: &str, seq: u64, error: &str) -> Transaction {
        self.plan_end(now, channel, seq, |draft, mut entry| {
            entry.progress.maybe_arrived = true;
            retry(draft, entry, error, None);
        })
    }

    /// The receiver will never take it (a 4xx answer but for 408 and 429): given up at once.
    pub fn plan_refused(&self, now: TimestampMs, channel: &str, seq: u64, error: &str) -> Transaction {
        self.plan_end(now, channel, seq, |draft, mut entry| {
            let error = cut(error.to_owned(), LONGEST_ERROR_BYTES);
            entry.progress.last_error = Some(error.clone());
            draft.give_up(channel, vec![entry], &error);
        })
    }

    /// After a start: what was being sent when the program ended is unknown, and due.
    pub fn plan_restart(&self, now: TimestampMs) -> Transaction {
        let mut draft = Draft::new(self, now);
        for entry in self
            .outbox()
            .all_waiting()
            .filter(|entry| entry.progress.state == EntryState::Sending)
        {
            draft.advance(Progress {
                state: EntryState::Unknown,
                maybe_arrived: true,
                scheduled_at: now,
                next_attempt_at: now,
                last_error: Some("the program ended while it was being sent".to_owned()),
                ..entry.progress.clone()
            });
        }
        draft.finish()
    }

    /// After a change of routes: what waits for a channel that no route leads to is given up.
    pub fn plan_removed_channels(&self, now: TimestampMs) -> Transaction {
        let mut draft = Draft::new(self, now);
        let routes = &self.options().routes;
        for channel in self.outbox().channels() {
            if !routes.iter().any(|route| route.channel == channel) {
                let entries = self.outbox().waiting(channel).cloned().collect();
                draft.give_up(channel, entries, "no route leads to this channel any more");
            }
        }
        draft.finish()
    }

    /// The end of an attempt. One that is not under way (given up meanwhile, answered twice) changes nothing.
    fn plan_end(
        &self,
        now: TimestampMs,
        channel: &str,
        seq: u64,
        end: impl FnOnce(&mut Draft<'_>, Entry),
    ) -> Transaction {
        let mut draft = Draft::new(self, now);
        if let Some(entry) = self
            .outbox()
            .get(channel, seq)
            .filter(|entry| entry.progress.state == EntryState::Sending)
        {
            end(&mut draft, entry.clone());
        }
        draft.finish()
    }
}

/// Schedules the next attempt. Giving up is decided here only, after an attempt: what lay in the outbox of a
/// machine that was off for days still gets its chance.
fn retry(draft: &mut Draft<'_>, mut entry: Entry, error: &str, retry_after_ms: Option<i64>) {
    let policy = &draft.options().delivery;
    let error = cut(error.to_owned(), LONGEST_ERROR_BYTES);
    entry.progress.last_error = Some(error.clone());
    if draft.now.since(entry.queued_at) >= policy.give_up_after_ms {
        let channel = entry.progress.channel.clone();
        return draft.give_up(&channel, vec![entry], &error);
    }
    let wait = wait_ms(
        policy,
        &entry.idempotency_key(),
        entry.progress.attempts,
        retry_after_ms,
    );
    draft.advance(Progress {
        // Once it may have arrived, no later failure makes that untrue.
        state: if entry.progress.maybe_arrived {
            EntryState::Unknown
        } else {
            EntryState::Queued
        },
        scheduled_at: draft.now,
        next_attempt_at: draft.now.saturating_add(wait),
        ..entry.progress
    });
}

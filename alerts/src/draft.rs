//! A transaction in the making: numbers its events, routes them into the outbox, keeps the limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Labels, TimestampMs, format_duration_ms};

use crate::fingerprint::channel_fingerprint;
use crate::outbox::{Entry, EntryState, Progress};
use crate::transaction::{Change, Transaction};
use crate::{AlertStore, Event, EventKind, Options};

/// Collects changes against a state that stands still.
pub(crate) struct Draft<'a> {
    pub(crate) store: &'a AlertStore,
    pub(crate) now: TimestampMs,
    changes: Vec<Change>,
    next_seq: u64,
    /// Entries added to each channel.
    added: BTreeMap<&'a str, usize>,
    finished: usize,
}

/// An event without its number, time and route.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) kind: EventKind,
    pub(crate) group: String,
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) labels: Labels,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) value: f64,
    pub(crate) evidence: String,
    pub(crate) since: TimestampMs,
    pub(crate) fingerprint: String,
}

/// Who may get an event, the routes willing.
#[derive(Clone, Copy)]
enum Audience<'c> {
    All,
    AllBut(&'c str),
    LogOnly,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(store: &'a AlertStore, now: TimestampMs) -> Self {
        Self {
            store,
            now,
            changes: Vec::new(),
            next_seq: store.last_seq() + 1,
            added: BTreeMap::new(),
            finished: 0,
        }
    }

    pub(crate) fn options(&self) -> &'a Options {
        self.store.options()
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Appends an event to the log and to the outbox of each channel that a route leads to.
    pub(crate) fn emit(&mut self, new: NewEvent) {
        self.emit_to(new, Audience::All);
    }

    fn emit_to(&mut self, new: NewEvent, audience: Audience<'_>) {
        let NewEvent {
            kind,
            group,
            rule,
            severity,
            labels,
            annotations,
            value,
            evidence,
            since,
            fingerprint,
        } = new;
        let (seq, ts) = (self.next_seq, self.now);
        self.next_seq += 1;
        let value = if value.is_nan() { f64::NAN } else { value };
        let event = Arc::new(Event {
            seq,
            ts,
            kind,
            rule,
            group,
            severity,
            labels,
            annotations,
            value,
            evidence,
            since,
            fingerprint,
        });
        self.changes.push(Change::Event(Arc::clone(&event)));
        let mut reached: Vec<&str> = Vec::new();
        for route in &self.options().routes {
            let channel = route.channel.as_str();
            let excluded = match audience {
                Audience::All => false,
                Audience::AllBut(failed) => failed == channel,
                Audience::LogOnly => true,
            };
            if excluded || reached.contains(&channel) || !route.takes(&event) {
                continue;
            }
            reached.push(channel);
            *self.added.entry(channel).or_default() += 1;
            self.changes.push(Change::Queued {
                channel: channel.to_owned(),
                seq,
            });
        }
    }

    /// Records how far a delivery got.
    pub(crate) fn advance(&mut self, progress: Progress) {
        self.finished += usize::from(progress.state.is_finished());
        self.changes.push(Change::Delivery(progress));
    }

    /// Gives entries of one channel up, and says so in one event: to every other channel, and never about the
    /// failed delivery of such an event, so that two dead channels do not report each other for ever.
    pub(crate) fn give_up(&mut self, channel: &str, entries: Vec<Entry>, reason: &str) {
        let Some(first) = entries.first() else { return };
        let Event {
            group, rule, labels, ..
        } = first.event.as_ref();
        let one = entries.len() == 1;
        let maybe = if entries.iter().any(|entry| entry.progress.maybe_arrived) {
            "; some of it may have arrived"
        } else {
            ""
        };
        let evidence = if one {
            let lasted = format_duration_ms(self.now.since(first.queued_at).max(0));
            format!(
                "channel {channel:?} did not get event {} ({} of {rule:?}) after {} attempts in {lasted}: {reason}{maybe}",
                first.event.seq, first.event.kind, first.progress.attempts
            )
        } else {
            format!(
                "channel {channel:?} did not get {} events: {reason}{maybe}",
                entries.len()
            )
        };
        // "P0" sorts before "P3": the event is as severe as the worst that was lost.
        let severities = entries.iter().map(|entry| entry.event.severity.as_str());
        let severity = severities
            .filter(|severity| !severity.is_empty())
            .min()
            .unwrap_or("")
            .to_owned();
        let about_delivery = entries
            .iter()
            .all(|entry| entry.event.kind == EventKind::DeliveryFailed);
        let new = NewEvent {
            kind: EventKind::DeliveryFailed,
            group: if one { group.clone() } else { String::new() },
            rule: if one { rule.clone() } else { String::new() },
            severity,
            labels: if one { labels.clone() } else { Labels::empty() },
            annotations: BTreeMap::new(),
            value: if one {
                f64::from(first.progress.attempts)
            } else {
                entries.len() as f64
            },
            evidence,
            since: entries
                .iter()
                .map(|entry| entry.queued_at)
                .min()
                .unwrap_or(self.now),
            fingerprint: channel_fingerprint(channel),
        };
        for Entry { mut progress, .. } in entries {
            progress.state = EntryState::Dead;
            progress.last_error.get_or_insert_with(|| reason.to_owned());
            self.advance(progress);
        }
        self.emit_to(
            new,
            if about_delivery {
                Audience::LogOnly
            } else {
                Audience::AllBut(channel)
            },
        );
    }

    /// The transaction, the limits kept; empty when nothing was changed.
    pub(crate) fn finish(self) -> Transaction {
        if self.changes.is_empty() {
            return Transaction {
                number: self.store.applied() + 1,
                changes: Vec::new(),
            };
        }
        self.finish_with_limits()
    }

    /// Like [`Draft::finish`], but time alone is reason enough to drop what is too old.
    pub(crate) fn finish_with_limits(mut self) -> Transaction {
        self.bound_queues();
        self.bound_log();
        let limit = self.options().limits.finished_deliveries;
        let count = (self.store.outbox().finished().len() + self.finished).saturating_sub(limit);
        if count > 0 {
            self.changes.push(Change::FinishedDropped { count });
        }
        Transaction {
            number: self.store.applied() + 1,
            changes: self.changes,
        }
    }

    /// A channel that does not deliver loses its oldest entries, those in flight excepted.
    fn bound_queues(&mut self) {
        let limit = self.options().limits.waiting_per_channel;
        for (channel, added) in self.added.clone() {
            let surplus = (self.store.outbox().waiting_len(channel) + added).saturating_sub(limit);
            let idle = self
                .store
                .outbox()
                .waiting(channel)
                .filter(|entry| entry.progress.state != EntryState::Sending);
            let lost: Vec<Entry> = idle.take(surplus).cloned().collect();
            self.give_up(
                channel,
                lost,
                &format!("more than {limit} events wait for this channel"),
            );
        }
    }

    fn bound_log(&mut self) {
        let limits = &self.options().limits;
        let log = self.store.log();
        let oldest_kept = self.now.saturating_add(-limits.events_kept_ms);
        let too_old = log.iter().take_while(|event| event.ts < oldest_kept).count() as u64;
        let by_count = self.next_seq.saturating_sub(limits.events.max(1) as u64);
        let first_seq = by_count.max(log.first_seq() + too_old);
        if first_seq > log.first_seq() {
            self.changes.push(Change::EventsDropped { first_seq });
        }
    }
}

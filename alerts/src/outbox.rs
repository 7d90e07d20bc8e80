//! What still has to reach a channel, and what became of the rest.
//!
//! One entry for each event and channel, in the order of the events. Entries of one alert (one fingerprint) form
//! a lane: only the oldest undelivered one of a lane may be sent, so a resolution never overtakes its firing;
//! different lanes do not wait for each other.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use barograph_model::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::Event;
use crate::fingerprint::Fingerprint;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Waits for its first attempt, or for the next after a failure.
    Queued,
    /// Handed to the channel; no answer yet.
    Sending,
    /// Arrived.
    Sent,
    /// May have arrived: the answer to a request is missing. Tried again with the same idempotency key.
    Unknown,
    /// Given up.
    Dead,
}

impl EntryState {
    /// The name in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
        }
    }

    /// Sent or dead: nothing more will happen.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Sent | Self::Dead)
    }
}

/// One event on its way to one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What is delivered; kept here when the log has dropped it.
    #[serde(with = "crate::event::shared")]
    pub event: Arc<Event>,
    /// When the event was routed here.
    pub queued_at: TimestampMs,
    /// How far it got.
    pub progress: Progress,
}

/// How far a delivery got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The channel's configured name.
    pub channel: String,
    /// The event's number.
    pub seq: u64,
    /// Where the delivery stands.
    pub state: EntryState,
    /// Attempts begun.
    pub attempts: u32,
    /// When `next_attempt_at` was decided: a clock that stands before it was set back, and waits no longer.
    pub scheduled_at: TimestampMs,
    /// Not tried again before.
    pub next_attempt_at: TimestampMs,
    /// Whether an attempt ended without an answer, so that the event may have arrived whatever followed.
    #[serde(default)]
    pub maybe_arrived: bool,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl Entry {
    pub(crate) fn new(channel: &str, event: Arc<Event>) -> Self {
        let progress = Progress {
            channel: channel.to_owned(),
            seq: event.seq,
            state: EntryState::Queued,
            attempts: 0,
            scheduled_at: event.ts,
            next_attempt_at: event.ts,
            maybe_arrived: false,
            last_error: None,
        };
        Self {
            queued_at: event.ts,
            event,
            progress,
        }
    }

    /// The same for every attempt, over restarts; different for every other event and channel, also of a store
    /// that was started anew. 32 hexadecimal digits.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let Event {
            seq,
            ts,
            kind,
            fingerprint,
            ..
        } = self.event.as_ref();
        Fingerprint::new("delivery")
            .text(&self.progress.channel)
            .int(*seq)
            .int(ts.0.cast_unsigned())
            .text(kind.as_str())
            .text(fingerprint)
            .to_hex()
    }

    fn is_due(&self, now: TimestampMs) -> bool {
        let Progress {
            state,
            scheduled_at,
            next_attempt_at,
            ..
        } = self.progress;
        state != EntryState::Sending && (now >= next_attempt_at || now < scheduled_at)
    }
}

/// All entries: the unfinished by channel and event, the finished in the order they finished.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outbox {
    waiting: BTreeMap<String, BTreeMap<u64, Entry>>,
    finished: VecDeque<Entry>,
    pub(crate) sent_total: u64,
    pub(crate) dead_total: u64,
}

impl Outbox {
    pub(crate) fn get(&self, channel: &str, seq: u64) -> Option<&Entry> {
        self.waiting.get(channel)?.get(&seq)
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = &str> {
        self.waiting.keys().map(String::as_str)
    }

    /// Unfinished entries of a channel in the order of their events.
    pub(crate) fn waiting(&self, channel: &str) -> impl Iterator<Item = &Entry> {
        self.waiting.get(channel).into_iter().flat_map(BTreeMap::values)
    }

    pub(crate) fn waiting_len(&self, channel: &str) -> usize {
        self.waiting.get(channel).map_or(0, BTreeMap::len)
    }

    pub(crate) fn all_waiting(&self) -> impl Iterator<Item = &Entry> {
        self.waiting.values().flat_map(BTreeMap::values)
    }

    pub(crate) fn finished(&self) -> &VecDeque<Entry> {
        &self.finished
    }

    /// The oldest entry of each lane, those in flight included. O(entries of the channel).
    fn heads(&self, channel: &str) -> impl Iterator<Item = &Entry> {
        let mut seen = HashSet::new();
        self.waiting(channel)
            .filter(move |entry| seen.insert(entry.event.fingerprint.as_str()))
    }

    /// What may be sent now, oldest event first.
    pub(crate) fn due(&self, channel: &str, now: TimestampMs) -> impl Iterator<Item = &Entry> {
        self.heads(channel).filter(move |entry| entry.is_due(now))
    }

    /// When the next entry of a channel becomes due; `None` while nothing waits but for an answer.
    pub(crate) fn next_due_at(&self, channel: &str) -> Option<TimestampMs> {
        let heads = self
            .heads(channel)
            .filter(|entry| entry.progress.state != EntryState::Sending);
        heads.map(|entry| entry.progress.next_attempt_at).min()
    }

    pub(crate) fn queue(&mut self, entry: Entry) {
        let Progress { channel, seq, .. } = &entry.progress;
        self.waiting
            .entry(channel.clone())
            .or_default()
            .insert(*seq, entry);
    }

    /// Sets how far an entry got. One that does not wait is not looked for: the caller has checked.
    pub(crate) fn advance(&mut self, progress: &Progress) {
        let Progress {
            channel, seq, state, ..
        } = progress;
        let Some(entries) = self.waiting.get_mut(channel) else {
            return;
        };
        if let Some(entry) = entries.get_mut(seq) {
            entry.progress = progress.clone();
        }
        if !state.is_finished() {
            return;
        }
        self.finished.extend(entries.remove(seq));
        if entries.is_empty() {
            self.waiting.remove(channel);
        }
        if *state == EntryState::Sent {
            self.sent_total += 1;
        } else {
            self.dead_total += 1;
        }
    }

    pub(crate) fn drop_finished(&mut self, count: usize) {
        self.finished.drain(..count.min(self.finished.len()));
    }

    /// Puts back what a checkpoint held.
    pub(crate) fn restore(
        waiting: Vec<Entry>,
        finished: Vec<Entry>,
        sent_total: u64,
        dead_total: u64,
    ) -> Self {
        let mut outbox = Self {
            finished: finished.into(),
            sent_total,
            dead_total,
            ..Self::default()
        };
        waiting.into_iter().for_each(|entry| outbox.queue(entry));
        outbox
    }
}

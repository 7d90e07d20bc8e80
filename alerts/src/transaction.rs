//! The unit of durability: everything that one step changes in state, events and outbox.
//!
//! Changes carry what is, not what to do: the whole alert, the whole entry, the sequence number. Applying them
//! needs no configuration and no clock, so a journal written under other limits or routes replays to the same
//! state. The number counts transactions from 1: planning two on one state and applying both is an error, and so
//! is leaving one out; recovery passes over those that the checkpoint holds already.

use std::sync::Arc;

use barograph_model::Labels;
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, RuleKey, RuleStatus};
use crate::outbox::Progress;
use crate::{Event, StoreError};

/// What one step changes. Write it to the journal, then apply it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use = "a transaction has no effect until it is applied"]
pub struct Transaction {
    pub(crate) number: u64,
    pub(crate) changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// Sets a rule's status and some of its alerts.
    Rule(RuleChange),
    /// Forgets a rule without alerts.
    RuleForgotten(RuleKey),
    /// Appends to the log.
    Event(#[serde(with = "crate::event::shared")] Arc<Event>),
    /// Drops the events before this number from the log.
    EventsDropped { first_seq: u64 },
    /// Puts an event of this transaction into a channel's queue, at the event's time.
    Queued { channel: String, seq: u64 },
    /// Sets how far a delivery got; a sent or dead one moves to the finished.
    Delivery(Progress),
    /// Forgets the oldest finished entries.
    FinishedDropped { count: usize },
}

/// Changes of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleChange {
    pub(crate) key: RuleKey,
    pub(crate) status: RuleStatus,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) set: Vec<(Labels, Alert)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) forgotten: Vec<Labels>,
}

impl Transaction {
    /// Whether it changes nothing; such a one need not be written, and may be applied or not.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The events it appends, in order.
    pub fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.changes.iter().filter_map(|change| match change {
            Change::Event(event) => Some(event),
            _ => None,
        })
    }

    /// Its record in the journal: one line of JSON without the line end.
    #[must_use]
    pub fn to_record(&self) -> Vec<u8> {
        serde_json::to_vec(self)
            .expect("map keys are texts and numbers finite, so JSON can always be written")
    }

    /// The reverse of [`Transaction::to_record`].
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn from_record(record: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(record).map_err(|source| StoreError::Unreadable {
            what: "transaction",
            bytes: record.len(),
            source,
        })
    }
}

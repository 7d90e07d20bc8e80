//! The log of events: dense numbers, a first one that moves, and an explicit gap for who comes too late.

use std::collections::VecDeque;
use std::collections::vec_deque;
use std::sync::Arc;

use crate::Event;

/// Events `first_seq ..= last_seq`, without holes. Empty when `first_seq == last_seq + 1`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventLog {
    first_seq: u64,
    events: VecDeque<Arc<Event>>,
}

/// What a reader at a cursor gets.
#[derive(Debug, Clone)]
pub struct EventsAfter<'a> {
    /// What the reader missed, where that is so. The events begin after it.
    pub gap: Option<Gap>,
    /// The events after the cursor (or after the gap), oldest first. Cheap to cut short with `take`.
    pub events: vec_deque::Iter<'a, Arc<Event>>,
}

/// Why a reader cannot simply go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// These events have left the log; both ends are among them.
    Dropped {
        /// The first missing number.
        first: u64,
        /// The last missing number.
        last: u64,
    },
    /// The cursor is ahead of the log: it comes from another store, or this one was started anew. The events
    /// begin with the first there is.
    Ahead {
        /// What was asked for.
        cursor: u64,
        /// The last number there is.
        last_seq: u64,
    },
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            first_seq: 1,
            events: VecDeque::new(),
        }
    }
}

impl EventLog {
    pub(crate) fn first_seq(&self) -> u64 {
        self.first_seq
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.first_seq + self.events.len() as u64 - 1
    }

    pub(crate) fn iter(&self) -> vec_deque::Iter<'_, Arc<Event>> {
        self.events.iter()
    }

    pub(crate) fn get(&self, seq: u64) -> Option<&Arc<Event>> {
        self.events
            .get(usize::try_from(seq.checked_sub(self.first_seq)?).ok()?)
    }

    /// The caller has checked that the number is the next one.
    pub(crate) fn push(&mut self, event: Arc<Event>) {
        self.events.push_back(event);
    }

    /// Drops what comes before; a number beyond the end empties the log and keeps the count.
    pub(crate) fn drop_before(&mut self, first_seq: u64) {
        while self.first_seq < first_seq && self.events.pop_front().is_some() {
            self.first_seq += 1;
        }
    }

    /// A log that begins at a number, for recovery.
    pub(crate) fn starting_at(first_seq: u64) -> Self {
        Self {
            first_seq,
            events: VecDeque::new(),
        }
    }

    /// Everything after the cursor; 0 asks for all. O(1).
    pub(crate) fn after(&self, cursor: u64) -> EventsAfter<'_> {
        let last_seq = self.last_seq();
        if cursor > last_seq {
            return EventsAfter {
                gap: Some(Gap::Ahead { cursor, last_seq }),
                events: self.events.iter(),
            };
        }
        if cursor + 1 < self.first_seq {
            let gap = Gap::Dropped {
                first: cursor + 1,
                last: self.first_seq - 1,
            };
            return EventsAfter {
                gap: Some(gap),
                events: self.events.iter(),
            };
        }
        let skip = (cursor + 1 - self.first_seq) as usize;
        EventsAfter {
            gap: None,
            events: self.events.range(skip..),
        }
    }
}

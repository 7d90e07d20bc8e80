//! What the caller decides: limits, delivery, and which channel gets which event. Never stored with the state.

use crate::{Event, EventFilter};

/// Everything configurable about a store.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What may be held.
    pub limits: Limits,
    /// When deliveries are tried again and given up.
    pub delivery: DeliveryPolicy,
    /// Which channels get which events. An event goes to a channel once, however many routes lead there.
    pub routes: Vec<Route>,
}

/// Upper bounds of what is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Pending and firing alerts of one rule; a group's `limit` may lower it. Default 10,000.
    pub active_per_rule: usize,
    /// Resolved alerts of one rule that stay visible. Default 1,000.
    pub resolved_per_rule: usize,
    /// How long a resolved alert stays visible, in milliseconds. Default 24 h.
    pub resolved_kept_ms: i64,
    /// Events in the log. Default 20,000.
    pub events: usize,
    /// How long an event stays in the log, in milliseconds. Default 30 days.
    pub events_kept_ms: i64,
    /// Undelivered events of one channel; beyond it the oldest are given up. Default 10,000.
    pub waiting_per_channel: usize,
    /// Sent and dead deliveries that stay visible. Default 1,000.
    pub finished_deliveries: usize,
    /// Failed evaluations in a row before [`crate::EventKind::RuleFailing`]. A rule that is evaluated every five
    /// minutes or less often says so at its first failure. Default 3.
    pub failures_before_event: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            active_per_rule: 10_000,
            resolved_per_rule: 1_000,
            resolved_kept_ms: 86_400_000,
            events: 20_000,
            events_kept_ms: 30 * 86_400_000,
            waiting_per_channel: 10_000,
            finished_deliveries: 1_000,
            failures_before_event: 3,
        }
    }
}

/// When deliveries are tried again and given up. All in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryPolicy {
    /// The wait after the first failure; it doubles with each further one. Default 1 s.
    pub first_retry_ms: i64,
    /// The longest wait, also when a receiver asks for more. Default 5 min.
    pub longest_retry_ms: i64,
    /// An attempt that fails this long after the event was queued is the last. Default 24 h.
    pub give_up_after_ms: i64,
}

impl Default for DeliveryPolicy {
    fn default() -> Self {
        Self {
            first_retry_ms: 1_000,
            longest_retry_ms: 300_000,
            give_up_after_ms: 86_400_000,
        }
    }
}

/// One channel and the events it gets.
#[derive(Debug, Clone)]
pub struct Route {
    /// The channel's configured name.
    pub channel: String,
    /// What it gets. Without a condition on `kind`, pending and cancelled alerts stay out.
    pub filter: EventFilter,
}

impl Route {
    /// Whether the channel gets this event.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        (self.filter.names_kind() || event.kind.is_notified()) && self.filter.matches(event)
    }
}

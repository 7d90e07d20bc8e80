//! Where a notification goes. One channel a file.
//!
//! Invariants:
//! - a channel makes one attempt and says what became of it; when to try again is not its business;
//! - an attempt whose outcome cannot be known is [`Sent::Unknown`], never taken for a success or a failure;
//! - what a receiver answers is capped before it is read.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use barograph_alerts::Event;

mod log;
mod payload;
#[cfg(test)]
pub(crate) mod test_receiver;
mod tls;
mod webhook;

pub use log::LogChannel;
pub use payload::Payload;
pub use tls::install_crypto_provider;
pub use webhook::{WebhookChannel, WebhookError, WebhookOptions};

/// One event on its way to one receiver.
#[derive(Debug, Clone, Copy)]
pub struct Notification<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The same for every attempt at this event and channel, and for no other: a receiver that remembers keys
    /// drops repeats.
    pub idempotency_key: &'a str,
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The receiver has it.
    Delivered,
    /// The receiver does not have it, and may take it later.
    Failed {
        /// What went wrong, for people.
        reason: String,
        /// How long the receiver asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The receiver will never take it; repeating changes nothing.
    Refused {
        /// What it said, for people.
        reason: String,
    },
    /// It was sent, and what became of it cannot be known.
    Unknown {
        /// What went wrong, for people.
        reason: String,
    },
}

/// A way to reach a receiver.
#[async_trait]
pub trait Channel: Debug + Send + Sync {
    /// The configured name; routes and outbox entries call it so.
    fn name(&self) -> &str;

    /// Makes one attempt, bounded in time. Dropping the future abandons the attempt, whose outcome is then
    /// unknown.
    async fn send(&self, notification: Notification<'_>) -> Sent;
}

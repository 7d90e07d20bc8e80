//! A line in the program's own log for each notification: the channel that needs no receiver.

use async_trait::async_trait;

use super::{Channel, Notification, Payload, Sent};

/// Writes at level `info` with target `barograph::notification`.
#[derive(Debug)]
pub struct LogChannel {
    name: String,
}

impl LogChannel {
    /// A channel of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
        }
    }
}

#[async_trait]
impl Channel for LogChannel {
    fn name(&self) -> &str {
        &self.name
    }

    /// Always delivered: the log has no way to refuse.
    async fn send(&self, notification: Notification<'_>) -> Sent {
        let event = notification.event;
        tracing::info!(
            target: "barograph::notification",
            channel = %self.name,
            key = notification.idempotency_key,
            seq = event.seq,
            kind = %event.kind,
            status = Payload::status(event.kind).as_str(),
            severity = %event.severity,
            group = %event.group,
            rule = %event.rule,
            labels = %event.labels,
            value = event.value,
            evidence = %event.evidence,
            "alert"
        );
        Sent::Delivered
    }
}

//! The worker that empties the outbox: takes what is due, sends it, records what became of it.
//!
//! Invariants:
//! - that a delivery is being sent is durable before its first byte goes out, so that a crash leaves "unknown"
//!   and never "not tried";
//! - an outcome is recorded before the next delivery of the same alert is taken, so that a resolution never
//!   overtakes its firing (the store hands out only the oldest of an alert);
//! - a channel has at most `concurrency` attempts under way, and waits for no other channel;
//! - at most one worker runs for a hub.

use std::sync::Arc;
use std::time::Duration;

use barograph_alerts::{AlertStore, Delivery};
use barograph_engine::EngineError;
use barograph_model::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{AlertHub, HubError};
use crate::channels::{Channel, Notification, Sent};

/// The wall clock is looked at no less often than this, since it may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How the worker behaves.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// Attempts under way at once, for each channel. Default 8.
    pub concurrency: usize,
    /// How long attempts under way may take after the stop. Default 5 s.
    pub grace: Duration,
    /// The wait after the journal refused a change. Default 1 s.
    pub journal_retry: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            concurrency: 8,
            grace: Duration::from_secs(5),
            journal_retry: Duration::from_secs(1),
        }
    }
}

/// What every part of the worker needs.
#[derive(Debug)]
struct Worker {
    hub: Arc<AlertHub>,
    clock: Arc<dyn Clock>,
    options: DeliveryOptions,
    stop: CancellationToken,
}

/// Delivers until told to stop, then gives attempts under way `grace` to end. What has not ended by then is
/// found as "being sent" at the next start, and becomes unknown.
pub async fn deliver(
    hub: Arc<AlertHub>,
    clock: Arc<dyn Clock>,
    channels: Vec<Arc<dyn Channel>>,
    options: DeliveryOptions,
    stop: CancellationToken,
) {
    let worker = Arc::new(Worker {
        hub,
        clock,
        options,
        stop,
    });
    let now = worker.clock.now();
    worker
        .record("what was being sent when the program ended", move |store| {
            store.plan_restart(now)
        })
        .await;
    worker
        .record("channels that are gone", move |store| {
            store.plan_removed_channels(now)
        })
        .await;
    let mut tasks = JoinSet::new();
    for channel in channels {
        tasks.spawn(Arc::clone(&worker).serve(channel));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a channel's worker ended before its time; its deliveries wait for a restart");
        }
    }
}

impl Worker {
    /// One channel's loop.
    async fn serve(self: Arc<Self>, channel: Arc<dyn Channel>) {
        let mut changed = self.hub.watch();
        let mut attempts = JoinSet::new();
        while !self.stop.is_cancelled() {
            // Marked as seen before looking, so that what comes after the look wakes this loop.
            changed.borrow_and_update();
            let mut wait = LONGEST_SLEEP;
            let free = self.options.concurrency.max(1) - attempts.len().min(self.options.concurrency.max(1));
            if free > 0 {
                match self.take(channel.name(), free).await {
                    Ok(deliveries) => {
                        for delivery in deliveries {
                            attempts.spawn(Arc::clone(&self).attempt(Arc::clone(&channel), delivery));
                        }
                        wait = self.until_next(channel.name());
                    }
                    Err(error) => {
                        tracing::warn!(channel = channel.name(), %error, "deliveries wait: the outbox cannot be written");
                        wait = self.options.journal_retry;
                    }
                }
            }
            let has_free = attempts.len() < self.options.concurrency.max(1);
            tokio::select! {
                () = self.stop.cancelled() => {}
                ended = attempts.join_next(), if !attempts.is_empty() => log_panic(channel.name(), ended),
                _ = changed.changed(), if has_free => {}
                () = tokio::time::sleep(wait), if has_free => {}
            }
        }
        let ends = async {
            while let Some(ended) = attempts.join_next().await {
                log_panic(channel.name(), Some(ended))
            }
        };
        if tokio::time::timeout(self.options.grace, ends).await.is_err() {
            tracing::warn!(
                channel = channel.name(),
                attempts = attempts.len(),
                "stopped while notifications were being sent; whether they arrived is unknown"
            );
        }
    }

    /// Takes deliveries that are due; on return they are durably "being sent".
    async fn take(&self, channel: &str, max: usize) -> Result<Vec<Delivery>, HubError> {
        let (now, channel) = (self.clock.now(), channel.to_owned());
        self.hub
            .commit_with(move |store| store.plan_delivery(now, &channel, max))
            .await
    }

    /// How long nothing becomes due by itself.
    fn until_next(&self, channel: &str) -> Duration {
        let next = self.hub.read(|store| store.next_delivery_at(channel));
        let wait_ms = next.map_or(i64::MAX, |next| next.since(self.clock.now()));
        Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)).min(LONGEST_SLEEP)
    }

    async fn attempt(self: Arc<Self>, channel: Arc<dyn Channel>, delivery: Delivery) {
        let Delivery {
            channel: name,
            event,
            attempt,
            idempotency_key,
        } = delivery;
        let sent = channel
            .send(Notification {
                event: &event,
                idempotency_key: &idempotency_key,
            })
            .await;
        let seq = event.seq;
        if sent == Sent::Delivered {
            tracing::debug!(channel = %name, seq, attempt, "delivered");
        } else {
            tracing::warn!(channel = %name, seq, attempt, outcome = ?sent, "not delivered");
        }
        let now = self.clock.now();
        self.record("the outcome of a delivery", move |store| match &sent {
            Sent::Delivered => store.plan_sent(now, &name, seq),
            Sent::Failed { reason, retry_after } => {
                let after_ms = retry_after.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
                store.plan_failed(now, &name, seq, reason, after_ms)
            }
            Sent::Refused { reason } => store.plan_refused(now, &name, seq, reason),
            Sent::Unknown { reason } => store.plan_unknown(now, &name, seq, reason),
        })
        .await;
    }

    /// Commits, again and again while the disk refuses: until then the delivery stays "being sent", and nothing
    /// that follows it is taken. Gives up when the journal is beyond mending or the program stops, since the
    /// next start then finds it so and calls it unknown.
    async fn record(
        &self,
        what: &str,
        plan: impl Fn(&AlertStore) -> barograph_alerts::Transaction + Clone + Send + 'static,
    ) {
        loop {
            match self.hub.commit(plan.clone()).await {
                Ok(()) => return,
                Err(error @ HubError::Journal(EngineError::Unwritable { .. } | EngineError::Io { .. })) => {
                    tracing::warn!(%error, "cannot record {what} yet");
                }
                Err(error) => {
                    tracing::error!(%error, "cannot record {what}");
                    return;
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(self.options.journal_retry) => {}
            }
        }
    }
}

fn log_panic(channel: &str, ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(error)) = ended {
        tracing::error!(channel, %error, "an attempt at a delivery ended before its time; it is unknown after a restart");
    }
}

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use barograph_alerts::{DeliveryPolicy, Entry, EntryState, EventKind, Options};
use barograph_model::{ManualClock, SystemClock, TimestampMs};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::*;
use crate::alerting::test_hub::{TestHub, routed_to};
use crate::channels::test_receiver::{Receiver, Script};
use crate::channels::{WebhookChannel, WebhookOptions};

/// Retries at once, so that a test waits for the receiver and not for time.
fn eager(channels: &[&str]) -> Options {
    let delivery = DeliveryPolicy {
        first_retry_ms: 1,
        longest_retry_ms: 1,
        give_up_after_ms: i64::MAX,
    };
    Options {
        delivery,
        ..routed_to(channels)
    }
}

fn webhook(name: &str, url: &str) -> Arc<dyn Channel> {
    let options = WebhookOptions {
        url: url.to_owned(),
        timeout: Duration::from_millis(500),
        headers: BTreeMap::new(),
        external_url: String::new(),
    };
    Arc::new(WebhookChannel::new(name, options, Arc::new(SystemClock::new())).unwrap())
}

/// The worker in a task, and how to stop it.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(hub: &Arc<AlertHub>, channels: Vec<Arc<dyn Channel>>, options: DeliveryOptions) -> Self {
        let stop = CancellationToken::new();
        let worker = deliver(
            Arc::clone(hub),
            Arc::new(SystemClock::new()),
            channels,
            options,
            stop.clone(),
        );
        Self {
            stop,
            task: tokio::spawn(worker),
        }
    }

    /// Attempts under way end and are recorded before this returns.
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn entries(hub: &AlertHub) -> Vec<Entry> {
    hub.read(|store| store.deliveries().cloned().collect())
}

fn states(hub: &AlertHub) -> Vec<EntryState> {
    entries(hub).iter().map(|entry| entry.progress.state).collect()
}

#[tokio::test]
async fn what_fails_is_repeated_with_the_same_key_until_it_arrives() {
    let script = [
        Script::Answer(503, "", "busy"),
        Script::Cut,
        Script::Hang,
        Script::Answer(429, "", ""),
    ];
    let mut receiver = Receiver::start(script).await;
    let test = TestHub::new(eager(&["hook"]));
    let running = Running::start(
        &test.hub,
        vec![webhook("hook", &receiver.url)],
        DeliveryOptions::default(),
    );
    test.evaluate(1, &["a"]).unwrap();
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(receiver.next().await.headers["idempotency-key"].clone());
    }
    running.stop().await;
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let entries = entries(&test.hub);
    assert_eq!(
        (
            entries.len(),
            entries[0].progress.state,
            entries[0].progress.attempts
        ),
        (1, EntryState::Sent, 5)
    );
    assert!(entries[0].progress.maybe_arrived, "the connection was cut once");
    assert!(
        receiver.requests.try_recv().is_err(),
        "nothing is sent after it arrived"
    );
}

#[tokio::test]
async fn a_resolution_never_overtakes_its_firing() {
    let mut receiver = Receiver::start([Script::Answer(500, "", ""), Script::Answer(500, "", "")]).await;
    let test = TestHub::new(eager(&["hook"]));
    test.evaluate(1, &["a"]).unwrap();
    test.evaluate(2, &[]).unwrap();
    test.evaluate(3, &["a"]).unwrap();
    let running = Running::start(
        &test.hub,
        vec![webhook("hook", &receiver.url)],
        DeliveryOptions::default(),
    );
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(receiver.next().await.body["status"].as_str().unwrap().to_owned());
    }
    running.stop().await;
    assert_eq!(statuses, ["firing", "firing", "firing", "resolved", "firing"]);
    assert_eq!(states(&test.hub), [EntryState::Sent; 3]);
}

#[tokio::test]
async fn what_is_refused_is_given_up_and_said() {
    let mut receiver = Receiver::start([Script::Answer(400, "", "no such thing")]).await;
    let test = TestHub::new(eager(&["hook"]));
    let mut watch = test.hub.watch();
    let running = Running::start(
        &test.hub,
        vec![webhook("hook", &receiver.url)],
        DeliveryOptions::default(),
    );
    let before = test.evaluate(1, &["a"]).unwrap();
    receiver.next().await;
    watch.wait_for(|seq| *seq > before).await.unwrap();
    running.stop().await;
    let dead = entries(&test.hub)
        .into_iter()
        .find(|entry| entry.progress.state == EntryState::Dead)
        .unwrap();
    assert!(dead.progress.last_error.unwrap().contains("no such thing"));
    let events = test
        .hub
        .read(|store| store.events_after(before).events.cloned().collect::<Vec<_>>());
    assert_eq!(events[0].kind, EventKind::DeliveryFailed);
}

/// A channel that tells when an attempt begins, and ends it when told.
#[derive(Debug)]
struct Held {
    name: &'static str,
    begun: mpsc::UnboundedSender<String>,
    release: Notify,
    under_way: Mutex<(usize, usize)>,
}

impl Held {
    fn new(name: &'static str) -> (Arc<Self>, mpsc::UnboundedReceiver<String>) {
        let (begun, receiver) = mpsc::unbounded_channel();
        (
            Arc::new(Self {
                name,
                begun,
                release: Notify::new(),
                under_way: Mutex::default(),
            }),
            receiver,
        )
    }
}

#[async_trait]
impl Channel for Held {
    fn name(&self) -> &str {
        self.name
    }

    async fn send(&self, notification: Notification<'_>) -> Sent {
        {
            let mut under_way = self.under_way.lock().unwrap();
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
        }
        self.begun.send(notification.idempotency_key.to_owned()).unwrap();
        self.release.notified().await;
        self.under_way.lock().unwrap().0 -= 1;
        Sent::Delivered
    }
}

#[tokio::test]
async fn attempts_under_way_are_bounded_and_channels_do_not_wait_for_each_other() {
    let mut receiver = Receiver::start([]).await;
    let (held, mut begun) = Held::new("slow");
    let test = TestHub::new(eager(&["slow", "hook"]));
    let hosts: Vec<String> = (0..10).map(|i| format!("h{i}")).collect();
    test.evaluate(1, &hosts.iter().map(String::as_str).collect::<Vec<_>>())
        .unwrap();
    let options = DeliveryOptions {
        concurrency: 3,
        ..DeliveryOptions::default()
    };
    let channels: Vec<Arc<dyn Channel>> = vec![Arc::clone(&held) as _, webhook("hook", &receiver.url)];
    let running = Running::start(&test.hub, channels, options);
    // The other channel gets all ten while this one holds every attempt it has begun.
    for _ in 0..10 {
        receiver.next().await;
    }
    for _ in 0..10 {
        begun.recv().await.unwrap();
        held.release.notify_one();
    }
    running.stop().await;
    assert!(held.under_way.lock().unwrap().1 <= 3);
    assert_eq!(states(&test.hub), [EntryState::Sent; 20]);
}

#[tokio::test]
async fn what_was_being_sent_at_a_crash_is_unknown_and_sent_again() {
    let (held, mut begun) = Held::new("hook");
    let test = TestHub::new(eager(&["hook"]));
    test.evaluate(1, &["a"]).unwrap();
    let running = Running::start(&test.hub, vec![held], DeliveryOptions::default());
    let key = begun.recv().await.unwrap();
    assert_eq!(states(&test.hub), [EntryState::Sending]);
    running.task.abort();
    let _ = running.task.await;
    let vfs = test.vfs.clone();
    drop(test);
    vfs.restart();

    let test = TestHub::open(vfs, eager(&["hook"])).unwrap();
    assert_eq!(states(&test.hub), [EntryState::Sending]);
    let mut receiver = Receiver::start([]).await;
    let running = Running::start(
        &test.hub,
        vec![webhook("hook", &receiver.url)],
        DeliveryOptions::default(),
    );
    assert_eq!(receiver.next().await.headers["idempotency-key"], key);
    running.stop().await;
    let entry = entries(&test.hub).remove(0);
    assert_eq!(
        (
            entry.progress.state,
            entry.progress.attempts,
            entry.progress.maybe_arrived
        ),
        (EntryState::Sent, 2, true)
    );
}

#[tokio::test]
async fn the_stop_waits_for_attempts_but_not_for_ever() {
    let (held, mut begun) = Held::new("hook");
    let test = TestHub::new(eager(&["hook"]));
    test.evaluate(1, &["a"]).unwrap();
    let options = DeliveryOptions {
        grace: Duration::from_millis(10),
        ..DeliveryOptions::default()
    };
    let running = Running::start(&test.hub, vec![held], options);
    begun.recv().await.unwrap();
    running.stop().await;
    assert_eq!(states(&test.hub), [EntryState::Sending]);
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_is_given_it() {
    let mut receiver = Receiver::start([Script::Answer(429, "Retry-After: 60\r\n", "")]).await;
    let mut options = eager(&["hook"]);
    options.delivery.longest_retry_ms = 3_600_000;
    let test = TestHub::new(options);
    test.evaluate(1, &["a"]).unwrap();
    let clock = Arc::new(ManualClock::new(TimestampMs(5_000)));
    let stop = CancellationToken::new();
    let channels = vec![webhook("hook", &receiver.url)];
    let worker = deliver(
        Arc::clone(&test.hub),
        clock,
        channels,
        DeliveryOptions::default(),
        stop.clone(),
    );
    let task = tokio::spawn(worker);
    receiver.next().await;
    stop.cancel();
    task.await.unwrap();
    let entry = entries(&test.hub).remove(0);
    assert_eq!(
        (entry.progress.state, entry.progress.next_attempt_at),
        (EntryState::Queued, TimestampMs(65_000))
    );
}

#[tokio::test]
async fn what_waits_for_a_channel_that_is_gone_is_given_up() {
    let test = TestHub::new(eager(&["old"]));
    let before = test.evaluate(1, &["a"]).unwrap();
    test.hub.set_options(eager(&["new"]));
    let mut watch = test.hub.watch();
    let running = Running::start(&test.hub, Vec::new(), DeliveryOptions::default());
    watch.wait_for(|seq| *seq > before).await.unwrap();
    running.stop().await;
    assert!(states(&test.hub).contains(&EntryState::Dead));
}

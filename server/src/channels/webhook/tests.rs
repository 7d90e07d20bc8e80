use barograph_alerts::{Event, EventKind};
use barograph_model::{Labels, ManualClock, TimestampMs};
use tokio::net::TcpListener;

use super::*;
use crate::channels::test_receiver::{Receiver, Script};

/// 2023-11-14T22:13:20Z.
const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

fn event() -> Event {
    Event {
        seq: 1,
        ts: NOW,
        kind: EventKind::Firing,
        rule: "Slow".to_owned(),
        group: "g".to_owned(),
        severity: "P1".to_owned(),
        labels: Labels::empty(),
        annotations: BTreeMap::new(),
        value: 1.0,
        evidence: String::new(),
        since: NOW,
        fingerprint: "f".repeat(32),
    }
}

fn channel(url: &str, timeout: Duration) -> WebhookChannel {
    let options = WebhookOptions {
        url: url.to_owned(),
        timeout,
        headers: BTreeMap::from([("Authorization".to_owned(), "Bearer secret".to_owned())]),
        external_url: "http://barograph".to_owned(),
    };
    WebhookChannel::new("oncall", options, Arc::new(ManualClock::new(NOW))).unwrap()
}

const LONG: Duration = Duration::from_secs(60);

async fn outcome(script: Script) -> Sent {
    let receiver = Receiver::start([script]).await;
    let event = event();
    channel(&receiver.url, LONG)
        .send(Notification {
            event: &event,
            idempotency_key: "k",
        })
        .await
}

#[tokio::test]
async fn delivers_with_key_headers_and_body() {
    let mut receiver = Receiver::start([Script::Answer(204, "", "")]).await;
    let event = event();
    let sent = channel(&receiver.url, LONG)
        .send(Notification {
            event: &event,
            idempotency_key: "k-1",
        })
        .await;
    assert_eq!(sent, Sent::Delivered);
    let request = receiver.next().await;
    assert_eq!(request.headers["idempotency-key"], "k-1");
    assert_eq!(request.headers["authorization"], "Bearer secret");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(
        (&request.body["version"], &request.body["receiver"]),
        (&"4".into(), &"oncall".into())
    );
}

#[tokio::test]
async fn statuses_say_whether_to_try_again() {
    for status in [500, 502, 503, 504, 408, 429] {
        let sent = outcome(Script::Answer(status, "", "busy")).await;
        let Sent::Failed {
            reason,
            retry_after: None,
        } = sent
        else {
            panic!("{status}: {sent:?}")
        };
        assert!(
            reason.contains(&status.to_string()) && reason.ends_with("busy"),
            "{reason}"
        );
    }
    for status in [301, 400, 401, 404, 410, 422] {
        let sent = outcome(Script::Answer(status, "", "no")).await;
        assert!(matches!(sent, Sent::Refused { .. }), "{status}: {sent:?}");
    }
}

#[tokio::test]
async fn a_receiver_may_ask_to_be_left_alone() {
    for (header, expected) in [
        ("Retry-After: 120\r\n", Some(Duration::from_secs(120))),
        (
            "Retry-After: Tue, 14 Nov 2023 22:14:20 GMT\r\n",
            Some(Duration::from_secs(60)),
        ),
        ("Retry-After: Tue, 14 Nov 2023 22:00:00 GMT\r\n", None),
        ("Retry-After: soon\r\n", None),
    ] {
        let sent = outcome(Script::Answer(503, header, "")).await;
        let Sent::Failed { retry_after, .. } = sent else {
            panic!("{header}: {sent:?}")
        };
        assert_eq!(retry_after, expected, "{header}");
    }
}

#[tokio::test]
async fn a_cut_connection_leaves_the_outcome_unknown() {
    assert!(matches!(outcome(Script::Cut).await, Sent::Unknown { .. }));
}

#[tokio::test]
async fn a_receiver_that_hangs_leaves_the_outcome_unknown() {
    let receiver = Receiver::start([Script::Hang]).await;
    let event = event();
    let channel = channel(&receiver.url, Duration::from_millis(300));
    let sent = channel
        .send(Notification {
            event: &event,
            idempotency_key: "k",
        })
        .await;
    let Sent::Unknown { reason } = sent else {
        panic!("{sent:?}")
    };
    assert!(reason.starts_with("time ran out"), "{reason}");
}

#[tokio::test]
async fn no_connection_is_a_failure_and_keeps_the_url_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret-token", listener.local_addr().unwrap());
    drop(listener);
    let event = event();
    let sent = channel(&url, LONG)
        .send(Notification {
            event: &event,
            idempotency_key: "k",
        })
        .await;
    let Sent::Failed { reason, .. } = sent else {
        panic!("{sent:?}")
    };
    assert!(
        reason.contains("refused") && !reason.contains("secret-token"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let long = "x".repeat(100_000).leak();
    let Sent::Refused { reason } = outcome(Script::Answer(400, "", long)).await else {
        panic!()
    };
    assert!(reason.len() < ANSWER_BYTES_MAX + 100, "{}", reason.len());
}

#[test]
fn headers_that_http_does_not_allow_are_refused() {
    let headers = BTreeMap::from([("X-A".to_owned(), "a\nb".to_owned())]);
    let options = WebhookOptions {
        url: String::new(),
        timeout: LONG,
        headers,
        external_url: String::new(),
    };
    let error = WebhookChannel::new("oncall", options, Arc::new(ManualClock::new(NOW))).unwrap_err();
    assert!(
        error.to_string().contains("channel \"oncall\": header \"X-A\""),
        "{error}"
    );
}

use std::net::SocketAddr;

use barograph_alerts::Options;
use barograph_proto::v1::alerts_client::AlertsClient;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Endpoint;
use tonic::{Code, Streaming};

use super::*;
use crate::alerting::test_hub::TestHub;
use crate::grpc::{ServeError, serve};

/// The edge on a free port.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    async fn start(hub: &Arc<AlertHub>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let task = tokio::spawn(serve(listener, Arc::clone(hub), None, stop.clone()));
        Self { address, stop, task }
    }

    async fn subscribe(
        &self,
        request: v1::SubscribeRequest,
    ) -> Result<Streaming<v1::SubscribeResponse>, Status> {
        // Small windows, so that a client which does not read is felt after a few hundred events.
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        let endpoint = endpoint
            .initial_stream_window_size(65_535)
            .initial_connection_window_size(65_535);
        let mut client = AlertsClient::new(endpoint.connect().await.unwrap());
        Ok(client.subscribe(request).await?.into_inner())
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn from(cursor: &str) -> v1::SubscribeRequest {
    v1::SubscribeRequest {
        cursor: cursor.to_owned(),
        ..Default::default()
    }
}

async fn next(stream: &mut Streaming<v1::SubscribeResponse>) -> Message {
    stream.message().await.unwrap().unwrap().message.unwrap()
}

async fn next_heartbeat(stream: &mut Streaming<v1::SubscribeResponse>) -> String {
    match next(stream).await {
        Message::Heartbeat(heartbeat) => heartbeat.cursor,
        other => panic!("{other:?}"),
    }
}

async fn next_event(stream: &mut Streaming<v1::SubscribeResponse>) -> v1::Event {
    match next(stream).await {
        Message::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

async fn next_snapshot(stream: &mut Streaming<v1::SubscribeResponse>) -> v1::Snapshot {
    match next(stream).await {
        Message::Snapshot(snapshot) => snapshot,
        other => panic!("{other:?}"),
    }
}

/// Cut off after a random number of messages, again and again, also by restarts of the server, while events go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_resumes_sees_each_event_once_and_in_order() {
    let seed = 7;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut test = TestHub::new(Options::default());
    let (mut seen, mut cursor, mut target) = (Vec::new(), "beginning".to_owned(), 0);
    for round in 0..12 {
        let server = Running::start(&test.hub).await;
        let mut stream = server.subscribe(from(&cursor)).await.unwrap();
        assert!(!next_heartbeat(&mut stream).await.is_empty());
        target += random.random_range(0..100);
        let growing = async { tokio::task::block_in_place(|| test.grow_to(target)) };
        let reading = async {
            let cut_at = random.random_range(0..=target);
            while (seen.len() as u64) < cut_at {
                let event = next_event(&mut stream).await;
                seen.push(event.seq);
                cursor = event.cursor;
            }
        };
        tokio::join!(growing, reading);
        drop(stream);
        server.stop().await;
        if round % 3 == 2 {
            let vfs = test.vfs.clone();
            drop(test);
            vfs.restart();
            test = TestHub::open(vfs, Options::default()).unwrap();
        }
    }
    assert!(
        seen.iter().copied().eq(1..=seen.len() as u64),
        "seed {seed}: {seen:?}"
    );
    assert!(seen.len() > 100, "seed {seed}");
}

#[tokio::test]
async fn a_snapshot_comes_first_and_agrees_with_its_cursor() {
    let test = TestHub::new(Options::default());
    let hosts: Vec<String> = (0..450).map(|i| format!("h{i}")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let last_seq = test.evaluate(1, &hosts).unwrap();
    let server = Running::start(&test.hub).await;
    let mut stream = server
        .subscribe(v1::SubscribeRequest {
            snapshot: true,
            ..from("")
        })
        .await
        .unwrap();
    let mut parts = Vec::new();
    for more in [true, true, false] {
        let part = next_snapshot(&mut stream).await;
        assert_eq!((part.more, part.seq), (more, last_seq));
        parts.push(part);
    }
    let alerts: Vec<&v1::Alert> = parts.iter().flat_map(|part| &part.alerts).collect();
    assert_eq!(alerts.len(), 450);
    assert!(
        alerts
            .iter()
            .all(|alert| alert.state() == v1::AlertState::Firing && alert.severity == "P1")
    );
    test.evaluate(2, &hosts[1..]).unwrap();
    let event = next_event(&mut stream).await;
    assert_eq!(
        (event.seq, event.kind(), event.labels["host"].as_str()),
        (last_seq + 1, v1::EventKind::Resolved, "h0")
    );
    let named = alerts.iter().find(|alert| alert.labels["host"] == "h0").unwrap();
    assert_eq!(named.fingerprint, event.fingerprint);

    let mut resumed = server.subscribe(from(&parts[2].cursor)).await.unwrap();
    next_heartbeat(&mut resumed).await;
    assert_eq!(next_event(&mut resumed).await, event);
}

#[tokio::test]
async fn a_filter_holds_for_snapshot_and_events_and_heartbeats_pass_it() {
    let test = TestHub::new(Options::default());
    test.evaluate(1, &["a", "b"]).unwrap();
    let server = Running::start(&test.hub).await;
    let request = v1::SubscribeRequest {
        snapshot: true,
        filter: "label.host=b,kind=~\"firing|resolved\"".to_owned(),
        heartbeat_interval_ms: 100,
        ..from("")
    };
    let mut stream = server.subscribe(request.clone()).await.unwrap();
    let snapshot = next_snapshot(&mut stream).await;
    assert_eq!(snapshot.alerts.len(), 1);
    assert_eq!(snapshot.alerts[0].labels["host"], "b");
    let last_seq = test.evaluate(2, &["b"]).unwrap();
    // An event that is held back shows only in the cursor of a heartbeat.
    let held_back = Cursor {
        log_id: test.hub.log_id(),
        seq: last_seq,
    }
    .to_string();
    while next_heartbeat(&mut stream).await != held_back {}
    test.evaluate(3, &[]).unwrap();
    let event = loop {
        match next(&mut stream).await {
            Message::Heartbeat(_) => {}
            Message::Event(event) => break event,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (event.kind(), event.labels["host"].as_str()),
        (v1::EventKind::Resolved, "b")
    );
}

#[tokio::test]
async fn what_is_no_longer_kept_is_a_gap() {
    let mut options = Options::default();
    options.limits.events = 10;
    let test = TestHub::new(options);
    test.grow_to(2);
    let server = Running::start(&test.hub).await;
    let mut stream = server.subscribe(from("beginning")).await.unwrap();
    next_heartbeat(&mut stream).await;
    let cursor = next_event(&mut stream).await.cursor;
    test.grow_to(50);
    let first_seq = test.hub.read(AlertStore::first_seq);
    assert!(first_seq > 30, "{first_seq}");

    let request = v1::SubscribeRequest {
        snapshot: true,
        ..from(&cursor)
    };
    let mut stream = server.subscribe(request).await.unwrap();
    next_snapshot(&mut stream).await;
    let Message::Gap(gap) = next(&mut stream).await else {
        panic!()
    };
    assert_eq!((gap.first_missing, gap.last_missing), (2, first_seq - 1));
    assert!(gap.reason.contains("no longer kept"), "{}", gap.reason);
    next_snapshot(&mut stream).await;
    assert_eq!(next_event(&mut stream).await.seq, first_seq);

    // The oldest event that is kept is not after a gap.
    let mut stream = server.subscribe(from("beginning")).await.unwrap();
    next_heartbeat(&mut stream).await;
    assert_eq!(next_event(&mut stream).await.seq, first_seq);
}

#[tokio::test]
async fn a_cursor_of_another_log_is_a_gap_of_unknown_size() {
    let test = TestHub::new(Options::default());
    test.grow_to(3);
    let server = Running::start(&test.hub).await;
    let log_id = test.hub.log_id();
    for cursor in [
        Cursor {
            log_id: log_id ^ 1,
            seq: 2,
        },
        Cursor { log_id, seq: 4 },
    ] {
        let mut stream = server.subscribe(from(&cursor.to_string())).await.unwrap();
        let Message::Gap(gap) = next(&mut stream).await else {
            panic!()
        };
        assert_eq!((gap.first_missing, gap.last_missing), (1, 0));
        next_heartbeat(&mut stream).await;
        assert_eq!(next_event(&mut stream).await.seq, 1);
    }
}

/// One client does not read while the log moves past it; the other keeps up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_costs_the_others_nothing_and_is_told_what_it_missed() {
    let mut options = Options::default();
    options.limits.events = 200;
    let test = TestHub::new(options);
    let server = Running::start(&test.hub).await;
    let mut slow = server.subscribe(from("beginning")).await.unwrap();
    let mut fast = server.subscribe(from("beginning")).await.unwrap();
    next_heartbeat(&mut fast).await;
    const LAST: u64 = 6_000;
    for target in (100..=LAST).step_by(100) {
        tokio::task::block_in_place(|| test.grow_to(target));
        for seq in target - 99..=target {
            assert_eq!(next_event(&mut fast).await.seq, seq);
        }
    }
    next_heartbeat(&mut slow).await;
    let (mut expected, mut missed) = (1, 0);
    while expected <= LAST {
        match next(&mut slow).await {
            Message::Event(event) => {
                assert_eq!(event.seq, expected);
                expected += 1;
            }
            Message::Gap(gap) => {
                assert_eq!(gap.first_missing, expected);
                missed += gap.last_missing - gap.first_missing + 1;
                expected = gap.last_missing + 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        missed > 0,
        "the windows of HTTP/2 held all {LAST} events; the test must send more"
    );
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_with_the_reason() {
    let test = TestHub::new(Options::default());
    let server = Running::start(&test.hub).await;
    let good = from("");
    for (request, expected) in [
        (from("yesterday"), "\"beginning\""),
        (
            v1::SubscribeRequest {
                filter: "sevrity=P1".to_owned(),
                ..good.clone()
            },
            "severity",
        ),
        (
            v1::SubscribeRequest {
                filter: "rule=~\"(\"".to_owned(),
                ..good.clone()
            },
            "(",
        ),
        (
            v1::SubscribeRequest {
                heartbeat_interval_ms: 5,
                ..good.clone()
            },
            "from 100 to 3600000",
        ),
    ] {
        let status = server.subscribe(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(expected), "{}", status.message());
    }
}

#[tokio::test]
async fn a_stop_ends_streams_with_unavailable() {
    let test = TestHub::new(Options::default());
    let server = Running::start(&test.hub).await;
    let mut stream = server.subscribe(from("")).await.unwrap();
    next_heartbeat(&mut stream).await;
    let waiting = tokio::spawn(async move { stream.message().await.unwrap_err() });
    server.stop().await;
    assert_eq!(waiting.await.unwrap().code(), Code::Unavailable);
}

#[tokio::test]
async fn open_streams_are_counted_and_given_back() {
    let test = TestHub::new(Options::default());
    let service = AlertsService::new(Arc::clone(&test.hub), CancellationToken::new());
    let mut open = Vec::new();
    for _ in 0..STREAMS_MAX {
        open.push(service.subscribe(Request::new(from(""))).await.unwrap());
    }
    let refused = service.subscribe(Request::new(from(""))).await.err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    open.pop();
    assert!(service.subscribe(Request::new(from(""))).await.is_ok());
}

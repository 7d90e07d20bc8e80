//! The endpoint over a real store: what is answered, and what is there afterwards.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use barograph_model::{MetricType, stale_nan};
use futures::stream;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::edge_under_test::{Edge, NOW_MS, Stored, stored_as};
use super::super::prompb::{self, MetricMetadata, TimeSeries, encode, exemplar, label, series};
use super::super::{IngestLimits, RejectKind};
use super::*;

const UP: &[(&str, &str)] = &[("__name__", "up"), ("job", "node")];

fn up(ts: i64, value: f64) -> Vec<TimeSeries> {
    vec![series(UP, &[(ts, value)])]
}

#[tokio::test]
async fn stores_every_bit_and_answers_204_after_the_sync() {
    let edge = Edge::new();
    let values = [
        1.5,
        f64::NAN,
        stale_nan(),
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        f64::MIN_POSITIVE / 2.0,
    ];
    let samples: Vec<(i64, f64)> = (NOW_MS..).zip(values).collect();
    let answer = edge
        .post_series(vec![
            series(UP, &samples),
            series(&[("__name__", "b")], &samples[..1]),
        ])
        .await;
    answer.expect(204, "");
    assert!(answer.text.is_empty());
    let expected = Stored::from([
        stored_as("up{job=\"node\"}", &samples),
        stored_as("b", &samples[..1]),
    ]);
    assert_eq!(edge.stored(), expected);
    let stats = edge.sink.stats();
    assert_eq!(stats.samples.load(Relaxed), 8);
    assert_eq!(stats.series_defined.load(Relaxed), 2);
    assert_eq!(stats.replies.get(StatusCode::NO_CONTENT), 1);
    assert_eq!(edge.sink.in_flight_bytes(), 0);
    assert!(stats.compressed_bytes.load(Relaxed) > 0 && stats.decompressed_bytes.load(Relaxed) > 0);

    // The power goes: what was acknowledged is on the disk.
    let disk = edge.disk.clone();
    drop(edge);
    disk.restart();
    let clock = Arc::new(barograph_model::ManualClock::new(barograph_model::TimestampMs(
        NOW_MS,
    )));
    let engine = barograph_engine::Engine::open(Arc::new(disk), clock, barograph_engine::Options::default());
    let snapshot = engine.unwrap().snapshot();
    assert_eq!(
        snapshot.metric_names(barograph_model::TimeRange::ALL).unwrap(),
        ["b", "up"]
    );
}

#[tokio::test]
async fn labels_in_any_order_and_spelling_are_one_series() {
    let edge = Edge::new();
    edge.post_series(vec![series(
        &[("job", "node"), ("__name__", "up")],
        &[(NOW_MS, 1.0)],
    )])
    .await
    .expect(204, "");
    edge.post_series(vec![series(
        &[("__name__", "up"), ("zone", ""), ("job", "node")],
        &[(NOW_MS + 1, 2.0)],
    )])
    .await
    .expect(204, "");
    edge.post_series(up(NOW_MS + 2, 3.0)).await.expect(204, "");
    edge.post_series(up(NOW_MS + 3, 4.0)).await.expect(204, "");
    let samples = [
        (NOW_MS, 1.0),
        (NOW_MS + 1, 2.0),
        (NOW_MS + 2, 3.0),
        (NOW_MS + 3, 4.0),
    ];
    assert_eq!(
        edge.stored(),
        Stored::from([stored_as("up{job=\"node\"}", &samples)])
    );
    assert_eq!(
        edge.sink.stats().series_defined.load(Relaxed),
        3,
        "the fourth is found by its bytes"
    );
}

#[tokio::test]
async fn the_good_rest_of_a_request_is_stored_and_the_first_offender_is_named() {
    let edge = Edge::new();
    let at = |ts| [(ts, 1.0)];
    let invalid_value = TimeSeries {
        labels: vec![label(b"__name__", b"bad"), label(b"a", b"\xff")],
        ..series(&[], &at(NOW_MS))
    };
    let answer = edge
        .post_series(vec![
            series(&[("__name__", "first")], &[(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]),
            series(
                &[("__name__", "dup"), ("a", "1"), ("a", "2")],
                &[(NOW_MS, 1.0), (NOW_MS + 1, 2.0)],
            ),
            series(
                &[("__name__", "second")],
                &[(NOW_MS, 3.0), (253_402_300_799_000, 4.0)],
            ),
            invalid_value,
            series(&[("__name__", ""), ("job", "x")], &at(NOW_MS)),
            series(&[("__name__", "third")], &at(NOW_MS)),
        ])
        .await;
    answer.expect(
        400,
        "refused 3 series with unacceptable labels (4 samples), 1 samples out of bounds, in 4 series; the other 4 \
         samples of the request are stored; first refused: second{}: timestamp 9999-12-31T23:59:59.000Z is \
         outside what is accepted now, 2026-11-07T",
    );
    let expected = Stored::from([
        stored_as("first", &[(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]),
        stored_as("second", &[(NOW_MS, 3.0)]),
        stored_as("third", &[(NOW_MS, 1.0)]),
    ]);
    assert_eq!(edge.stored(), expected);
    let stats = edge.sink.stats();
    assert_eq!(
        (
            stats.rejected(RejectKind::Labels),
            stats.rejected(RejectKind::OutOfBounds)
        ),
        (4, 1)
    );
    assert_eq!(stats.samples.load(Relaxed), 4);

    // A series that was refused is refused again, not remembered as known.
    let again = edge
        .post_series(vec![series(
            &[("__name__", "dup"), ("a", "1"), ("a", "2")],
            &at(NOW_MS),
        )])
        .await;
    again.expect(
        400,
        "refused 1 series with unacceptable labels (1 samples), in 1 series; the other 0 samples of the request \
         are stored; first refused: dup{a=\"1\", a=\"2\"}: label \"a\" appears twice",
    );
}

#[tokio::test]
async fn instants_far_away_are_refused() {
    let edge = Edge::new();
    for (ts, shown) in [
        (-62_167_219_200_000, "timestamp 0000-01-01T00:00:00.000Z"),
        (253_402_300_799_999, "timestamp 9999-12-31T23:59:59.999Z"),
        (i64::MIN, "timestamp -9223372036854775808 ms"),
        (i64::MAX, "timestamp 9223372036854775807 ms"),
    ] {
        let begins = format!(
            "refused 1 samples out of bounds, in 1 series; the other 0 samples of the request are stored; first \
             refused: up{{job=\"node\"}}: {shown} is outside"
        );
        edge.post_series(up(ts, 1.0)).await.expect(400, &begins);
    }
    assert_eq!(edge.stored(), Stored::new());
    assert_eq!(
        edge.engine.stats().head_series,
        0,
        "a series without a sample is not entered"
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_decoded_stores_nothing() {
    let edge = Edge::new();
    let good = encode(up(NOW_MS, 1.0));
    let block = snap::raw::Encoder::new().compress_vec(&good).unwrap();
    let not_snappy = "nothing was stored: the body is not a block of snappy";
    edge.post_block(block[..block.len() - 3].to_vec())
        .await
        .expect(400, not_snappy);
    edge.post_block(good.clone())
        .await
        .expect(400, "nothing was stored: the body");
    edge.post_block(b"\xff\x06\x00\x00sNaPpY".to_vec())
        .await
        .expect(400, "nothing was stored: the body");

    // A bomb: within the cap by its header, and more than its bytes can hold.
    let bomb = "nothing was stored: the body declares 33554432 bytes decompressed, more than 7 bytes of snappy can hold";
    edge.post_block(b"\x80\x80\x80\x10\x00aa".to_vec())
        .await
        .expect(400, bomb);
    let bomb = "nothing was stored: the body declares 4294967295 bytes decompressed, more than the 67108864";
    edge.post_block(b"\xff\xff\xff\xff\x0f\x00a".to_vec())
        .await
        .expect(413, bomb);

    let malformed = "nothing was stored: the body is not a prometheus.WriteRequest: byte ";
    for tail in [
        &b"\x0a\x04\x12\x02\x08\x01"[..],    // Sample.value as a varint
        b"\x0a\x06\x0a\x02\x08\x01\x12\x00", // Label.name as a varint, in a series with a (bad) sample
        b"\x0a\x7f",                         // ends inside a series
        b"\x0b\x0c",                         // a group
        b"\x1a\x02\x08",                     // ends inside metadata
        b"\x1a\x02\x0a\x00",                 // MetricMetadata.type as bytes
        b"\x2a\x00",                         // a series of remote write 2.0
    ] {
        edge.post(&[&good, tail].concat()).await.expect(400, malformed);
    }
    // The label that cannot be read belongs to a series that would otherwise be entered.
    let mut sample = vec![0x12, 0x07, 0x10];
    prost::encoding::encode_varint(NOW_MS as u64, &mut sample);
    let broken = [&b"\x0a\x0d\x0a\x02\x08\x01"[..], &sample].concat();
    edge.post(&[&good[..], &broken].concat())
        .await
        .expect(400, malformed);

    assert_eq!(edge.stored(), Stored::new());
    assert_eq!(edge.sink.in_flight_bytes(), 0);
    assert_eq!(edge.sink.stats().samples.load(Relaxed), 0);
}

#[tokio::test]
async fn a_million_labels_are_refused_and_the_rest_is_stored() {
    let edge = Edge::new();
    let labels = (0..1_000_000u32)
        .map(|i| label(format!("l{i:06}").as_bytes(), b"v"))
        .collect();
    let million = TimeSeries {
        labels,
        ..series(&[], &[(NOW_MS, 1.0)])
    };
    let answer = edge.post_series(vec![million, up(NOW_MS, 1.0).remove(0)]).await;
    answer.expect(
        400,
        "refused 1 series with unacceptable labels (1 samples), in 1 series; the other 1 samples",
    );
    assert!(
        answer.text.ends_with(": it has more than 64 labels\n"),
        "{}",
        answer.text
    );
    assert_eq!(
        edge.stored(),
        Stored::from([stored_as("up{job=\"node\"}", &[(NOW_MS, 1.0)])])
    );
}

#[tokio::test]
async fn exemplars_and_native_histograms_are_stored_beside_samples() {
    let edge = Edge::new();
    let mut with_exemplar = series(UP, &[(NOW_MS, 1.0)]);
    with_exemplar.exemplars = vec![exemplar("t", NOW_MS, 0.5), exemplar("u", NOW_MS, 0.25)];
    let mut histogram = series(&[("__name__", "h")], &[]);
    histogram.histograms = (0..3)
        .map(|i| prompb::histogram(NOW_MS + i, &[1, i as u64]))
        .collect();
    histogram.histograms[1].sum = barograph_model::stale_nan();
    histogram.histograms[2].positive_spans[0].length = 3;
    let answer = edge.post_series(vec![histogram, with_exemplar]).await;
    answer.expect(
        400,
        "refused 1 native histograms, in 1 series; the other 1 samples, 2 native histograms, 2 exemplars of the request \
         are stored; first refused: h{}: a native histogram is not sound: the positive spans hold 3 buckets and there \
         are 2 counts",
    );
    assert_eq!(answer.written(), Some([1, 2, 2]));
    assert_eq!(
        edge.stored(),
        Stored::from([stored_as("up{job=\"node\"}", &[(NOW_MS, 1.0)])])
    );
    let stored = edge.stored_histograms();
    let shown: Vec<_> = stored
        .iter()
        .map(|(series, ts, h)| (series.as_str(), ts - NOW_MS, h.is_stale()))
        .collect();
    assert_eq!(shown, [("h", 0, false), ("h", 1, true)]);
    let exemplars = edge.stored_exemplars();
    let shown: Vec<_> = exemplars
        .iter()
        .map(|(series, e)| (series.as_str(), e.labels.get("trace_id"), e.value))
        .collect();
    assert_eq!(
        shown,
        [("up{job=\"node\"}", "t", 0.5), ("up{job=\"node\"}", "u", 0.25)]
    );
    let stats = edge.sink.stats();
    assert_eq!(stats.rejected(RejectKind::NativeHistogram), 1);
    assert_eq!(
        (stats.histograms.load(Relaxed), stats.exemplars.load(Relaxed)),
        (2, 2)
    );
}

#[tokio::test]
async fn metadata_is_kept_and_an_empty_request_is_fine() {
    let edge = Edge::new();
    edge.post(b"").await.expect(204, "");
    let entry = |name: &str, help: &str| MetricMetadata {
        metric_type: 1,
        metric_family_name: name.to_owned(),
        help: help.to_owned(),
        unit: "s".to_owned(),
    };
    let metadata = vec![
        entry("a_total", "old"),
        entry("", "nameless"),
        entry("a_total", "new"),
    ];
    let request = prompb::WriteRequest {
        timeseries: Vec::new(),
        metadata,
    };
    edge.post(&request.encode_to_vec())
        .await
        .expect(400, "refused 1 metadata entries, in 0 series; ");
    let table = edge.sink.metadata();
    let known = table.get("a_total").unwrap();
    assert_eq!(
        (known.metric_type, known.help.as_str(), known.unit.as_str()),
        (MetricType::Counter, "new", "s")
    );
    assert_eq!(edge.sink.stats().metadata.load(Relaxed), 2);
}

#[tokio::test]
async fn other_content_is_a_415() {
    let edge = Edge::new();
    let block = snap::raw::Encoder::new()
        .compress_vec(&encode(up(NOW_MS, 1.0)))
        .unwrap();
    for (content_type, encoding, begins) in [
        (
            "application/json",
            "snappy",
            "Content-Type \"application/json\" is not accepted",
        ),
        (
            "text/plain",
            "snappy",
            "Content-Type \"text/plain\" is not accepted",
        ),
        (
            "application/x-protobuf;proto=io.prometheus.write.v3.Request",
            "snappy",
            "Content-Type asks for \"io.prometheus.write.v3.Request\"; prometheus.WriteRequest and \
             io.prometheus.write.v2.Request are accepted",
        ),
        (
            "application/x-protobuf",
            "gzip",
            "Content-Encoding \"gzip\" is not accepted",
        ),
        (
            "application/x-protobuf",
            "identity",
            "Content-Encoding \"identity\" is not accepted",
        ),
    ] {
        let headers = [("content-type", content_type), ("content-encoding", encoding)];
        let answer = edge.post_with(&headers, block.clone()).await;
        answer.expect(415, begins);
        assert_eq!(answer.written(), None, "nothing was negotiated");
    }
    assert_eq!(edge.stored(), Stored::new());
    assert_eq!(
        edge.sink.stats().replies.get(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        5
    );
    let headers = [
        (
            "content-type",
            "application/x-protobuf; proto=prometheus.WriteRequest",
        ),
        ("content-encoding", "Snappy"),
    ];
    edge.post_with(&headers, block.clone()).await.expect(204, "");
    edge.post_with(&[], block).await.expect(204, "");
}

#[tokio::test]
async fn too_large_is_a_413_declared_or_not() {
    let limits = IngestLimits {
        body_bytes_max: 1000,
        decompressed_bytes_max: 2000,
        samples_max: 50,
        ..IngestLimits::default()
    };
    let edge = Edge::with(limits);
    let too_large = "the body is larger than the 1000 bytes that are accepted (send smaller batches)";
    edge.post_block(vec![0; 1001]).await.expect(413, too_large);
    let pieces = (0..11).map(|_| Ok::<_, std::io::Error>(vec![0; 100]));
    edge.post_block(Body::from_stream(stream::iter(pieces)))
        .await
        .expect(413, too_large);
    edge.post(&[0; 2001]).await.expect(
        413,
        "nothing was stored: the body declares 2001 bytes decompressed",
    );
    let many: Vec<(i64, f64)> = (0..51).map(|i| (NOW_MS + i, 0.0)).collect();
    let too_many = "nothing was stored: the request has more than 50 samples";
    edge.post_series(vec![series(UP, &many)])
        .await
        .expect(413, too_many);
    edge.post_series(vec![series(UP, &many[..50])])
        .await
        .expect(204, "");
    assert_eq!(edge.sink.in_flight_bytes(), 0);
}

/// Speaks HTTP by hand over loopback, so that a body can be declared and never sent.
async fn over_tcp(edge: &Edge, head: &str, body: impl Iterator<Item = Vec<u8>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = edge.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in body {
        stream.write_all(&piece).await.unwrap();
    }
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "closed after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
        if answer.windows(4).any(|w| w == b"\r\n\r\n") && answer.ends_with(b")\n") {
            break;
        }
    }
    server.abort();
    String::from_utf8(answer).unwrap()
}

const HEAD: &str = "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n";

#[tokio::test]
async fn a_gibibyte_by_content_length_is_refused_before_it_is_sent() {
    let edge = Edge::new();
    let head = format!("{HEAD}Content-Length: {}\r\n\r\n", 1 << 30);
    let answer = over_tcp(&edge, &head, std::iter::empty()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with("larger than the 16777216 bytes that are accepted (send smaller batches)\n"));
}

#[tokio::test]
async fn a_sender_that_does_not_listen_sends_a_large_body_to_its_end_and_reads_the_413() {
    let edge = Edge::new();
    let len: usize = 64 << 20;
    let piece = vec![0; 1 << 20];
    let head = format!("{HEAD}Content-Length: {len}\r\n\r\n");
    let answer = over_tcp(&edge, &head, std::iter::repeat_n(piece, 64)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(edge.sink.in_flight_bytes(), 0);
}

#[tokio::test]
async fn a_chunked_body_without_end_is_refused_at_the_cap() {
    let edge = Edge::new();
    let chunk = [b"100000\r\n", &vec![0; 1 << 20][..], b"\r\n"].concat();
    let head = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
    let answer = over_tcp(&edge, &head, std::iter::repeat_n(chunk, 40)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(edge.sink.in_flight_bytes(), 0);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_a_408() {
    let edge = Edge::with(IngestLimits {
        body_timeout: Duration::from_millis(1),
        ..IngestLimits::default()
    });
    let silent = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
    edge.post_block(silent)
        .await
        .expect(408, "the body did not arrive within 0.001 s");
}

#[tokio::test]
async fn a_full_budget_is_a_503_and_clears() {
    let edge = Edge::new();
    let mut others = edge.sink.charge();
    assert!(others.grow(edge.sink.limits().in_flight_bytes_max));
    let refused = edge.post_series(up(NOW_MS, 1.0)).await;
    refused.expect(503, "too many requests are in flight");
    assert_eq!(refused.retry_after(), Some("1"));
    drop(others);
    edge.post_series(up(NOW_MS, 1.0)).await.expect(204, "");
    assert_eq!(edge.sink.stats().replies.get(StatusCode::SERVICE_UNAVAILABLE), 1);
}

#[tokio::test]
async fn a_full_disk_is_a_503_and_nothing_of_it_is_seen() {
    let edge = Edge::new();
    edge.post_series(up(NOW_MS, 1.0)).await.expect(204, "");
    edge.disk.set_capacity(Some(edge.disk.used_bytes()));
    // The log may have room that was reserved; it does not last.
    let mut stored = 1;
    let refused = loop {
        let values: Vec<(i64, f64)> = (0..20_000)
            .map(|i| (NOW_MS - 86_400_000 + stored + i, 0.1 * i as f64))
            .collect();
        let answer = edge.post_series(vec![series(UP, &values)]).await;
        if answer.status != StatusCode::NO_CONTENT {
            break answer;
        }
        stored += 20_000;
    };
    refused.expect(503, "the write-ahead log cannot be written: ");
    assert_eq!(refused.retry_after(), Some("10"));
    let rows = |edge: &Edge| edge.stored().values().map(Vec::len).sum::<usize>() as i64;
    assert_eq!(rows(&edge), stored);
    edge.disk.set_capacity(None);
    edge.post_series(up(NOW_MS + 1, 1.0)).await.expect(204, "");
    assert_eq!(rows(&edge), stored + 1);
}

#[tokio::test]
async fn a_failed_sync_and_a_closing_store_are_a_503() {
    let edge = Edge::new();
    edge.post_series(up(NOW_MS, 1.0)).await.expect(204, "");
    edge.disk.fail_sync_after(0);
    for _ in 0..2 {
        let refused = edge.post_series(up(NOW_MS + 1, 1.0)).await;
        refused.expect(503, "writes have stopped because a sync to disk failed");
        assert_eq!(refused.retry_after(), Some("60"));
    }
    assert_eq!(edge.sink.stats().samples.load(Relaxed), 1);

    let edge = Edge::new();
    edge.engine.close().unwrap();
    let refused = edge.post_series(up(NOW_MS, 1.0)).await;
    refused.expect(503, "the store is closing");
    assert_eq!(refused.retry_after(), Some("5"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_at_once_lose_and_double_nothing() {
    let edge = Arc::new(Edge::new());
    let tasks: Vec<_> = (0..8i64)
        .map(|sender| {
            let edge = Arc::clone(&edge);
            tokio::spawn(async move {
                for round in 0..10 {
                    let job = sender.to_string();
                    let all = (0..50).map(|i| {
                        let name = format!("m{i}");
                        series(
                            &[("__name__", &name), ("job", &job)],
                            &[(NOW_MS + round, i as f64)],
                        )
                    });
                    edge.post_series(all.collect()).await.expect(204, "");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stored = edge.stored();
    assert_eq!(stored.len(), 8 * 50);
    for (selector, samples) in stored {
        let instants: Vec<i64> = samples.iter().map(|&(ts, _)| ts - NOW_MS).collect();
        assert_eq!(instants, (0..10).collect::<Vec<_>>(), "{selector}");
    }
    assert_eq!(edge.sink.in_flight_bytes(), 0);
}

#[tokio::test]
async fn limits_that_contradict_each_other_are_refused() {
    let edge = Edge::new();
    let small = IngestLimits {
        in_flight_bytes_max: 1 << 20,
        ..IngestLimits::default()
    };
    let error = IngestSink::new(Arc::clone(&edge.engine), small, Arc::clone(edge.sink.tenants()))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("in_flight_bytes_max is 1048576, and must be at least "),
        "{error}"
    );
    let large = IngestLimits {
        decompressed_bytes_max: 5 << 30,
        ..IngestLimits::default()
    };
    let error = IngestSink::new(Arc::clone(&edge.engine), large, Arc::clone(edge.sink.tenants()))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "decompressed_bytes_max is 5368709120, and must be below 4 GiB"
    );
}

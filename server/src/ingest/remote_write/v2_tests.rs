//! Remote write 2.0 at the endpoint: negotiation, headers of what was written, what is there afterwards.

use barograph_model::MetricType;

use super::super::IngestLimits;
use super::super::created::CREATED_AGE_MS_MAX;
use super::super::edge_under_test::{Edge, NOW_MS, Stored, stored_as};
use super::super::prompb::v2::{Builder, Exemplar, Metadata};
use super::super::prompb::{self, encode, series};

const UP: &[(&str, &str)] = &[("__name__", "up"), ("job", "node")];

#[tokio::test]
async fn both_protocols_write_the_same_series() {
    let edge = Edge::new();
    let mut builder = Builder::new();
    builder.series(UP, &[(NOW_MS, 1.0), (NOW_MS + 1, barograph_model::stale_nan())]);
    let answer = edge.post_v2(&builder.encode()).await;
    answer.expect(204, "");
    assert_eq!(answer.written(), Some([2, 0, 0]));
    let answer = edge.post_series(vec![series(UP, &[(NOW_MS + 2, 3.0)])]).await;
    answer.expect(204, "");
    assert_eq!(answer.written(), Some([1, 0, 0]));
    let samples = [
        (NOW_MS, 1.0),
        (NOW_MS + 1, barograph_model::stale_nan()),
        (NOW_MS + 2, 3.0),
    ];
    assert_eq!(
        edge.stored(),
        Stored::from([stored_as("up{job=\"node\"}", &samples)])
    );
    assert_eq!(edge.engine.stats().head_series, 1);
}

#[tokio::test]
async fn a_partial_write_says_what_was_written_and_what_was_not() {
    let edge = Edge::new();
    let mut builder = Builder::new();
    builder.series(UP, &[(NOW_MS, 1.0), (1, 1.0)]);
    builder.series(&[("job", "nameless")], &[(NOW_MS, 1.0)]);
    builder.series(&[("__name__", "b"), ("b", "1"), ("b", "2")], &[(NOW_MS, 1.0)]);
    let answer = edge.post_v2(&builder.encode()).await;
    answer.expect(
        400,
        "refused 2 series with unacceptable labels (2 samples), 1 samples out of bounds, in 3 series; the other 1 \
         samples of the request are stored; first refused: up{job=\"node\"}: timestamp 1970-01-01T00:00:00.001Z",
    );
    assert_eq!(answer.written(), Some([1, 0, 0]));
    assert_eq!(
        edge.stored(),
        Stored::from([stored_as("up{job=\"node\"}", &[(NOW_MS, 1.0)])])
    );
}

#[tokio::test]
async fn every_refusal_after_the_negotiation_says_that_nothing_was_written() {
    let edge = Edge::with(IngestLimits {
        samples_max: 1,
        ..IngestLimits::default()
    });
    let answer = edge.post_v2(&encode(vec![series(UP, &[(NOW_MS, 1.0)])])).await;
    answer.expect(
        400,
        "nothing was stored: the body is not a io.prometheus.write.v2.Request: byte 0: field 1 is not part of",
    );
    assert_eq!(answer.written(), Some([0, 0, 0]));
    let mut builder = Builder::new();
    builder.request.symbols.push(Vec::new());
    let answer = edge.post_v2(&builder.encode()).await;
    answer.expect(413, "nothing was stored: the request has more than 1 symbols");
    assert_eq!(answer.written(), Some([0, 0, 0]));
    let edge = Edge::new();
    edge.engine.close().unwrap();
    let mut builder = Builder::new();
    builder.series(UP, &[(NOW_MS, 1.0)]);
    let answer = edge.post_v2(&builder.encode()).await;
    answer.expect(503, "the store is closing");
    assert_eq!(answer.written(), Some([0, 0, 0]));
    let answer = edge.post(&builder.encode()).await;
    answer.expect(
        400,
        "nothing was stored: the body is not a prometheus.WriteRequest: byte 0: field 4 is not",
    );
    assert_eq!(answer.written(), Some([0, 0, 0]));
}

#[tokio::test]
async fn metadata_stands_inside_the_series() {
    let edge = Edge::new();
    let mut builder = Builder::new();
    let (help_ref, unit_ref) = (builder.symbol("how many"), builder.symbol("requests"));
    builder
        .series(&[("__name__", "a_total")], &[(NOW_MS, 1.0)])
        .metadata = Some(Metadata {
        metric_type: 1,
        help_ref,
        unit_ref,
    });
    edge.post_v2(&builder.encode()).await.expect(204, "");
    let table = edge.sink.metadata();
    let known = table.get("a_total").unwrap();
    assert_eq!(
        (known.metric_type, known.help.as_str(), known.unit.as_str()),
        (MetricType::Counter, "how many", "requests")
    );
}

#[tokio::test]
async fn a_counter_that_began_lately_has_a_zero_at_its_beginning_once() {
    let edge = Edge::new();
    let began = NOW_MS - 60_000;
    let post = async |ts: i64, value: f64, created: i64| {
        let mut builder = Builder::new();
        builder.series(UP, &[(ts, value)]).samples[0].start_timestamp = created;
        let answer = edge.post_v2(&builder.encode()).await;
        answer.expect(204, "");
        assert_eq!(answer.written(), Some([1, 0, 0]), "nobody sent the zero");
    };
    post(NOW_MS, 7.0, began).await;
    post(NOW_MS + 1000, 8.0, began).await;
    let zeros = || {
        edge.sink
            .stats()
            .created_zeros
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    assert_eq!(zeros(), 1);
    post(NOW_MS + 3000, 1.0, NOW_MS + 2000).await;
    post(NOW_MS + 4000, 2.0, NOW_MS + 3999 - CREATED_AGE_MS_MAX).await;
    assert_eq!(zeros(), 2);
    let samples = [
        (began, 0.0),
        (NOW_MS, 7.0),
        (NOW_MS + 1000, 8.0),
        (NOW_MS + 2000, 0.0),
        (NOW_MS + 3000, 1.0),
        (NOW_MS + 4000, 2.0),
    ];
    assert_eq!(
        edge.stored(),
        Stored::from([stored_as("up{job=\"node\"}", &samples)])
    );
}

#[tokio::test]
async fn a_zero_that_was_not_stored_comes_with_the_repetition() {
    let edge = Edge::new();
    let mut builder = Builder::new();
    builder.series(UP, &[(NOW_MS, 7.0)]).created_timestamp = NOW_MS - 5;
    edge.post_v2(&Builder::new().encode()).await.expect(204, "");
    edge.disk.set_capacity(Some(edge.disk.used_bytes()));
    edge.post_v2(&builder.encode()).await.expect(503, "");
    edge.disk.set_capacity(None);
    edge.post_v2(&builder.encode()).await.expect(204, "");
    let samples = [(NOW_MS - 5, 0.0), (NOW_MS, 7.0)];
    assert_eq!(
        edge.stored(),
        Stored::from([stored_as("up{job=\"node\"}", &samples)])
    );
}

#[tokio::test]
async fn a_symbol_is_not_a_way_around_the_cap_on_bytes() {
    let edge = Edge::with(IngestLimits {
        body_bytes_max: 1 << 20,
        decompressed_bytes_max: 1 << 20,
        ..IngestLimits::default()
    });
    let long = "v".repeat(4000);
    let mut builder = Builder::new();
    for _ in 0..300 {
        builder.series(&[("__name__", "up"), ("long", &long)], &[(NOW_MS, 1.0)]);
    }
    let answer = edge.post_v2(&builder.encode()).await;
    answer.expect(
        413,
        "nothing was stored: the request has more than 1048577 bytes of labels",
    );
    let same = vec![series(&[("__name__", "up"), ("long", &long)], &[(NOW_MS, 1.0)]); 300];
    edge.post(&prompb::encode(same))
        .await
        .expect(413, "nothing was stored: the body declares");
}

#[tokio::test]
async fn histograms_and_exemplars_come_by_2_0_as_well() {
    let edge = Edge::new();
    let mut builder = Builder::new();
    let labels_refs = builder.refs(&[("trace_id", "abc")]);
    let series = builder.series(&[("__name__", "h"), ("job", "node")], &[]);
    series.histograms = vec![prompb::histogram(NOW_MS, &[3, 0, 4])];
    series.histograms[0].start_timestamp = NOW_MS - 1000;
    series.exemplars = vec![Exemplar {
        labels_refs,
        value: 0.75,
        timestamp: NOW_MS - 1,
    }];
    let answer = edge.post_v2(&builder.encode()).await;
    answer.expect(204, "");
    assert_eq!(answer.written(), Some([0, 1, 1]));
    let (series, ts, histogram) = edge.stored_histograms().remove(0);
    assert_eq!((series.as_str(), ts), ("h{job=\"node\"}", NOW_MS));
    let parts = histogram.parts();
    assert_eq!(parts.created, Some(barograph_model::TimestampMs(NOW_MS - 1000)));
    assert_eq!(prompb::from_parts(parts, NOW_MS).positive_deltas, [3, -3, 4]);
    let (_, exemplar) = edge.stored_exemplars().remove(0);
    assert_eq!((exemplar.labels.get("trace_id"), exemplar.value), ("abc", 0.75));
}

//! Tables over histograms, exemplars and metadata.

use barograph_engine::SampleColumns;
use barograph_model::{
    Exemplar, Histogram, HistogramCounts, HistogramParts, Labels, Metadata, MetricType, Span, TimestampMs,
    stale_nan,
};

use super::fixture::{HOUR_MS, START_MS, Store, labels};

fn histogram(counts: &[u64]) -> Histogram {
    Histogram::new(HistogramParts {
        schema: 2,
        sum: 1.5,
        positive_spans: vec![Span {
            offset: 1,
            length: counts.len() as u32,
        }],
        counts: HistogramCounts::Integer {
            count: counts.iter().sum(),
            zero_count: 0,
            positive: counts.to_vec(),
            negative: Vec::new(),
        },
        ..HistogramParts::default()
    })
    .unwrap()
}

/// Two series with histograms, one of them with exemplars, half of it in segments.
fn filled() -> Store {
    let store = Store::new();
    for hour in 0..3 {
        let head = store.engine.head();
        let mut columns = SampleColumns::new(&head);
        let ts = START_MS + hour * HOUR_MS;
        let latency = head.series(&labels(r#"latency{job="api"}"#));
        columns.push_histogram(latency, ts, histogram(&[1, hour as u64]));
        columns.push_histogram(head.series(&labels(r#"size{job="api"}"#)), ts, histogram(&[7]));
        for trace in ["t1", "t2"] {
            let exemplar = Exemplar {
                labels: Labels::from_pairs([("trace_id", trace)]).unwrap(),
                value: hour as f64 / 2.0,
                ts: TimestampMs(ts),
            };
            columns.push_exemplar(latency, exemplar);
        }
        let metadata = Metadata {
            metric_type: MetricType::Histogram,
            help: format!("help {hour}"),
            unit: "seconds".to_owned(),
        };
        columns.push_metadata("latency".to_owned(), metadata);
        store.engine.append_blocking(columns).unwrap();
        if hour == 1 {
            store.engine.flush().unwrap();
        }
    }
    let head = store.engine.head();
    let mut columns = SampleColumns::new(&head);
    let marker = HistogramParts {
        sum: stale_nan(),
        ..HistogramParts::default()
    };
    let size = head.series(&labels(r#"size{job="api"}"#));
    columns.push_histogram(size, START_MS + 3 * HOUR_MS, Histogram::new(marker).unwrap());
    store.engine.append_blocking(columns).unwrap();
    store
}

/// One store for all: filling it is what takes the time.
#[test]
fn lanes_are_tables() {
    let store = filled();
    histograms_are_rows_with_typed_columns(&store);
    exemplars_join_their_series(&store);
    a_condition_narrows_what_is_read(&store);
    metadata_is_the_newest_word(&store);
}

fn histograms_are_rows_with_typed_columns(store: &Store) {
    assert_eq!(
        store.rows(
            "SELECT ts, metric, schema, reset_hint, sum, count, positive, positive_spans[1]['offset'] AS first, stale \
             FROM histograms WHERE metric = 'latency' ORDER BY ts"
        ),
        [
            "2026-01-01T00:00:00.000Z | latency | 2 | unknown | 1.5 | 1 | [1,0] | 1 | false",
            "2026-01-01T01:00:00.000Z | latency | 2 | unknown | 1.5 | 2 | [1,1] | 1 | false",
            "2026-01-01T02:00:00.000Z | latency | 2 | unknown | 1.5 | 3 | [1,2] | 1 | false",
        ]
    );
    let counted =
        "SELECT metric, count(*), count(*) FILTER (WHERE stale) FROM histograms GROUP BY 1 ORDER BY 1";
    assert_eq!(store.rows(counted), ["latency | 3 | 0", "size | 4 | 1"]);
    assert_eq!(
        store.rows("SELECT count(count_float), count(positive_float) FROM histograms"),
        ["0 | 0"]
    );
}

fn exemplars_join_their_series(store: &Store) {
    assert_eq!(
        store.rows(
            "SELECT e.ts, e.value, e.labels['trace_id'], s.labels['job'] FROM exemplars e JOIN series s USING (series_id) \
             WHERE e.ts >= TIMESTAMP '2026-01-01T01:00:00Z' ORDER BY 1, 3"
        ),
        [
            "2026-01-01T01:00:00.000Z | 0.5 | t1 | api",
            "2026-01-01T01:00:00.000Z | 0.5 | t2 | api",
            "2026-01-01T02:00:00.000Z | 1.0 | t1 | api",
            "2026-01-01T02:00:00.000Z | 1.0 | t2 | api",
        ]
    );
    assert_eq!(
        store.rows("SELECT count(*) FROM exemplars WHERE metric = 'size'"),
        ["0"]
    );
    assert_eq!(store.rows("SELECT value FROM exemplars LIMIT 3").len(), 3);
}

fn a_condition_narrows_what_is_read(store: &Store) {
    let plan = store.rows(
        "EXPLAIN SELECT * FROM histograms WHERE metric = 'size' AND ts < TIMESTAMP '2026-01-01T01:00:00Z'",
    );
    let plan = plan.join("\n");
    assert!(plan.contains("HistogramsExec"), "{plan}");
    assert!(
        plan.contains(r#"matchers={__name__="size"}"#) && plan.contains("range=["),
        "{plan}"
    );
    assert!(!plan.contains("FilterExec"), "{plan}");
}

fn metadata_is_the_newest_word(store: &Store) {
    assert_eq!(
        store.rows("SELECT * FROM metadata"),
        ["latency | histogram | seconds | help 2"]
    );
}

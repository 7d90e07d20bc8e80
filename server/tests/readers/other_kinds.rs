//! The segments of native histograms, of exemplars and of rollups, by what docs/format/segment.md says of their columns.

use std::fs::File;
use std::path::Path;

use arrow::ipc::writer::StreamWriter;
use barograph_model::stale_nan;
use barograph_proto::prometheus::histogram::{Count, ZeroCount};
use barograph_proto::prometheus::{BucketSpan, Exemplar, Histogram, TimeSeries, WriteRequest};

use super::{nasty, run_script};
use crate::limits::metric;
use crate::program::{Barograph, Pairs, body, compressed, eventually, labels, now_ms, pairs};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// Writes what SQL gives into a file, as an Arrow stream.
async fn told(barograph: &Barograph, query: &str, path: &Path) -> String {
    let batches = barograph.sql(query).await;
    let mut writer = StreamWriter::try_new(File::create(path).unwrap(), &batches[0].schema()).unwrap();
    for batch in &batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    path.display().to_string()
}

async fn write(barograph: &Barograph, body: Vec<u8>) {
    let (status, text) = barograph.write(body).await.unwrap();
    assert_eq!(status, 204, "{text}");
}

fn spans(spans: &[(i32, u32)]) -> Vec<BucketSpan> {
    let span = |(offset, length): &(i32, u32)| BucketSpan {
        offset: *offset,
        length: *length,
    };
    spans.iter().map(span).collect()
}

/// One histogram of each kind. Those of another round differ where they can.
fn histograms(timestamp: i64, round: u64) -> [(&'static str, Histogram); 4] {
    let integer = Histogram {
        count: Some(Count::CountInt(9 + round)),
        zero_count: Some(ZeroCount::ZeroCountInt(2 + round)),
        sum: 0.1 + 0.2 + round as f64,
        schema: 3,
        zero_threshold: 1e-9,
        positive_spans: spans(&[(-2, 2), (4, 1)]),
        positive_deltas: vec![1, 0, 1],
        negative_spans: spans(&[(0, 1)]),
        negative_deltas: vec![3],
        timestamp,
        ..Histogram::default()
    };
    let float = Histogram {
        count: Some(Count::CountFloat(7.5)),
        zero_count: Some(ZeroCount::ZeroCountFloat(0.5)),
        sum: -0.0,
        schema: -1,
        positive_spans: spans(&[(1, 2)]),
        positive_counts: vec![3.0, 4.0],
        // A gauge.
        reset_hint: 3,
        timestamp,
        ..Histogram::default()
    };
    let custom = Histogram {
        count: Some(Count::CountInt(8)),
        sum: 1.0 / 3.0,
        schema: -53,
        positive_spans: spans(&[(0, 2), (1, 1)]),
        positive_deltas: vec![2, -1, 4],
        custom_values: vec![0.1, 0.5, 1.0],
        timestamp,
        ..Histogram::default()
    };
    let stale = Histogram {
        count: Some(Count::CountInt(0)),
        sum: stale_nan(),
        timestamp,
        ..Histogram::default()
    };
    [
        ("integer", integer),
        ("float", float),
        ("custom", custom),
        ("stale", stale),
    ]
}

/// Exemplars of one instant: one without labels, the others told apart by them.
fn exemplars(timestamp: i64, round: usize) -> Vec<Exemplar> {
    let values = nasty();
    let exemplar = |i: usize| Exemplar {
        labels: match i {
            0 => Vec::new(),
            _ => labels(&pairs(&[("trace_id", &format!("t{i}")), ("näme", "\"\\\n")])),
        },
        value: values[(i + round) % values.len()],
        timestamp,
    };
    (0..values.len()).map(exemplar).collect()
}

#[tokio::test]
async fn pyarrow_reads_the_histograms_and_exemplars_that_our_sql_gives() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    let start = now_ms() - MINUTE_MS;
    // Two starts, so that there are two files of each kind, the second with newer rows for some instants.
    for round in 0..2 {
        barograph.start().await;
        let mut request = WriteRequest::default();
        for i in 0..5 {
            let ts = start + (i + 2 * round) * 1000;
            for (kind, histogram) in histograms(ts, round as u64) {
                request.timeseries.push(TimeSeries {
                    labels: labels(&pairs(&[
                        ("__name__", "latency"),
                        ("job", "näme"),
                        ("kind", kind),
                    ])),
                    histograms: vec![histogram],
                    ..TimeSeries::default()
                });
            }
            request.timeseries.push(TimeSeries {
                labels: labels(&pairs(&[("__name__", "requests_total"), ("job", "näme")])),
                exemplars: exemplars(ts, round as usize),
                ..TimeSeries::default()
            });
        }
        write(&barograph, compressed(&request)).await;
        assert!(barograph.terminate().success());
    }
    barograph.start().await;
    let rows = barograph
        .rows("SELECT (SELECT count(*) FROM histograms) AS h, (SELECT count(*) FROM exemplars) AS e")
        .await;
    let counts = (rows[0][0].as_u64(), rows[0][1].as_u64());
    assert_eq!(counts, (Some(7 * 4), Some(7 * nasty().len() as u64)));
    let mut answers = Vec::new();
    for kind in ["histograms", "exemplars"] {
        let path = root.path().join(format!("{kind}.arrow"));
        answers.push((
            kind,
            told(&barograph, &format!("SELECT * FROM {kind}"), &path).await,
        ));
    }
    assert!(barograph.terminate().success());
    let segments = barograph.data_dir.join("segments").display().to_string();
    for (kind, answer) in answers {
        run_script(
            "readers/lanes_with_pyarrow.py",
            &[segments.clone(), kind.to_owned(), answer],
        );
    }
}

/// A sample each minute of a day.
fn minutes(start: i64, mut value: impl FnMut(i64) -> f64) -> Vec<(i64, f64)> {
    (0..1440).map(|i| (start + i * MINUTE_MS, value(i))).collect()
}

/// A day of samples: a counter with resets, decimals, what is hard to keep, what is large, and what is mostly not there.
fn day(start: i64) -> Vec<(Pairs, Vec<(i64, f64)>)> {
    let mut counter = 0.0;
    let counted = minutes(start, |i| {
        counter = if i % 333 == 332 {
            0.0
        } else {
            counter + (i % 7) as f64 / 4.0
        };
        counter
    });
    let decimals = minutes(start, |i| ((i * 37) % 201) as f64 / 10.0 - 10.0);
    let odd = [
        f64::NAN,
        stale_nan(),
        -0.0,
        std::f64::consts::PI,
        1.0 / 3.0,
        0.1 + 0.2,
        f64::from_bits(0xfff8_dead_beef_0000),
    ];
    let odds = minutes(start, |i| odd[((i + i / 60) % 7) as usize]);
    // Each hour with one infinity at most.
    let large = [1e22, 1e15, -3.5e10, 123_456.789];
    let larges = minutes(start, |i| {
        if i % 500 == 499 {
            f64::INFINITY
        } else {
            large[(i % 4) as usize]
        }
    });
    let sparse = (0..16).flat_map(|i| {
        let ts = start + i * 90 * MINUTE_MS;
        [(ts, i as f64), (ts + MINUTE_MS, stale_nan())]
    });
    let named = |name: &str| pairs(&[("__name__", name), ("job", "rolled")]);
    vec![
        (named("requests_total"), counted),
        (named("temperature"), decimals),
        (named("odd"), odds),
        (named("large"), larges),
        (named("sparse"), sparse.collect()),
    ]
}

#[tokio::test]
async fn duckdb_reads_the_rollups_of_the_samples_that_our_sql_gives() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    barograph.start().await;
    // A day that has ended, for more than the hour that it waits for late samples.
    let start = (now_ms() / DAY_MS - 2) * DAY_MS;
    write(&barograph, body(&day(start))).await;
    assert!(barograph.terminate().success());
    barograph.start().await;
    eventually("rollups of both widths", || async {
        let five_minutes = metric(&barograph, "barograph_store_rollup_5m_buckets ").await;
        let hours = metric(&barograph, "barograph_store_rollup_1h_buckets ").await;
        (five_minutes > 0.0 && hours > 0.0).then_some(())
    })
    .await;
    let query =
        "SELECT series_id, CAST(ts AS BIGINT) AS ms, value, stale FROM samples ORDER BY series_id, ts";
    let answer = told(&barograph, query, &root.path().join("samples.arrow")).await;
    assert!(barograph.terminate().success());
    let segments = barograph.data_dir.join("segments").display().to_string();
    run_script("readers/rollups_with_duckdb.py", &[segments, answer]);
}

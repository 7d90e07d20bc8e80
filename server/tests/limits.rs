//! The program under more than it can take: what it answers, what it holds, what is there afterwards.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::program::{Barograph, Pairs, Samples, body, now_ms, pairs};

const MIB: usize = 1 << 20;

fn config(root: &Path, text: &str) -> PathBuf {
    let path = root.join("barograph.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn series(i: i64) -> Pairs {
    pairs(&[
        ("__name__", "flood_total"),
        ("instance", &format!("host-{i}:9100")),
        ("job", "flood"),
    ])
}

/// Ten samples each of many series, which do not compress.
fn flood(writer: i64, number: i64, start: i64) -> Vec<(Pairs, Vec<(i64, f64)>)> {
    let samples = |i: i64| {
        (0..10).map(move |k| {
            let ts = start + number * 10 + k;
            (ts, (ts * 7919 + i * 104_729) as f64 * std::f64::consts::PI)
        })
    };
    (0..1500)
        .map(|i| (series(writer * 1500 + i), samples(i).collect()))
        .collect()
}

/// The value of a line of `/metrics` that begins so.
pub async fn metric(barograph: &Barograph, line: &str) -> f64 {
    let (_, text) = barograph.get("/metrics").await;
    let found = text.lines().find_map(|l| l.strip_prefix(line));
    found
        .unwrap_or_else(|| panic!("{line} in\n{text}"))
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn senders_that_overload_are_told_to_wait_and_memory_stays_within_the_budget() {
    const BUDGET: usize = 128 * MIB;
    const REQUESTS: i64 = 12;
    let root = tempfile::tempdir().unwrap();
    // Room for few requests at once, so that sixteen senders are more than it takes.
    let config = config(
        root.path(),
        "[storage]\nmemory_budget = \"128MiB\"\n\
         [ingest]\nbody = \"512KiB\"\ndecompressed = \"512KiB\"\nin_flight = \"1536KiB\"\n",
    );
    let mut barograph = Barograph::new(root.path()).with_config(config);
    barograph.start().await;
    let idle = barograph.memory_bytes("RssAnon:");
    let start = now_ms() - 3_600_000;
    let (taken, refused, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let most = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let writing = async {
        let writers = (0..16).map(|writer| {
            let (barograph, taken, refused, failed) = (&barograph, &taken, &refused, &failed);
            async move {
                for number in 0..REQUESTS {
                    let body = body(&flood(writer, number, start));
                    loop {
                        match barograph.write(body.clone()).await {
                            Some((204, _)) => {
                                taken.fetch_add(1, Ordering::Relaxed);
                                break;
                            }
                            Some((503, text)) => {
                                assert!(text.contains("send"), "{text}");
                                refused.fetch_add(1, Ordering::Relaxed);
                                tokio::time::sleep(Duration::from_millis(50)).await;
                            }
                            other => {
                                println!("{other:?}");
                                failed.fetch_add(1, Ordering::Relaxed);
                                break;
                            }
                        }
                    }
                }
            }
        });
        futures::future::join_all(writers).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let watching = async {
        while !is_over.load(Ordering::Relaxed) {
            most.fetch_max(barograph.memory_bytes("RssAnon:"), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(writing, watching);
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    let most = most.into_inner();
    println!(
        "budget {} MiB: {taken} requests of 15,000 samples taken, {refused} refused; anonymous memory idle {} MiB, at most {} \
         MiB; VmHWM {} MiB of which mapped files {} MiB at the end",
        BUDGET / MIB,
        idle / MIB,
        most / MIB,
        barograph.memory_bytes("VmHWM:") / MIB,
        barograph.memory_bytes("RssFile:") / MIB,
    );
    assert_eq!(
        (taken, failed.into_inner()),
        (16 * REQUESTS as usize, 0),
        "each came through in the end"
    );
    assert!(refused > 0, "nobody was told to wait");
    assert!(most <= BUDGET, "{most} bytes are more than the budget");
    let counted = metric(
        &barograph,
        "barograph_ingest_refused_total{tenant=\"default\",reason=\"overload\"}",
    )
    .await;
    assert_eq!(counted as usize, refused);
    assert!(barograph.log().contains("refused"), "it is told in the log");
    let rows = barograph.rows("SELECT count(*) FROM samples").await;
    assert_eq!(rows[0][0], 16 * REQUESTS * 15_000);
    let shares = barograph
        .rows("SELECT share, peak_bytes, max_bytes FROM system.memory WHERE share <> 'process' AND max_bytes IS NOT NULL")
        .await;
    assert_eq!(shares.len(), 8);
    for row in &shares {
        println!("{row:?}");
    }
}

#[tokio::test]
async fn a_log_larger_than_the_memtables_share_is_replayed_within_the_budget() {
    let root = tempfile::tempdir().unwrap();
    let large = config(root.path(), "[storage]\nmemory_budget = \"4GiB\"\n");
    let mut barograph = Barograph::new(root.path()).with_config(large.clone());
    barograph.start().await;
    let start = now_ms() - 3_600_000;
    let mut samples = 0;
    // 3,000,000 rows are 60 MB in memory.
    for number in 0..200 {
        let (status, text) = barograph.write(body(&flood(0, number, start))).await.unwrap();
        assert_eq!(status, 204, "{text}");
        samples += 15_000;
    }
    assert_eq!(metric(&barograph, "barograph_store_flushes_total").await, 0.0);
    let log_bytes = metric(&barograph, "barograph_store_wal_bytes").await;
    barograph.kill();
    std::fs::write(&large, "[storage]\nmemory_budget = \"64MiB\"\n").unwrap();
    barograph.start().await;
    let flushes = metric(&barograph, "barograph_store_flushes_total").await;
    let peak = metric(&barograph, "barograph_memory_peak_bytes{share=\"memtable\"}").await;
    println!(
        "a log of {} MiB with {samples} samples: {flushes} flushes, memtable at most {} MiB of 16 MiB, VmHWM {} MiB, \
         anonymous memory {} MiB",
        log_bytes as usize / MIB,
        peak as usize / MIB,
        barograph.memory_bytes("VmHWM:") / MIB,
        barograph.memory_bytes("RssAnon:") / MIB,
    );
    assert!(flushes >= 5.0);
    assert!(peak <= 16.0 * MIB as f64);
    let log = barograph.log();
    assert!(log.contains("replayed the write-ahead log"), "{log}");
    let rows = barograph.rows("SELECT count(*) FROM samples").await;
    assert_eq!(rows[0][0], samples);
}

#[tokio::test]
async fn tenants_have_their_own_limits_and_share_the_data() {
    let root = tempfile::tempdir().unwrap();
    let config = config(
        root.path(),
        "[[tenant]]\nid = \"*\"\nseries_max = 3\n[[tenant]]\nid = \"slow\"\nsamples_per_second = 5\nsamples_burst = 5\n",
    );
    let mut barograph = Barograph::new(root.path()).with_config(config);
    barograph.start().await;
    let ts = now_ms();
    let of = |numbers: std::ops::Range<i64>| -> Vec<(Pairs, Vec<(i64, f64)>)> {
        numbers.map(|i| (series(i), vec![(ts, i as f64)])).collect()
    };
    let (status, text) = barograph.write_as("a", body(&of(0..5))).await.unwrap();
    assert_eq!(status, 400);
    assert!(
        text.contains("refused 2 new series over a limit (2 samples)"),
        "{text}"
    );
    assert!(
        text.contains("the other 3 samples of the request are stored"),
        "{text}"
    );
    assert!(
        text.contains("tenant \"a\" may write 3 series (series_max)"),
        "{text}"
    );
    assert_eq!(barograph.write_as("b", body(&of(3..5))).await.unwrap().0, 204);
    assert_eq!(
        barograph.write_as("slow", body(&of(10..20))).await.unwrap().0,
        204
    );
    let (status, text) = barograph.write_as("slow", body(&of(20..21))).await.unwrap();
    assert_eq!(status, 429, "{text}");
    assert_eq!(barograph.write_as("a|b", body(&of(0..1))).await.unwrap().0, 400);
    let rows = barograph.rows("SELECT count(*) FROM flood_total").await;
    assert_eq!(rows[0][0], 15, "one query sees what all of them wrote");
    for (line, value) in [
        ("barograph_tenant_series{tenant=\"a\"}", 3.0),
        ("barograph_tenant_series{tenant=\"slow\"}", 10.0),
        ("barograph_tenant_samples_total{tenant=\"b\"}", 2.0),
        (
            "barograph_ingest_refused_total{tenant=\"a\",reason=\"series_max\"}",
            1.0,
        ),
        (
            "barograph_ingest_refused_samples_total{tenant=\"a\",reason=\"series_max\"}",
            2.0,
        ),
        (
            "barograph_ingest_refused_total{tenant=\"slow\",reason=\"samples_per_second\"}",
            1.0,
        ),
        (
            "barograph_ingest_refused_total{tenant=\"(others)\",reason=\"tenant\"}",
            1.0,
        ),
    ] {
        assert_eq!(metric(&barograph, line).await, value, "{line}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_its_sync_survives_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let config = config(root.path(), "[storage]\nfsync = \"10s\"\n");
    let mut barograph = Barograph::new(root.path()).with_config(config);
    let start = now_ms() - 3_600_000;
    let mut acknowledged = Samples::new();
    for round in 0..3 {
        barograph.start().await;
        for number in 0..20 {
            let ts = start + round * 1000 + number;
            let rows = vec![(series(number), vec![(ts, ts as f64)])];
            assert_eq!(barograph.write(body(&rows)).await.unwrap().0, 204);
            acknowledged.insert((series(number), ts), (ts as f64).to_bits());
        }
        barograph.kill();
    }
    barograph.start().await;
    assert_eq!(barograph.samples(start, now_ms()).await, acknowledged);
    assert_eq!(barograph.terminate().code(), Some(0));
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_takes_no_more_writes() {
    let root = tempfile::tempdir().unwrap();
    let config = config(root.path(), "[storage]\nmin_free_bytes = \"1000TiB\"\n");
    let mut barograph = Barograph::new(root.path()).with_config(config);
    barograph.start().await;
    let rows = vec![(series(1), vec![(now_ms(), 1.0)])];
    let (status, text) = barograph.write(body(&rows)).await.unwrap();
    assert_eq!(status, 503, "{text}");
    assert!(
        text.contains("are kept for flushes and merges (min_free_bytes)"),
        "{text}"
    );
    let line = "barograph_ingest_refused_total{tenant=\"default\",reason=\"disk_low\"}";
    assert_eq!(metric(&barograph, line).await, 1.0);
    assert!(metric(&barograph, "barograph_store_disk_free_bytes").await > 0.0);
}

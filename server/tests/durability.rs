//! What was acknowledged is there: after kill -9 at any moment, and on a full disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Mutex;

use super::program::{Barograph, Pairs, Samples, body, now_ms, pairs};

const KILLS: usize = 20;
const WRITERS: i64 = 3;

fn series(i: i64) -> Pairs {
    pairs(&[
        ("__name__", "written_total"),
        ("instance", &format!("i{i}")),
        ("job", "kill"),
    ])
}

/// One batch: the next instants of some series, so that no two batches share a sample.
fn batch(writer: i64, number: i64, start: i64) -> Vec<(Pairs, Vec<(i64, f64)>)> {
    let instants =
        move |i: i64| (0..3).map(move |k| (start + (number * 3 + k) * 10, (number * 7 + k + i) as f64 / 4.0));
    (0..20)
        .map(|i| (series(writer * 100 + i), instants(i).collect()))
        .collect()
}

#[tokio::test]
async fn each_acknowledged_sample_survives_twenty_kills_once() {
    let seed: u64 =
        std::env::var("BAROGRAPH_KILL_SEED").map_or_else(|_| rand::rng().random(), |s| s.parse().unwrap());
    println!("BAROGRAPH_KILL_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let root = tempfile::tempdir().unwrap();
    let start = now_ms() - 3_600_000;
    let mut barograph = Barograph::new(root.path());
    let acknowledged = Arc::new(Mutex::new(Samples::new()));
    let numbers: Arc<Vec<AtomicI64>> = Arc::new((0..WRITERS).map(|_| AtomicI64::new(0)).collect());
    for round in 0..KILLS {
        barograph.start().await;
        let writing = async {
            let writers = (0..WRITERS).map(|writer| {
                let (barograph, acknowledged, numbers) = (&barograph, &acknowledged, &numbers);
                async move {
                    loop {
                        let number = numbers[writer as usize].fetch_add(1, Ordering::Relaxed);
                        let rows = batch(writer, number, start);
                        let Some((status, text)) = barograph.write(body(&rows)).await else {
                            return;
                        };
                        assert_eq!(status, 204, "{text}");
                        let mut acknowledged = acknowledged.lock().await;
                        for (pairs, samples) in rows {
                            let samples = samples
                                .into_iter()
                                .map(|(ts, v)| ((pairs.clone(), ts), v.to_bits()));
                            acknowledged.extend(samples);
                        }
                    }
                }
            });
            futures::future::join_all(writers).await
        };
        let pause = Duration::from_millis(random.random_range(5..250));
        let _ = tokio::time::timeout(pause, writing).await;
        barograph.kill();
        assert!(round > 0 || numbers.iter().any(|n| n.load(Ordering::Relaxed) > 0));
    }
    barograph.start().await;
    // `samples` fails where one is there twice.
    let found = barograph.samples(start, now_ms()).await;
    let acknowledged = acknowledged.lock().await;
    assert!(
        acknowledged.len() > 1_000,
        "{} samples were acknowledged",
        acknowledged.len()
    );
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|(key, bits)| found.get(*key) != Some(bits))
        .take(5)
        .collect();
    assert!(
        lost.is_empty(),
        "seed {seed}: acknowledged and not there: {lost:?}"
    );
}

#[tokio::test]
async fn a_full_disk_refuses_writes_serves_reads_and_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    // No file may grow beyond 2 MiB: to the program it is a disk that takes no more.
    let limit = [
        "bash",
        "-c",
        "trap '' XFSZ; ulimit -f 2048; exec \"$@\"",
        "limited",
    ]
    .map(str::to_owned);
    barograph.start_under(&limit).await;
    let start = now_ms() - 3_600_000;
    let mut acknowledged = Samples::new();
    let mut refused = None;
    for number in 0..4_000 {
        // Noise does not compress.
        let rows: Vec<(Pairs, Vec<(i64, f64)>)> = (0..200)
            .map(|i| {
                (
                    series(i),
                    vec![(
                        start + number,
                        (number * 7919 + i * 104_729) as f64 * std::f64::consts::PI,
                    )],
                )
            })
            .collect();
        let (status, text) = barograph.write(body(&rows)).await.expect("an answer");
        if status != 204 {
            refused = Some((status, text));
            break;
        }
        for (pairs, samples) in rows {
            acknowledged.insert((pairs, samples[0].0), samples[0].1.to_bits());
        }
    }
    let (status, text) = refused.expect("the disk is full at some time");
    assert_eq!(status, 503, "{text}");
    assert!(!acknowledged.is_empty());
    assert_eq!(
        barograph.samples(start, now_ms()).await,
        acknowledged,
        "reads go on"
    );
    barograph.kill();
    barograph.start().await;
    assert_eq!(
        barograph.samples(start, now_ms()).await,
        acknowledged,
        "nothing acknowledged is lost"
    );
    let rows = vec![(series(0), vec![(start - 1, 1.0)])];
    assert_eq!(
        barograph.write(body(&rows)).await.map(|(status, _)| status),
        Some(204),
        "with room it goes on"
    );
}

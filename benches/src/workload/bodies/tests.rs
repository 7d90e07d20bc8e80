use std::collections::HashMap;

use barograph_proto::prometheus::WriteRequest;

use super::super::churn::Pods;
use super::super::steady::Steady;
use super::super::tsbs::Hosts;
use super::*;

const NOW: TimestampMs = TimestampMs(1_768_397_823_456);

fn extent() -> Extent {
    Extent {
        scale: 1.0,
        rounds: None,
        connections: 4,
        request_samples: 500,
        now: NOW,
    }
}

fn plain(body: &[u8]) -> WriteRequest {
    let mut plain = vec![0; snap::raw::decompress_len(body).unwrap()];
    snap::raw::Decoder::new().decompress(body, &mut plain).unwrap();
    WriteRequest::decode(plain.as_slice()).unwrap()
}

/// Each request is one that Prometheus could have sent, and each series keeps to its request.
fn check(fleet: &mut dyn Fleet, rounds: usize) -> Bodies {
    let bodies = Bodies::encode(fleet, rounds, extent()).unwrap();
    let mut seen: HashMap<Vec<(String, String)>, (usize, i64)> = HashMap::new();
    for (round, requests) in bodies.rounds.iter().enumerate() {
        assert_eq!(requests.len(), bodies.rounds[0].len());
        let mut samples = 0;
        for (part, body) in requests.iter().enumerate() {
            for series in plain(body).timeseries {
                let labels: Vec<_> = series.labels.into_iter().map(|l| (l.name, l.value)).collect();
                assert!(labels.is_sorted() && labels[0].0 == "__name__", "{labels:?}");
                assert_eq!(series.samples.len(), 1);
                let ts = series.samples[0].timestamp;
                assert!(bodies.from.0 <= ts && ts < bodies.until.0 - FREE_MS);
                if let Some((before, earlier)) = seen.insert(labels, (part, ts)) {
                    assert_eq!(before, part);
                    assert!(earlier < ts);
                }
                samples += 1;
            }
        }
        assert_eq!(samples, bodies.samples_of_round[round]);
    }
    assert_eq!(seen.len(), bodies.series);
    bodies
}

#[test]
fn a_steady_fleet_has_every_series_in_every_round() {
    let bodies = check(&mut Steady::new(1_200).unwrap(), 3);
    assert_eq!(bodies.samples_of_round, [1_200; 3]);
    assert_eq!((bodies.series, bodies.rounds[0].len()), (1_200, 4));
    assert_eq!(bodies.until, TimestampMs(1_768_397_820_000));
}

#[test]
fn hosts_have_ten_series_each() {
    let bodies = check(&mut Hosts::new(70).unwrap(), 3);
    assert_eq!((bodies.series, bodies.samples()), (700, 2_100));
}

#[test]
fn a_tenth_of_the_pods_is_replaced_each_round() {
    let bodies = check(&mut Pods::new(100), 3);
    assert_eq!(bodies.samples_of_round, [1_000; 3]);
    assert_eq!(bodies.series, 1_000 + 2 * 100);
}

#[test]
fn few_series_are_cut_for_all_connections() {
    let bodies = check(&mut Hosts::new(1).unwrap(), 2);
    assert_eq!(bodies.rounds[0].len(), 4);
}

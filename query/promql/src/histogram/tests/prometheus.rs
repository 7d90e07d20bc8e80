//! What a real Prometheus answered: Debian's 2.42, with native histograms switched on.
//!
//! `prometheus.json` holds 40 pairs of random histograms, each with its JSON form and that of their `sum`, and 25
//! windows of up to 5 samples, 15 s apart, with `increase` and `delta` over exactly their length, so that nothing is
//! extrapolated. They were sent by remote write. Quantiles and fractions are not among them, because Prometheus
//! interpolates them otherwise since 3.0, and `irate` and the like did not know histograms then.

use serde_json::Value;

use super::h;
use crate::histogram::{FloatHistogram, HistogramSum, delta, increase};

fn recorded(part: &str) -> Vec<Value> {
    let recorded: Value = serde_json::from_str(include_str!("prometheus.json")).unwrap();
    recorded[part].as_array().unwrap().clone()
}

fn histogram(notation: &Value) -> FloatHistogram {
    h(notation.as_str().unwrap())
}

fn float(text: &Value) -> f64 {
    text.as_str().unwrap().parse().unwrap()
}

/// Whether the buckets hold what the count says. They do not where Prometheus counts observations in the zero bucket
/// and in a coarser bucket besides.
fn adds_up(json: &Value) -> bool {
    let buckets = json["buckets"].as_array().into_iter().flatten();
    buckets.map(|bucket| float(&bucket[3])).sum::<f64>() == float(&json["count"])
}

#[test]
fn json_and_sums() {
    let mut odd = 0;
    for case in recorded("sums") {
        let (a, b) = (histogram(&case["a"]), histogram(&case["b"]));
        assert_eq!(a.to_json(), case["a_json"], "{case}");
        let mut sum = HistogramSum::new(&a);
        sum.push(&b).unwrap();
        let sum = sum.finish().0.to_json();
        assert!(adds_up(&sum), "{sum} of {case}");
        if adds_up(&case["sum_json"]) {
            assert_eq!(sum, case["sum_json"], "{case}");
        } else {
            odd += 1;
        }
    }
    assert_eq!(odd, 2);
}

#[test]
fn windows() {
    for case in recorded("windows") {
        let samples: Vec<_> = case["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(histogram)
            .collect();
        for (function, found) in [("increase", increase(&samples)), ("delta", delta(&samples))] {
            let mut histogram = found.histogram.unwrap();
            // Prometheus 2.42 brings a window to the schema of a first sample, too, that a reset has made void.
            histogram.reduce_to(samples[0].schema());
            assert_eq!(histogram.to_json(), case[function], "{function} of {case}");
        }
    }
}

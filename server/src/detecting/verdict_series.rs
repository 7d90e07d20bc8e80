//! Verdicts as ordinary series, so that they have the store's durability, retention, SQL and PromQL.

use barograph_detectors::Verdict;
use barograph_engine::{Head, SampleColumns, SeriesRef};
use barograph_model::{Labels, METRIC_NAME, TimestampMs};

/// What the names of all verdict series begin with.
pub const VERDICT_PREFIX: &str = "barograph_detector_";

/// Significant digits that are kept of scores and bands. More would be noise, and short decimals take a fraction
/// of the room on disk.
const DIGITS: i32 = 6;

/// The series that hold the verdicts on one watched series.
#[derive(Debug)]
pub struct VerdictSeries {
    detector: String,
    watched: Labels,
    /// the head that the series are of
    head: Head,
    value: SeriesRef,
    score: SeriesRef,
    expected: SeriesRef,
    lower: SeriesRef,
    upper: SeriesRef,
    anomaly: SeriesRef,
}

impl VerdictSeries {
    /// The series for what `detector` says of a watched series: its labels, its metric as label `metric`, and the
    /// detector's name as label `detector`. Labels of those names move to `exported_metric`, `exported_detector`.
    #[must_use]
    pub fn new(head: &Head, detector: &str, watched: &Labels) -> Self {
        let series = |what: &str| head.series(&verdict_labels(what, detector, watched));
        Self {
            detector: detector.to_owned(),
            watched: watched.clone(),
            head: head.clone(),
            value: series("value"),
            score: series("score"),
            expected: series("expected"),
            lower: series("lower"),
            upper: series("upper"),
            anomaly: series("anomaly"),
        }
    }

    /// Adds a verdict, and the value it judged, as samples; what the detector did not say is left out.
    pub fn push(&mut self, ts: TimestampMs, value: f64, verdict: &Verdict, columns: &mut SampleColumns) {
        if !self.head.is(columns.head()) {
            *self = Self::new(columns.head(), &self.detector, &self.watched);
        }
        columns.push(self.value, ts.0, round(value));
        columns.push(self.score, ts.0, round(verdict.score));
        columns.push(self.anomaly, ts.0, f64::from(u8::from(verdict.is_anomaly)));
        let bands = [
            (self.expected, verdict.expected),
            (self.lower, verdict.lower),
            (self.upper, verdict.upper),
        ];
        for (series, value) in bands {
            if let Some(value) = value {
                columns.push(series, ts.0, round(value));
            }
        }
    }
}

fn verdict_labels(what: &str, detector: &str, watched: &Labels) -> Labels {
    let mut builder = watched.to_builder();
    for name in ["metric", "detector"] {
        let taken = watched.get(name);
        if !taken.is_empty() {
            builder.set(&format!("exported_{name}"), taken);
        }
    }
    builder.set("metric", watched.metric()).set("detector", detector);
    builder.set(METRIC_NAME, &format!("{VERDICT_PREFIX}{what}"));
    // Every name was set once and none is empty, so the set is sound.
    builder.build().unwrap_or_default()
}

/// The labels of the watched series, from those of one of its verdict series.
#[must_use]
pub(crate) fn watched_labels(verdict: &Labels) -> Labels {
    let mut builder = verdict.to_builder();
    builder
        .remove("metric")
        .remove("detector")
        .set(METRIC_NAME, verdict.get("metric"));
    for name in ["metric", "detector"] {
        let moved = verdict.get(&format!("exported_{name}")).to_owned();
        if !moved.is_empty() {
            builder.remove(&format!("exported_{name}")).set(name, &moved);
        }
    }
    builder.build().unwrap_or_default()
}

/// Rounds to six significant digits.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let places = DIGITS - 1 - value.abs().log10().floor() as i32;
    if !(-15..=22).contains(&places) {
        return value;
    }
    // Dividing by a power of ten, rather than multiplying by a negative one, gives the double nearest to the decimal.
    let scale = 10f64.powi(places.abs());
    if places >= 0 {
        (value * scale).round() / scale
    } else {
        (value / scale).round() * scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_go_there_and_back() {
        for pairs in [
            vec![("__name__", "orders_total"), ("job", "shop")],
            vec![("__name__", "x"), ("metric", "m"), ("detector", "d")],
        ] {
            let watched = Labels::from_pairs(pairs).unwrap();
            let verdict = verdict_labels("score", "nightly", &watched);
            assert_eq!(
                (verdict.metric(), verdict.get("detector")),
                ("barograph_detector_score", "nightly")
            );
            assert_eq!(watched_labels(&verdict), watched);
        }
    }

    #[test]
    fn six_digits_are_kept() {
        assert_eq!(round(123.456_789), 123.457);
        assert_eq!(round(0.000_123_456_789), 0.000_123_457);
        assert_eq!(round(123_456_789.0), 123_457_000.0);
        assert_eq!(round(-0.5), -0.5);
        assert!(round(f64::NAN).is_nan());
        assert_eq!(round(f64::INFINITY), f64::INFINITY);
    }
}

//! Detector rules: "at least 3 of the last 5 verdicts are anomalies", and what follows from the verdicts.

use barograph_model::{Labels, TimestampMs};

use crate::{Finding, Outcome};

/// More points than this are refused.
const MOST_POINTS: usize = 1_000;
const DEFAULT_WINDOW_MS: i64 = 600_000;

/// What a detector rule asks.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorQuery {
    /// The detector's configured name.
    pub detector: String,
    /// Of the detector's series only these, as a PromQL selector; all where it is `None`.
    pub selector: Option<String>,
    /// This many of the last [`DetectorQuery::of_points`] verdicts must count, 1 by default.
    pub points: usize,
    /// How many verdicts are looked at, 1 by default; at least `points`.
    pub of_points: usize,
    /// A verdict counts from this score on; where it is `None`, when the detector itself called it an anomaly.
    pub min_score: Option<f64>,
    /// Verdicts older than this are not looked at; a series without any younger one has missing data.
    pub window_ms: i64,
}

/// One verdict of a detector, as far as a rule needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VerdictPoint {
    /// The instant that was judged.
    pub ts: TimestampMs,
    /// What was observed there; NaN where it is not known.
    pub value: f64,
    /// How unlikely it is: higher is more anomalous.
    pub score: f64,
    /// What the detector expected there.
    pub expected: Option<f64>,
    /// Whether the detector called it an anomaly.
    pub is_anomaly: bool,
}

/// The verdicts on one series, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesVerdicts {
    /// The watched series: the alert's identity.
    pub labels: Labels,
    /// Verdicts inside the rule's window. More than the rule looks at are welcome, only the last count.
    pub points: Vec<VerdictPoint>,
}

impl DetectorQuery {
    /// A query for each single anomaly of a detector.
    #[must_use]
    pub fn new(detector: &str) -> Self {
        Self {
            detector: detector.to_owned(),
            selector: None,
            points: 1,
            of_points: 1,
            min_score: None,
            window_ms: DEFAULT_WINDOW_MS,
        }
    }

    /// Reads `3 of 5`, or `3` for three in a row.
    pub(crate) fn parse_points(text: &str) -> Result<(usize, usize), String> {
        let (points, of) = text.split_once(" of ").unwrap_or((text, text));
        match (points.trim().parse::<usize>(), of.trim().parse::<usize>()) {
            (Ok(points), Ok(of)) if (1..=of).contains(&points) && of <= MOST_POINTS => Ok((points, of)),
            (Ok(_), Ok(_)) => Err(format!(
                "points: {text:?} must ask for 1 to {MOST_POINTS} points, as in \"3 of 5\""
            )),
            _ => Err(format!(
                "points: {text:?} is not a number of points (try \"3 of 5\", or \"3\" for three in a row)"
            )),
        }
    }

    /// The instant from which on verdicts are looked at.
    #[must_use]
    pub fn window_start(&self, now: TimestampMs) -> TimestampMs {
        now.saturating_add(-self.window_ms)
    }

    /// Judges the series a detector watches. Pure; linear in the points.
    ///
    /// A series is found when enough of its last verdicts count, and calm when the verdicts still missing could
    /// not change that. A series without verdicts in the window, or with so few that the question is open, is
    /// neither: its data is missing, and an alert on it stays as it is (see [`Outcome::Judged`]).
    #[must_use]
    pub fn evaluate(&self, now: TimestampMs, series: &[SeriesVerdicts]) -> Outcome {
        let start = self.window_start(now);
        let mut findings = Vec::new();
        let mut calm = Vec::new();
        for SeriesVerdicts { labels, points } in series {
            let recent = &points[points.partition_point(|point| point.ts < start)..];
            let last = &recent[recent.len().saturating_sub(self.of_points)..];
            let counted = last.iter().filter(|point| self.counts(point)).count();
            if counted >= self.points {
                findings.push(self.finding(labels, last, counted));
            } else if !last.is_empty() && counted + (self.of_points - last.len()) < self.points {
                calm.push(labels.clone());
            }
        }
        Outcome::Judged { findings, calm }
    }

    fn counts(&self, point: &VerdictPoint) -> bool {
        self.min_score
            .map_or(point.is_anomaly, |least| point.score >= least)
    }

    /// Told by the newest verdict that counts.
    fn finding(&self, labels: &Labels, last: &[VerdictPoint], counted: usize) -> Finding {
        let newest = last.iter().rev().find(|point| self.counts(point));
        let value = newest.map_or(f64::NAN, |point| point.value);
        let mut evidence = format!(
            "{counted} of the last {} points are anomalies for {}",
            last.len(),
            self.detector
        );
        if let Some(point) = newest {
            evidence.push_str(&format!(
                ", the newest with score {:.3}: value {}",
                point.score, point.value
            ));
            if let Some(expected) = point.expected {
                evidence.push_str(&format!(", expected {expected:.6}"));
            }
        }
        Finding {
            labels: labels.clone(),
            value,
            evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(anomalies: &[u8]) -> SeriesVerdicts {
        let point = |(i, mark): (usize, &u8)| VerdictPoint {
            ts: TimestampMs(1_000 * i as i64),
            value: i as f64,
            score: f64::from(*mark) / 10.0,
            expected: Some(0.5),
            is_anomaly: *mark == b'x',
        };
        let labels = Labels::from_pairs([("s", "1")]).unwrap();
        SeriesVerdicts {
            labels,
            points: anomalies.iter().enumerate().map(point).collect(),
        }
    }

    fn judge(query: &DetectorQuery, marks: &str) -> &'static str {
        match query.evaluate(TimestampMs(600_000), &[series(marks.as_bytes())]) {
            Outcome::Judged { findings, .. } if findings.len() == 1 => "found",
            Outcome::Judged { calm, .. } if calm.len() == 1 => "calm",
            Outcome::Judged { .. } => "open",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn three_of_five() {
        let mut query = DetectorQuery::new("seasonal");
        (query.points, query.of_points) = (3, 5);
        for (marks, expected) in [
            ("x.x.x", "found"),
            ("xxx..", "found"),
            ("xxx...", "calm"),
            ("xx...", "calm"),
            ("", "open"),
            ("x", "open"),
            ("xx.", "open"),
            ("..", "open"),
            ("...", "calm"),
            ("xxx", "found"),
        ] {
            assert_eq!(judge(&query, marks), expected, "{marks:?}");
        }
    }

    #[test]
    fn a_least_score_replaces_the_detectors_opinion() {
        let mut query = DetectorQuery::new("seasonal");
        query.min_score = Some(12.0);
        assert_eq!(judge(&query, "x"), "found", "'x' is 120: score 12.0");
        query.min_score = Some(12.1);
        assert_eq!(judge(&query, "x"), "calm");
    }

    #[test]
    fn old_verdicts_are_missing_data() {
        let mut query = DetectorQuery::new("seasonal");
        query.window_ms = 1_000;
        assert_eq!(judge(&query, "xxx"), "open");
    }

    #[test]
    fn points_are_read_or_refused() {
        assert_eq!(DetectorQuery::parse_points("3 of 5"), Ok((3, 5)));
        assert_eq!(DetectorQuery::parse_points("2"), Ok((2, 2)));
        for text in ["0", "6 of 5", "3of5", "-1", "three", "2 of 100000", ""] {
            assert!(
                DetectorQuery::parse_points(text).unwrap_err().contains("3 of 5"),
                "{text}"
            );
        }
    }
}

//! A detector's stored verdicts -> the outcome of a detector rule.

use std::collections::BTreeMap;

use barograph_alerts::{DetectorQuery, Outcome, SeriesVerdicts, VerdictPoint};
use barograph_engine::{Engine, EngineError, SampleBlock};
use barograph_model::{Labels, METRIC_NAME, Matcher, TimeRange, TimestampMs, matches_all};
use barograph_query::parse_selector;

use crate::detecting::{VERDICT_PREFIX, watched_labels};

/// The verdicts on one series, by instant.
type Points = BTreeMap<TimestampMs, VerdictPoint>;

/// Reads the verdicts inside the rule's window and judges them.
pub(super) fn detector_outcome(engine: &Engine, query: &DetectorQuery, now: TimestampMs) -> Outcome {
    let matchers = match query.selector.as_deref().map(parse_selector).transpose() {
        Ok(matchers) => matchers.unwrap_or_default(),
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    match read(engine, query, &matchers, now) {
        Ok(series) => query.evaluate(now, &series),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn read(
    engine: &Engine,
    query: &DetectorQuery,
    matchers: &[Matcher],
    now: TimestampMs,
) -> Result<Vec<SeriesVerdicts>, EngineError> {
    let snapshot = engine.snapshot();
    let range = TimeRange {
        start: query.window_start(now),
        end: now,
    };
    let mut found: BTreeMap<Labels, Points> = BTreeMap::new();
    for what in ["score", "anomaly", "expected", "value"] {
        let metric = format!("{VERDICT_PREFIX}{what}");
        let matchers_of_lane = [
            Matcher::equal(METRIC_NAME, &metric),
            Matcher::equal("detector", &query.detector),
        ];
        let series = snapshot.select(&matchers_of_lane, range)?;
        let mut block = SampleBlock::default();
        for mut partition in snapshot.scan(&series, range).into_partitions() {
            while partition.next_block(&mut block)? {
                let mut row = 0;
                for run in &block.runs {
                    let labels = watched_labels(series.labels(run.series)?.as_ref());
                    if matches_all(matchers, &labels) {
                        let points = found.entry(labels).or_default();
                        for (ts, value) in block.ts[row..run.end].iter().zip(&block.values[row..run.end]) {
                            enter(points, what, TimestampMs(*ts), *value);
                        }
                    }
                    row = run.end;
                }
            }
        }
    }
    let series = found.into_iter().map(|(labels, points)| SeriesVerdicts {
        labels,
        points: points.into_values().collect(),
    });
    Ok(series.collect())
}

fn enter(points: &mut Points, what: &str, ts: TimestampMs, value: f64) {
    if what == "score" {
        let point = VerdictPoint {
            ts,
            value: f64::NAN,
            score: value,
            expected: None,
            is_anomaly: false,
        };
        points.insert(ts, point);
    } else if let Some(point) = points.get_mut(&ts) {
        match what {
            "anomaly" => point.is_anomaly = value != 0.0,
            "expected" => point.expected = Some(value),
            _ => point.value = value,
        }
    }
}

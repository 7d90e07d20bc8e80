//! What the demo's detectors and rules found, asked over HTTP like anybody would.

use std::time::Duration;

use barograph_datasets::Detection;
use barograph_model::{Labels, METRIC_NAME, MatchOp, TimestampMs};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::sender::innermost;

/// Anomalous points closer together than this are one detection; three steps of the slowest detector.
const GAP_MS: i64 = 900_000;
/// Of an unexpected answer this much is shown.
const SHOWN_CHARS: usize = 300;

/// Every anomalous verdict.
pub(super) const ANOMALIES: &str = "SELECT detector, series, CAST(ts AS BIGINT) AS ms FROM anomalies \
     WHERE is_anomaly ORDER BY detector, series, ts";
/// What the rule InstanceDown would have found in the past.
pub(super) const DOWN: &str = "SELECT service, instance, CAST(ts AS BIGINT) AS ms FROM metrics.up \
     WHERE value = 0 ORDER BY service, instance, ts";
/// What the rule ErrorRatioHigh would have found in the past, by buckets of five minutes.
pub(super) const FAILING: &str = "SELECT service, CAST(bucket AS BIGINT) AS ms FROM (\
     SELECT service, bucket, sum(CASE WHEN code LIKE '5%' THEN n ELSE 0 END) AS failed, sum(n) AS n FROM (\
     SELECT service, instance, route, code, time_bucket('5m', ts) AS bucket, max(value) - min(value) AS n \
     FROM metrics.http_requests_total GROUP BY service, instance, route, code, bucket) \
     GROUP BY service, bucket) WHERE n > 50 AND failed > 0.015 * n ORDER BY service, ms";

/// Why the demo could not be looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TourError {
    /// The server does not answer.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// A query of the tour failed.
    #[error("the tour's query failed with {status}: {answer}\n  {query}")]
    Query {
        /// The query.
        query: String,
        /// The answer's status.
        status: StatusCode,
        /// The beginning of the answer.
        answer: String,
    },
    /// An answer has another shape than the contract says.
    #[error("the tour does not understand {row} in the answer to\n  {query}")]
    Answer {
        /// The query.
        query: String,
        /// The row, or the beginning of the answer.
        row: String,
    },
}

/// A detection and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Catch {
    /// A detector's name, or `rule` and a rule's.
    pub(super) by: String,
    pub(super) detection: Detection,
}

/// Asks one server.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    client: Client,
    url: String,
}

#[derive(Deserialize)]
struct Rows {
    rows: Vec<Vec<Value>>,
}

impl Asker {
    /// `/api/v1/sql` of the server at `host:port`.
    pub(super) fn new(address: &str) -> Result<Self, TourError> {
        let url = format!("http://{address}/api/v1/sql");
        // Says only that a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_secs(60)).build();
        let client = client.map_err(|error| TourError::Unreachable {
            url: url.clone(),
            reason: innermost(&error),
        })?;
        Ok(Self { client, url })
    }

    /// Everything that was noticed in the whole history. Detections of one series ascend in time.
    pub(super) async fn catches(&self) -> Result<Vec<Catch>, TourError> {
        let mut points = Vec::new();
        for row in self.rows(ANOMALIES).await? {
            let [Value::String(detector), Value::String(series), Value::Number(ms)] = row.as_slice() else {
                return Err(strange(ANOMALIES, &row));
            };
            let labels = labels_of(series).zip(ms.as_i64());
            let (labels, ms) = labels.ok_or_else(|| strange(ANOMALIES, &row))?;
            points.push((detector.clone(), labels, ms));
        }
        for (query, rule, metric) in [
            (DOWN, "rule InstanceDown", "up"),
            (FAILING, "rule ErrorRatioHigh", "http_requests_total"),
        ] {
            for row in self.rows(query).await? {
                let Some((Value::Number(ms), texts)) = row.split_last() else {
                    return Err(strange(query, &row));
                };
                let texts: Vec<_> = texts.iter().filter_map(Value::as_str).collect();
                let names = [METRIC_NAME, "service", "instance"];
                let labels = Labels::from_pairs(names.into_iter().zip(std::iter::once(metric).chain(texts)));
                let ms = ms.as_i64().ok_or_else(|| strange(query, &row))?;
                points.push((rule.to_owned(), labels.map_err(|_| strange(query, &row))?, ms));
            }
        }
        Ok(join(points))
    }

    async fn rows(&self, query: &str) -> Result<Vec<Vec<Value>>, TourError> {
        let unreachable = |error: reqwest::Error| TourError::Unreachable {
            url: self.url.clone(),
            reason: innermost(&error),
        };
        let body = serde_json::json!({ "query": query, "format": "json" });
        let response = self
            .client
            .post(&self.url)
            .json(&body)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        let shown = || text.chars().take(SHOWN_CHARS).collect();
        if !status.is_success() {
            return Err(TourError::Query {
                query: query.to_owned(),
                status,
                answer: shown(),
            });
        }
        let rows = serde_json::from_str::<Rows>(&text);
        Ok(rows
            .map_err(|_| TourError::Answer {
                query: query.to_owned(),
                row: shown(),
            })?
            .rows)
    }
}

fn strange(query: &str, row: &[Value]) -> TourError {
    TourError::Answer {
        query: query.to_owned(),
        row: Value::from(row.to_vec()).to_string(),
    }
}

/// The labels that a series' selector names; `None` for text that is not a selector of equalities.
fn labels_of(series: &str) -> Option<Labels> {
    let matchers = barograph_query::parse_selector(series).ok()?;
    let equal = matchers.iter().all(|matcher| matcher.op() == MatchOp::Equal);
    equal
        .then(|| Labels::from_pairs(matchers.iter().map(|m| (m.name(), m.value()))).ok())
        .flatten()
}

/// Makes intervals of points that come sorted by time within a series.
fn join(points: Vec<(String, Labels, i64)>) -> Vec<Catch> {
    let mut catches: Vec<Catch> = Vec::new();
    for (by, series, ms) in points {
        let ts = TimestampMs(ms);
        match catches.last_mut() {
            Some(last)
                if last.by == by
                    && last.detection.series == series
                    && ts.since(last.detection.end) <= GAP_MS =>
            {
                last.detection.end = ts;
            }
            _ => catches.push(Catch {
                by,
                detection: Detection {
                    series,
                    start: ts,
                    end: ts,
                },
            }),
        }
    }
    catches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_close_together_are_one_detection() {
        let series = labels_of("up{job=\"a\"}").unwrap();
        let other = labels_of("{__name__=\"up\", job=\"b\"}").unwrap();
        let point = |series: &Labels, ms: i64| ("latency".to_owned(), series.clone(), ms);
        let catches = join(vec![
            point(&series, 0),
            point(&series, GAP_MS),
            point(&series, 3 * GAP_MS),
            point(&other, 3 * GAP_MS + 1),
        ]);
        let intervals: Vec<_> = catches
            .iter()
            .map(|c| (c.detection.start.0, c.detection.end.0))
            .collect();
        assert_eq!(
            intervals,
            [
                (0, GAP_MS),
                (3 * GAP_MS, 3 * GAP_MS),
                (3 * GAP_MS + 1, 3 * GAP_MS + 1)
            ]
        );
        assert_eq!(other.metric(), "up");
        assert!(labels_of("up{job=~\"a\"}").is_none() && labels_of("{").is_none());
    }
}

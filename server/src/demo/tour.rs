//! What is printed once the demo runs: where to look, what to ask, and what was caught of what went wrong.

use std::fmt::Write as _;
use std::sync::Arc;

use barograph_datasets::{Detection, Fleet, Incident, judge};
use barograph_model::{TimeRange, TimestampMs, format_duration_ms};
use chrono::{DateTime, Utc};

use super::catches::{Asker, Catch, TourError};
use super::config::DemoFiles;

/// Detections this long after an incident are still its consequence.
const GRACE_MS: i64 = 3_600_000;

/// Queries worth a newcomer's while, each with what it shows. They work on any demo.
pub const QUERIES: [(&str, &str); 5] = [
    (
        "how slow each service is now",
        "SELECT service, round(avg(value), 4) AS p95_s FROM http_request_duration_seconds_p95 \
         WHERE ts > now() - INTERVAL '5 minutes' GROUP BY service ORDER BY p95_s DESC",
    ),
    (
        "the course of a day",
        "SELECT time_bucket('1h', ts) AS hour, round(avg(value)) AS sessions FROM login_sessions_active \
         WHERE ts > now() - INTERVAL '1 day' GROUP BY hour ORDER BY hour",
    ),
    (
        "which process leaks",
        "SELECT instance, min(value) / 1048576 AS min_mib, max(value) / 1048576 AS max_mib \
         FROM process_resident_memory_bytes GROUP BY instance ORDER BY max(value) / min(value) DESC",
    ),
    (
        "what the detectors noticed last",
        "SELECT ts, detector, series, round(score, 1) AS score, expected, upper FROM anomalies \
         WHERE is_anomaly ORDER BY ts DESC LIMIT 20",
    ),
    (
        "what is firing",
        "SELECT rule, severity, state, labels, value, since FROM alerts ORDER BY since DESC",
    ),
];

/// A query in PromQL that works on any demo.
const PROMQL: &str = "max by (service) (http_request_duration_seconds_p95)";

/// A request that shows the last events as CSV.
const LAST_EVENTS: &str = r#"{"query": "SELECT * FROM events ORDER BY seq DESC LIMIT 5", "format": "csv"}"#;

/// Shows one running demo.
#[derive(Debug)]
pub struct Tour {
    fleet: Arc<Fleet>,
    files: DemoFiles,
    http: String,
    grpc: Option<String>,
    asker: Asker,
}

impl Tour {
    /// Of the demo that listens at these addresses, `host:port`.
    ///
    /// # Errors
    /// [`TourError::Unreachable`] when no HTTP client can be made.
    pub fn new(
        fleet: Arc<Fleet>,
        files: DemoFiles,
        http: &str,
        grpc: Option<&str>,
    ) -> Result<Self, TourError> {
        let asker = Asker::new(http)?;
        Ok(Self {
            fleet,
            files,
            http: http.to_owned(),
            grpc: grpc.map(str::to_owned),
            asker,
        })
    }

    /// What to look at: files, queries, commands.
    #[must_use]
    pub fn welcome(&self) -> String {
        let days = self.fleet.now().since(self.fleet.start()) / 86_400_000;
        let series = self.fleet.series().len();
        let http = &self.http;
        let mut text = format!(
            "Barograph demo: five services, {series} series, {days} days of history, live from now on.\n\
             \n  configuration   {}\n  rules           {}\n",
            self.files.config.display(),
            self.files.rules.display(),
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nAsk, in another terminal:");
        for (title, query) in QUERIES {
            let _ = writeln!(
                text,
                "\n  # {title}\n  barograph sql --url http://{http} \"{query}\""
            );
        }
        let _ = writeln!(
            text,
            "\n  barograph sql --url http://{http}        # without a query: a prompt"
        );
        let _ = writeln!(
            text,
            "\n  # the same store with PromQL, or as a Prometheus data source of Grafana\n  \
             barograph promql --url http://{http} \"{PROMQL}\""
        );
        let _ = writeln!(text, "\nWatch:\n");
        if let Some(grpc) = &self.grpc {
            let _ = writeln!(text, "  barograph alerts watch --url http://{grpc}");
        }
        let _ = writeln!(text, "  curl -s http://{http}/metrics");
        let _ = writeln!(
            text,
            "  curl -s http://{http}/api/v1/sql -H 'Content-Type: application/json' -d '{LAST_EVENTS}'"
        );
        let next = self.fleet.live_incident(0);
        let _ = writeln!(
            text,
            "\nSince {}: {}. Another incident begins every {}; an alert should fire within a minute.",
            time(next.start),
            next.title,
            format_duration_ms(barograph_datasets::LIVE_SLOT_MS),
        );
        text
    }

    /// The incidents that have begun, each beside what noticed it, as a table. Asks the server; detectors that
    /// still learn from the history may not have noticed yet.
    ///
    /// # Errors
    /// [`TourError`] when the server does not answer as its contract says.
    pub async fn report(&self, until: TimestampMs) -> Result<String, TourError> {
        let catches = self.asker.catches().await?;
        let span = TimeRange {
            start: self.fleet.start(),
            end: until,
        };
        Ok(table(&self.fleet.incidents_until(until), &catches, span))
    }
}

/// A line for each incident and a last one for the false alarms.
fn table(incidents: &[Incident], catches: &[Catch], span: TimeRange) -> String {
    let detections: Vec<Detection> = catches.iter().map(|catch| catch.detection.clone()).collect();
    let judgement = judge(incidents, &detections, GRACE_MS);
    let mut rows = vec![
        [
            "INCIDENT",
            "WHAT HAPPENED",
            "FROM (UTC)",
            "FOR",
            "NOTICED BY",
            "AFTER",
        ]
        .map(str::to_owned),
    ];
    for (i, incident) in incidents.iter().enumerate() {
        let (by, after) = match judgement.caught.iter().find(|caught| caught.incident == i) {
            Some(caught) => {
                let mut by: Vec<_> = caught
                    .detections
                    .iter()
                    .map(|d| catches[*d].by.as_str())
                    .collect();
                by.sort_unstable();
                by.dedup();
                (by.join(", "), format_duration_ms(caught.delay_ms / 1_000 * 1_000))
            }
            None => ("-".to_owned(), String::new()),
        };
        let length = format_duration_ms(incident.end.since(incident.start));
        rows.push([
            incident.kind.to_string(),
            incident.title.to_owned(),
            time(incident.start),
            length,
            by,
            after,
        ]);
    }
    let mut text = aligned(&rows);
    let _ = writeln!(
        text,
        "{} of {} incidents noticed; {} false alarms in {}, {:.1} a day for the whole fleet.",
        judgement.caught.len(),
        incidents.len(),
        judgement.false_alarms.len(),
        format_duration_ms(span.end.since(span.start) / 3_600_000 * 3_600_000),
        judgement.false_alarms_per_day(span),
    );
    text
}

/// Columns as wide as their widest cell.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `Wed 14 Jan 13:37`, UTC.
fn time(ts: TimestampMs) -> String {
    let utc: Option<DateTime<Utc>> = DateTime::from_timestamp_millis(ts.0);
    utc.map_or_else(|| ts.to_string(), |at| at.format("%a %d %b %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use barograph_model::Labels;

    use super::*;

    const NOW: TimestampMs = TimestampMs(1_768_397_820_000);

    fn fleet() -> Arc<Fleet> {
        Arc::new(Fleet::new(1, NOW.saturating_add(-14 * 86_400_000), NOW))
    }

    #[test]
    fn the_table_sets_labels_beside_catches() {
        let fleet = fleet();
        let shift = &fleet.incidents()[0];
        let labels = [
            ("__name__", "http_request_duration_seconds_p95"),
            ("service", "search"),
        ];
        let catch = |start: TimestampMs| Catch {
            by: "latency".to_owned(),
            detection: Detection {
                series: Labels::from_pairs(labels).unwrap(),
                start,
                end: start,
            },
        };
        let catches = [catch(shift.start.saturating_add(60_003)), catch(fleet.start())];
        let span = TimeRange {
            start: fleet.start(),
            end: NOW,
        };
        let text = table(&fleet.incidents_until(NOW), &catches, span);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 7 + 1, "{text}");
        assert!(
            lines[1].starts_with("level_shift") && lines[1].ends_with("6h   latency     1m"),
            "{text}"
        );
        assert!(lines[2].ends_with('-'), "{text}");
        assert!(
            lines[8].starts_with("1 of 7 incidents noticed; 1 false alarms in 2w"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn the_welcome_names_addresses_and_queries() {
        let files = DemoFiles {
            config: "d/barograph.toml".into(),
            rules: "d/rules/demo.yml".into(),
        };
        let tour = Tour::new(fleet(), files, "127.0.0.1:1", Some("127.0.0.1:2")).unwrap();
        let text = tour.welcome();
        for wanted in [
            "d/barograph.toml",
            "d/rules/demo.yml",
            "http://127.0.0.1:2",
            "orders answers 500",
            "14 days",
        ] {
            assert!(text.contains(wanted), "{wanted} is missing in {text}");
        }
        assert!(
            QUERIES
                .iter()
                .all(|(_, query)| text.contains(query) && !query.contains('"'))
        );
        let error = tour.report(NOW).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("http://127.0.0.1:1/api/v1/sql does not answer"),
            "{error}"
        );
    }
}

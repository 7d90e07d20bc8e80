//! The demo's SQL against a store that holds its fleet: rules find what they should and nothing else.

use std::sync::Arc;

use barograph_alerts::{RuleQuery, RuleSet};
use barograph_datasets::{Fleet, IncidentKind};
use barograph_engine::vfs::SimVfs;
use barograph_engine::{Engine, Head, Options, SampleColumns, SeriesRef};
use barograph_model::{Clock, ManualClock, TimestampMs};
use barograph_query::sql::{Format, SqlEngine, SqlLimits, Views};
use futures::TryStreamExt;

use super::catches::{ANOMALIES, DOWN, FAILING};
use super::config::RULES;
use super::tour::QUERIES;

const NOW: TimestampMs = TimestampMs(1_768_397_820_000);
const MINUTE_MS: i64 = 60_000;

/// A fleet with a day of history, in a store that knows it up to the clock.
struct Demo {
    fleet: Fleet,
    engine: Arc<Engine>,
    head: Head,
    series: Vec<SeriesRef>,
    sql: SqlEngine,
    clock: Arc<ManualClock>,
    next: TimestampMs,
}

impl Demo {
    fn from(start: TimestampMs) -> Self {
        let fleet = Fleet::new(1, NOW.saturating_add(-1_440 * MINUTE_MS), NOW);
        let clock = Arc::new(ManualClock::new(start));
        let options = Options {
            background: false,
            ..Options::default()
        };
        let engine = Engine::open(
            Arc::new(SimVfs::new(1)),
            Arc::clone(&clock) as Arc<dyn Clock>,
            options,
        )
        .unwrap();
        let head = engine.head();
        let series = fleet.series().iter().map(|labels| head.series(labels)).collect();
        let source = Arc::new(Arc::clone(&engine));
        let sql = SqlEngine::new(
            source,
            Vec::new(),
            Arc::new(Views::in_memory()),
            SqlLimits::default(),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        Self {
            fleet,
            engine,
            head,
            series,
            sql: sql.unwrap(),
            clock,
            next: start,
        }
    }

    /// Scrapes on, every `step_ms`, until an instant, and sets the clock there.
    fn advance(&mut self, to: TimestampMs, step_ms: i64) {
        for scrape in self.fleet.scrapes(self.next, to.saturating_add(1), step_ms) {
            let mut columns = SampleColumns::new(&self.head);
            for (i, sample) in scrape.samples() {
                columns.push(self.series[i], sample.ts.0, sample.value);
            }
            self.clock.set(scrape.due.saturating_add(10));
            self.engine.append_blocking(columns).unwrap();
            self.next = scrape.due.saturating_add(step_ms);
        }
    }

    /// The rows of an answer as CSV lines, without the header.
    async fn rows(&self, query: &str) -> Vec<String> {
        let stream = self
            .sql
            .query(query)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"));
        let pieces: Result<Vec<_>, _> = stream.encode(Format::Csv).try_collect().await;
        let text = pieces.unwrap_or_else(|error| panic!("{query}: {error}")).concat();
        String::from_utf8(text)
            .unwrap()
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect()
    }

    /// The rules in SQL that find something, each with its rows.
    async fn found(&self) -> Vec<(String, Vec<String>)> {
        let mut found = Vec::new();
        for rule in RuleSet::parse("demo.yml", RULES).unwrap().rules() {
            if let RuleQuery::Sql(query) = &rule.query {
                let rows = self.rows(query).await;
                if !rows.is_empty() {
                    found.push((rule.name.clone(), rows));
                }
            }
        }
        found
    }
}

#[tokio::test]
async fn rules_find_the_live_incidents_and_are_quiet_between_them() {
    let mut demo = Demo::from(NOW.saturating_add(-5 * MINUTE_MS));
    let names =
        |found: &[(String, Vec<String>)]| found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let minutes = |minutes: i64| NOW.saturating_add(minutes * MINUTE_MS);

    demo.advance(NOW.saturating_add(-5_000), 5_000);
    assert_eq!(demo.found().await, []);
    demo.advance(NOW.saturating_add(40_000), 5_000);
    let burst = demo.found().await;
    assert_eq!(names(&burst), ["OrdersFailing", "ErrorRatioHigh"], "{burst:?}");
    demo.advance(minutes(15), 5_000);
    assert_eq!(demo.found().await, []);
    demo.advance(minutes(26), 5_000);
    let cascade = demo.found().await;
    assert_eq!(names(&cascade), ["ErrorRatioHigh", "GatewaySlow"], "{cascade:?}");
    demo.advance(minutes(42), 5_000);
    let missing = demo.found().await;
    assert_eq!(names(&missing), ["InstanceDown", "NotSeen"], "{missing:?}");
    assert!(
        missing
            .iter()
            .all(|(_, rows)| rows.len() == 1 && rows[0].contains("publishing-2")),
        "{missing:?}"
    );
    demo.advance(minutes(55), 5_000);
    assert_eq!(demo.found().await, []);
}

#[tokio::test]
async fn the_tour_asks_what_the_store_can_answer() {
    let mut demo = Demo::from(NOW.saturating_add(-1_440 * MINUTE_MS));
    demo.advance(NOW.saturating_add(-MINUTE_MS), MINUTE_MS);
    let window = |kind| {
        demo.fleet
            .incidents()
            .iter()
            .find(|i| i.kind == kind)
            .unwrap()
            .window()
    };
    let (burst, cascade) = (window(IncidentKind::ErrorBurst), window(IncidentKind::Cascade));

    assert_eq!(
        demo.rows(DOWN).await.len(),
        20,
        "twenty minutes without publishing-2"
    );
    let failing = demo.rows(FAILING).await;
    assert!(
        failing.iter().any(|row| row.starts_with("orders")) && failing.len() > 6,
        "{failing:?}"
    );
    for row in &failing {
        let bucket_ms: i64 = row.rsplit(',').next().unwrap().parse().unwrap();
        let bucket = barograph_model::TimeRange::new(bucket_ms, bucket_ms + 5 * MINUTE_MS);
        assert!(
            bucket.overlaps(&burst) || bucket.overlaps(&cascade),
            "{row} is in neither incident"
        );
    }
    assert!(demo.rows(ANOMALIES).await.is_empty(), "no detector ran");
    // `alerts` is the server's own table; the others are the store's.
    for (title, query) in QUERIES.iter().filter(|(_, query)| !query.contains("FROM alerts")) {
        let rows = demo.rows(query).await;
        assert!(
            !rows.is_empty() || query.contains("FROM anomalies"),
            "{title} shows nothing"
        );
    }
}

//! A store to ask, and ways to fill and to ask it.

use std::future::Future;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use barograph_engine::vfs::SimVfs;
use barograph_engine::{Engine, Options, SampleColumns};
use barograph_model::{Labels, ManualClock, MatchOp, TimestampMs, stale_nan};

use crate::parse_selector;
use crate::sql::format::render_line;
use crate::sql::{CommandTag, SqlEngine, SqlError, SqlLimits, SqlStream, SystemTable, Views};

/// 2026-01-01 00:00:00 UTC.
pub(super) const START_MS: i64 = 1_767_225_600_000;
pub(super) const HOUR_MS: i64 = 3_600_000;

/// A store on a simulated disk, and SQL over it.
pub(super) struct Store {
    pub(super) engine: Arc<Engine>,
    clock: Arc<ManualClock>,
    sql: SqlEngine,
    runtime: tokio::runtime::Runtime,
}

impl Store {
    /// An empty store whose clock stands two days after [`START_MS`].
    pub(super) fn new() -> Self {
        Self::with_limits(SqlLimits {
            target_partitions: 3,
            ..SqlLimits::default()
        })
    }

    pub(super) fn with_limits(limits: SqlLimits) -> Self {
        let clock = Arc::new(ManualClock::new(TimestampMs(START_MS + 48 * HOUR_MS)));
        let options = Options {
            background: false,
            // Ids are hashes keyed by this, so that scripts can name them.
            store_key: Some(1),
            ..Options::default()
        };
        let engine = Engine::open(Arc::new(SimVfs::new(0)), Arc::clone(&clock) as _, options).unwrap();
        let sql = SqlEngine::new(
            Arc::new(Arc::clone(&engine)),
            vec![alerts("alerts"), alerts("system.rules")],
            Arc::new(Views::in_memory()),
            limits,
            Arc::clone(&clock) as _,
        )
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self {
            engine,
            clock,
            sql,
            runtime,
        }
    }

    pub(super) fn sql(&self) -> &SqlEngine {
        &self.sql
    }

    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Writes samples of one series, given as a selector of equalities.
    pub(super) fn write(&self, series: &str, samples: &[(i64, f64)]) {
        let head = self.engine.head();
        let series = head.series(&labels(series));
        let mut columns = SampleColumns::with_capacity(&head, samples.len());
        samples
            .iter()
            .for_each(|(ts, value)| columns.push(series, START_MS + ts, *value));
        self.engine.append_blocking(columns).unwrap();
    }

    /// The answer, a line per row.
    pub(super) fn rows(&self, sql: &str) -> Vec<String> {
        self.try_rows(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub(super) fn try_rows(&self, sql: &str) -> Result<Vec<String>, SqlError> {
        self.block_on(async { self.sql.query(sql).await?.collect_batches().await })
            .map(|batches| lines(&batches))
    }

    /// What a statement is called, once it has run.
    pub(super) fn tag(&self, sql: &str) -> Result<CommandTag, SqlError> {
        self.block_on(async {
            let stream = self.sql.query(sql).await?;
            let tag = stream.tag();
            stream.collect_batches().await?;
            Ok(tag)
        })
    }

    pub(super) fn try_rows_of(&self, stream: SqlStream) -> Result<Vec<String>, SqlError> {
        self.block_on(stream.collect_batches())
            .map(|batches| lines(&batches))
    }

    /// The data that the scripts ask for: two days, an hour between samples.
    pub(super) fn filled() -> Self {
        let store = Self::new();
        store.fill();
        store
    }

    /// Writes the data that the scripts ask for.
    pub(super) fn fill(&self) {
        let store = self;
        let hours = |value: &dyn Fn(i64) -> f64| (0..48).map(|h| (h * HOUR_MS, value(h))).collect::<Vec<_>>();
        store.write(r#"up{instance="a:1", job="api"}"#, &hours(&|_| 1.0));
        store.write(
            r#"up{instance="b:1", job="api"}"#,
            &hours(&|h| f64::from(u8::from(h % 10 != 3))),
        );
        store.write(
            r#"up{job="db"}"#,
            &hours(&|h| if h == 47 { stale_nan() } else { 1.0 }),
        );
        store.engine.flush().unwrap();
        for (code, rate) in [("200", 100.0), ("404", 5.0), ("500", 1.0)] {
            let series =
                format!(r#"http_requests_total{{code="{code}", instance="a:1", job="api", path="/v1/x_y"}}"#);
            store.write(&series, &hours(&|h| rate * h as f64));
        }
        store.write(r#"{"__name__"="job:rate5m", job="api"}"#, &[(0, 0.5)]);
        store.write(
            r#"{"__name__"="Weird Name", Job="x", job="y", ts="t", value="v", "my.label"="dot"}"#,
            &[(0, 7.0)],
        );
        store.write(r#"{"__name__"="clash", ts="1", ts_="2"}"#, &[(0, 1.0)]);
        let odd = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            0.1,
            1e300,
            123_456_789.0,
        ];
        store.write(
            "odd_values{}",
            &odd.iter().zip(0..).map(|(v, i)| (i, *v)).collect::<Vec<_>>(),
        );
        store.write(r#"multi{text="line\nbreak, \"quoted\""}"#, &[(0, 1.0)]);
        for (lane, values) in [
            ("score", vec![(0, 0.5), (HOUR_MS, 9.5), (2 * HOUR_MS, 0.1)]),
            ("expected", vec![(0, 10.0), (HOUR_MS, 11.0)]),
            ("lower", vec![(HOUR_MS, 8.0)]),
            ("upper", vec![(HOUR_MS, 14.0)]),
            ("anomaly", vec![(0, 0.0), (HOUR_MS, 1.0), (2 * HOUR_MS, 0.0)]),
        ] {
            let series = format!(
                r#"barograph_detector_{lane}{{detector="daily", exported_detector="d", instance="a:1", job="api", metric="up"}}"#
            );
            store.write(&series, &values);
        }
        store.write(
            r#"barograph_detector_score{detector="pca", job="db", metric="up"}"#,
            &[(HOUR_MS, 0.25), (30 * HOUR_MS, stale_nan()), (40 * HOUR_MS, 0.75)],
        );
    }

    pub(super) fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

pub(super) fn labels(series: &str) -> Labels {
    let matchers = parse_selector(series).unwrap();
    assert!(matchers.iter().all(|matcher| matcher.op() == MatchOp::Equal));
    Labels::from_pairs(matchers.iter().map(|matcher| (matcher.name(), matcher.value()))).unwrap()
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| render_line(batch, row)))
        .collect()
}

/// A table such as the server gives.
fn alerts(name: &str) -> SystemTable {
    let schema = Arc::new(Schema::new(vec![
        Field::new("rule", DataType::Utf8, false),
        Field::new("seq", DataType::Int64, false),
    ]));
    let of_rows = Arc::clone(&schema);
    let rows = move || {
        let rule: ArrayRef = Arc::new(StringArray::from(vec!["Down", "Slow"]));
        let columns: Vec<ArrayRef> = vec![rule, Arc::new(Int64Array::from(vec![1, 9_007_199_254_740_993]))];
        RecordBatch::try_new(Arc::clone(&of_rows), columns).unwrap()
    };
    SystemTable {
        name: name.to_owned(),
        schema,
        rows: Arc::new(rows),
    }
}

//! Queries as many callers send them: limits, ends, records.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use barograph_engine::vfs::SimVfs;
use barograph_engine::{Engine, Options, SampleColumns};
use barograph_model::{Labels, ManualClock, TimestampMs};
use barograph_promql::{Grid, QueryValue};
use tokio::runtime::Runtime;

use super::{
    PromqlAnswer, PromqlEngine, PromqlError, PromqlLimits, PromqlRequest, QueryRecord, promql_tables,
};

const NOW_MS: i64 = 1_767_225_600_000;

struct Fixture {
    promql: PromqlEngine,
    records: Arc<Mutex<Vec<QueryRecord>>>,
    runtime: Runtime,
}

fn fixture(limits: PromqlLimits) -> Fixture {
    let clock = Arc::new(ManualClock::new(TimestampMs(NOW_MS)));
    let options = Options {
        background: false,
        ..Options::default()
    };
    let engine = Engine::open(Arc::new(SimVfs::new(0)), Arc::clone(&clock) as _, options).unwrap();
    let head = engine.head();
    let mut columns = SampleColumns::with_capacity(&head, 0);
    for instance in 0..20 {
        let pairs = [
            ("__name__", "up".to_owned()),
            ("instance", format!("i{instance:02}")),
        ];
        let series = head.series(&Labels::from_pairs(pairs).unwrap());
        (0..60).for_each(|step| columns.push(series, NOW_MS - step * 15_000, 1.0));
    }
    engine.append_blocking(columns).unwrap();
    let records: Arc<Mutex<Vec<QueryRecord>>> = Arc::default();
    let seen = Arc::clone(&records);
    let observer = Box::new(move |record: &QueryRecord| seen.lock().unwrap().push(record.clone()));
    let promql = PromqlEngine::new(Arc::new(engine), limits, clock, Some(observer)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    Fixture {
        promql,
        records,
        runtime,
    }
}

fn request(text: &str) -> PromqlRequest {
    PromqlRequest {
        text: Arc::from(text),
        grid: Grid::instant(NOW_MS),
        is_range: false,
        lookback_ms: None,
        timeout: None,
        per_step_stats: false,
        rollup: barograph_promql::RollupUse::default(),
        client: Arc::from("test"),
    }
}

impl Fixture {
    fn ask(&self, request: PromqlRequest) -> Result<PromqlAnswer, PromqlError> {
        self.runtime.block_on(self.promql.query(request))
    }

    fn last(&self) -> QueryRecord {
        self.records.lock().unwrap().last().unwrap().clone()
    }
}

#[test]
fn answers_and_leaves_a_record() {
    let fixture = fixture(PromqlLimits::default());
    let found = fixture.ask(request("count(up)")).unwrap();
    let QueryValue::Vector(series) = &found.answer.value else {
        panic!("{:?}", found.answer.value);
    };
    assert_eq!(series.len(), 1);
    let record = fixture.last();
    assert_eq!((&*record.text, record.error), ("count(up)", None));
    assert_eq!(record.selectors[0].text, "up");
    assert_eq!(record.selectors[0].scan.series_matched, 20);
    assert_eq!(fixture.promql.activity().active().len(), 0);
    let tables = promql_tables(&fixture.promql);
    let top = (tables[1].rows)();
    assert_eq!((top.num_rows(), top.schema()), (1, Arc::clone(&tables[1].schema)));
}

#[test]
fn errors_have_the_types_of_prometheus() {
    let fixture = fixture(PromqlLimits {
        samples_max: 100,
        ..PromqlLimits::default()
    });
    let kind = |text: &str| fixture.ask(request(text)).unwrap_err().kind();
    assert_eq!(kind("up{"), "bad_data");
    assert_eq!(kind("up[15m]"), "execution");
    let refused = PromqlRequest {
        timeout: Some(Duration::ZERO),
        ..request("up")
    };
    assert_eq!(fixture.ask(refused).unwrap_err().kind(), "timeout");
    assert_eq!(fixture.last().error.unwrap().0, "timeout");
}

#[test]
fn a_dropped_query_is_canceled_and_gives_its_place_back() {
    let fixture = fixture(PromqlLimits {
        running_max: 1,
        waiting_max: 1,
        ..PromqlLimits::default()
    });
    fixture.runtime.block_on(async {
        let mut first = Box::pin(fixture.promql.query(request("up")));
        // Polled once it has its place and its work has begun.
        assert!(futures::poll!(first.as_mut()).is_pending());
        assert_eq!(fixture.promql.activity().active().len(), 1);
        drop(first);
        assert_eq!(fixture.last().error.unwrap().0, "canceled");
        // The place comes back when the work has noticed.
        assert!(fixture.promql.query(request("up")).await.is_ok());
    });
}

#[test]
fn what_is_deep_or_long_is_refused_and_nothing_else_suffers() {
    let fixture = fixture(PromqlLimits::default());
    for text in [
        format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        "-".repeat(10_000) + "1",
        format!("up{{a=\"{}\"}}", "x".repeat(2 << 20)),
        "up{a=~\"(x{1000}){1000}\"}".to_owned(),
    ] {
        let error = fixture.ask(request(&text)).unwrap_err();
        assert_eq!(error.kind(), "bad_data", "{error}");
    }
    // More steps than there is memory for, of what would be one series.
    for text in [
        "sum_over_time(vector(time())[12000d:100ms])",
        "vector(1)[12000d:100ms]",
        "absent_over_time((up + time())[12000d:100ms])",
    ] {
        let error = fixture.ask(request(text)).unwrap_err();
        assert_eq!(error.kind(), "execution", "{text}: {error}");
    }
    assert!(fixture.ask(request("1+1")).is_ok());
}

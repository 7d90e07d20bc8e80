//! What is asked besides the text.

use std::time::Duration;

use arrow::datatypes::DataType;

use super::fixture::Store;
use crate::sql::{CommandTag, Described, ScalarValue, SqlError, SqlErrorCode, SqlLimits, SqlRequest};

fn rows(store: &Store, request: SqlRequest) -> Result<Vec<String>, SqlError> {
    let stream = store.block_on(store.sql().run(request))?;
    store.try_rows_of(stream)
}

fn describe(store: &Store, sql: &str) -> Result<Described, SqlError> {
    store.block_on(store.sql().describe(SqlRequest::new(sql)))
}

#[test]
fn parameters_take_their_places() {
    let store = Store::filled();
    let sql = "SELECT count(*) FROM up WHERE job = $1 AND ts < $2 AND value >= $3";
    let described = describe(&store, sql).unwrap();
    assert_eq!(described.tag, CommandTag::Select);
    assert_eq!(described.schema.fields().len(), 1);
    let types: Vec<_> = described.parameters.into_iter().map(Option::unwrap).collect();
    assert!(types[0].is_string(), "{types:?}");
    assert!(matches!(types[1], DataType::Timestamp(..)), "{types:?}");
    assert_eq!(types[2], DataType::Float64);
    let request = SqlRequest {
        parameters: vec![
            ScalarValue::from("api"),
            ScalarValue::TimestampMillisecond(Some(super::fixture::START_MS + 3_600_000), Some("UTC".into())),
            ScalarValue::Float64(Some(1.0)),
        ],
        ..SqlRequest::new(sql)
    };
    assert_eq!(rows(&store, request.clone()).unwrap(), ["2"]);
    // A value is a constant like any other, and decides which files are read.
    let explained = SqlRequest {
        sql: format!("EXPLAIN {sql}"),
        ..request.clone()
    };
    let plan = rows(&store, explained).unwrap().join("\n");
    assert!(
        plan.contains(r#"job=\"api\""#) || plan.contains(r#"job="api""#),
        "{plan}"
    );
    let none = SqlRequest {
        parameters: Vec::new(),
        ..request.clone()
    };
    assert!(rows(&store, none).unwrap_err().code.is_callers_fault());
    let few = SqlRequest {
        parameters: request.parameters[..1].to_vec(),
        ..request
    };
    assert!(rows(&store, few).unwrap_err().code.is_callers_fault());
}

#[test]
fn parameters_are_numbered() {
    let store = Store::filled();
    assert_eq!(describe(&store, "SELECT $3::int").unwrap().parameters.len(), 3);
    for sql in [
        "SELECT $0",
        "SELECT $name",
        "SELECT $99999999999999999999",
        "SELECT $5000",
    ] {
        assert!(
            describe(&store, sql).unwrap_err().code.is_callers_fault(),
            "{sql}"
        );
    }
    let many = SqlRequest {
        parameters: vec![ScalarValue::Int64(Some(1)); 2_000],
        ..SqlRequest::new("SELECT $1")
    };
    assert_eq!(rows(&store, many).unwrap_err().code, SqlErrorCode::Unsupported);
}

#[test]
fn statements_without_rows_describe_none() {
    let store = Store::filled();
    let described = describe(&store, "CREATE VIEW v AS SELECT job FROM up").unwrap();
    assert_eq!(described.tag, CommandTag::CreateView);
    assert!(described.schema.fields().is_empty());
    assert!(
        store.try_rows("SELECT * FROM v").is_err(),
        "it was only described"
    );
    assert_eq!(describe(&store, "SHOW TABLES").unwrap().tag, CommandTag::Show);
    assert_eq!(
        describe(&store, "EXPLAIN SELECT 1").unwrap().tag,
        CommandTag::Explain
    );
}

#[test]
fn a_request_ends_at_its_own_time() {
    let store = Store::filled();
    let request = SqlRequest {
        timeout: Some(Duration::from_millis(1)),
        ..SqlRequest::new("SELECT count(*) FROM samples a, samples b, samples c, samples d")
    };
    let error = match store.block_on(store.sql().run(request)) {
        Ok(stream) => store.block_on(stream.collect_batches()).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.code, SqlErrorCode::Timeout);
}

#[test]
fn the_zone_is_that_of_the_request() {
    let store = Store::filled();
    let request = |zone: Option<&str>| SqlRequest {
        time_zone: zone.map(str::to_owned),
        ..SqlRequest::new("SELECT TIMESTAMPTZ '2026-07-01 12:00:00' = TIMESTAMPTZ '2026-07-01T10:00:00Z'")
    };
    assert_eq!(rows(&store, request(None)).unwrap(), ["false"]);
    assert_eq!(rows(&store, request(Some("Europe/Berlin"))).unwrap(), ["true"]);
}

/// A million rows of a few hundred: sources are asked for nothing meanwhile.
#[test]
fn a_join_without_end_is_ended_and_others_go_on() {
    let store = Store::with_limits(SqlLimits {
        target_partitions: 1,
        threads: 1,
        ..SqlLimits::default()
    });
    store.fill();
    for sql in [
        "SELECT count(*) FROM samples a, samples b, samples c, samples d, samples e",
        "SELECT count(*) FROM samples a JOIN samples b ON a.value <= b.value JOIN samples c ON b.value <= c.value JOIN samples d ON c.value <= d.value",
        "SELECT count(*) FROM samples a JOIN samples b ON a.stale = b.stale JOIN samples c ON b.stale = c.stale JOIN samples d ON c.stale = d.stale",
        "SELECT count(*) FROM (SELECT unnest([1, 2, 3, 4, 5, 6, 7]) FROM samples a, samples b, samples c, samples d)",
    ] {
        let request = SqlRequest {
            timeout: Some(Duration::from_millis(200)),
            ..SqlRequest::new(sql)
        };
        let error = match rows(&store, request) {
            Ok(rows) => panic!("{sql}: {rows:?}"),
            Err(error) => error,
        };
        assert_eq!(error.code, SqlErrorCode::Timeout, "{sql}");
        assert_eq!(rows(&store, SqlRequest::new("SELECT 1")).unwrap(), ["1"]);
    }
}

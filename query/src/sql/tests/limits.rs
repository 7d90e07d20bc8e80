//! Queries that would run too long, hold too much, or never end.

use std::time::Duration;

use futures::StreamExt;

use super::Store;
use super::fixture::HOUR_MS;
use crate::sql::{SqlErrorCode, SqlLimits};

/// A query that would run for ages: every row with every other.
const ENDLESS: &str = "SELECT sum(a.value * b.value * c.value * d.value) FROM big a, big b, big c, big d";

fn big(limits: SqlLimits) -> Store {
    let store = Store::with_limits(limits);
    store.write("big{}", &(0..2_000).map(|i| (i, i as f64)).collect::<Vec<_>>());
    store
}

#[test]
fn a_query_ends_at_its_timeout() {
    let store = big(SqlLimits {
        timeout: Duration::from_millis(200),
        ..SqlLimits::default()
    });
    let error = store.try_rows(ENDLESS).unwrap_err();
    assert_eq!(error.code, SqlErrorCode::Timeout, "{error}");
    assert_eq!(
        store.rows("SELECT count(*) FROM big"),
        ["2000"],
        "the next query runs"
    );
}

#[test]
fn a_query_ends_when_its_reader_goes() {
    let limits = SqlLimits {
        running_max: 1,
        waiting_max: 0,
        ..SqlLimits::default()
    };
    let store = big(limits);
    let mut running = store
        .block_on(store.sql().query("SELECT a.value FROM big a, big b"))
        .unwrap();
    assert!(store.block_on(running.next()).unwrap().is_ok());
    assert_eq!(
        store.try_rows("SELECT 1").unwrap_err().code,
        SqlErrorCode::Overloaded
    );
    drop(running);
    store.block_on(async {
        // The place is free as soon as the work has noticed, which takes a batch at most.
        loop {
            match store.sql().query("SELECT 1").await {
                Ok(stream) => break assert_eq!(stream.collect_batches().await.unwrap().len(), 1),
                Err(error) => assert_eq!(error.code, SqlErrorCode::Overloaded, "{error}"),
            }
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_query_ends_when_the_call_is_dropped() {
    let limits = SqlLimits {
        running_max: 1,
        waiting_max: 1,
        ..SqlLimits::default()
    };
    let store = big(limits);
    let endless = store.block_on(store.sql().query(ENDLESS)).unwrap();
    store.block_on(async {
        let waiting = store.sql().query("SELECT 1");
        tokio::select! {
            biased;
            _ = waiting => panic!("it should wait for its place"),
            () = std::future::ready(()) => {}
        }
    });
    drop(endless);
    assert_eq!(store.rows("SELECT 1"), ["1"]);
}

#[test]
fn a_query_ends_at_its_memory_limit() {
    let limits = SqlLimits {
        query_memory_bytes: 1 << 20,
        ..SqlLimits::default()
    };
    let store = big(limits);
    for sql in [
        "SELECT a.value, b.ts FROM big a, big b ORDER BY a.value * b.value",
        "SELECT a.value, b.value, count(*) FROM big a, big b GROUP BY a.value, b.value",
        "SELECT array_agg(a.value) FROM big a, big b",
        "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value = b.value",
    ] {
        let error = store.try_rows(sql).unwrap_err();
        assert_eq!(error.code, SqlErrorCode::MemoryLimit, "{sql}: {error}");
        assert!(!error.message.contains("barograph memory"), "{error}");
    }
    assert_eq!(store.rows("SELECT count(*) FROM big"), ["2000"]);
}

#[test]
fn nothing_from_outside_makes_it_fall() {
    let store = big(SqlLimits::default());
    let numbers = (0..20_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let texts = (0..20_000)
        .map(|i| format!("'x{i}'"))
        .collect::<Vec<_>>()
        .join(",");
    let ors = (0..400)
        .map(|i| format!("value = {i}"))
        .collect::<Vec<_>>()
        .join(" OR ");
    let sum = vec!["value"; 900].join(" + ");
    let unions = vec!["SELECT 1"; 200].join(" UNION ALL ");
    let nested = format!("{}SELECT 1{}", "SELECT * FROM (".repeat(30), ")".repeat(30));
    let columns = (0..1_000)
        .map(|i| format!("value AS c{i}"))
        .collect::<Vec<_>>()
        .join(", ");
    let joins = (0..20)
        .map(|i| format!(" JOIN big b{i} ON big.ts = b{i}.ts"))
        .collect::<String>();
    for (sql, expected) in [
        (
            format!("SELECT count(*) FROM big WHERE value IN ({numbers})"),
            "2000",
        ),
        (
            format!("SELECT count(*) FROM samples WHERE metric IN ({texts}, 'big')"),
            "2000",
        ),
        (format!("SELECT count(*) FROM big WHERE {ors}"), "400"),
        (format!("SELECT count(*) FROM big WHERE {sum} >= 0"), "2000"),
        (format!("SELECT count(*) FROM ({unions})"), "200"),
        (nested, "1"),
        (
            format!("SELECT count(*) FROM (SELECT {columns} FROM big LIMIT 1)"),
            "1",
        ),
        (format!("SELECT count(*) FROM big{joins}"), "2000"),
    ] {
        assert_eq!(store.rows(&sql), [expected], "{}", &sql[..60]);
    }
    for sql in [
        "SELECT 1/0",
        "SELECT 9223372036854775807 + 1 FROM big",
        "SELECT CAST(ts AS BIGINT) * 9223372036854775807 FROM big",
        "SELECT repeat('x', 9223372036854775807)",
        "SELECT repeat('x', 100000000000)",
        "SELECT lpad('x', 2147483647, 'y') FROM big",
        "SELECT regexp_like('x', '((a{1,1000}){1,1000}){1,1000}')",
        "SELECT 'x' ~ '('",
        "SELECT * FROM big WHERE ts > '9999999-01-01'",
        "SELECT * FROM big WHERE ts > TIMESTAMP '9999-12-31T23:59:59Z'",
        "SELECT ts + INTERVAL '300000 years' FROM big",
        "SELECT time_bucket('292000000y', ts) FROM big",
        "SELECT time_bucket(INTERVAL '9223372036854775807 ms', ts) FROM big",
        "SELECT date_bin(INTERVAL '0 s', ts) FROM big",
        "SELECT array_repeat(1, 10000000000)",
        "SELECT generate_series(1, 100000000000)",
        "SELECT * FROM generate_series(1, 10) a, LATERAL (SELECT a.value)",
        "SELECT \u{0} FROM big",
        "SELECT '\u{1F4A9}' || chr(0)",
        "SELECT substr('abc', -9223372036854775808, 9223372036854775807)",
        "SELECT split_part('a.b', '.', -9223372036854775808)",
        "SELECT nth_value(value, -9223372036854775808) OVER () FROM big",
        "SELECT sum(value) OVER (ROWS BETWEEN 18446744073709551615 PRECEDING AND CURRENT ROW) FROM big LIMIT 1",
        "SELECT approx_percentile_cont(2.0) WITHIN GROUP (ORDER BY value) FROM big",
        "SELECT * FROM big LIMIT 9223372036854775807 OFFSET 9223372036854775807",
        "WITH RECURSIVE a AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM a WHERE x < 100) SELECT max(x) FROM a",
        "SELECT labels['x']['y'] FROM series",
        "SELECT labels[1] FROM series",
        "SHOW TABLES",
        "DESCRIBE big",
        "EXPLAIN VERBOSE SELECT * FROM big",
        "EXPLAIN FORMAT TREE SELECT * FROM big",
        "SELECT * FROM information_schema.df_settings",
    ] {
        if let Err(error) = store.try_rows(sql) {
            assert_ne!(error.code, SqlErrorCode::Timeout, "{sql}");
            assert!(
                !error.to_string().to_lowercase().contains("bug"),
                "{sql}: {error}"
            );
            assert!(!error.to_string().contains("DataFusion"), "{sql}: {error}");
        }
        let _ = store.sql().check(sql);
    }
    assert_eq!(
        store.rows("SELECT count(*) FROM big"),
        ["2000"],
        "it still answers"
    );
}

#[test]
fn an_unbounded_recursion_is_ended() {
    let store = big(SqlLimits {
        timeout: Duration::from_millis(300),
        ..SqlLimits::default()
    });
    let sql = "WITH RECURSIVE a AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM a) SELECT max(x) FROM a";
    let error = store.try_rows(sql).unwrap_err();
    assert!(
        matches!(error.code, SqlErrorCode::Timeout | SqlErrorCode::MemoryLimit),
        "{error}"
    );
}

#[test]
fn check_plans_and_tells_what_is_only_missing() {
    let store = big(SqlLimits::default());
    let schema = store
        .sql()
        .check("SELECT ts, avg(value) AS mean FROM big GROUP BY ts")
        .unwrap();
    assert_eq!(
        schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect::<Vec<_>>(),
        ["ts", "mean"]
    );
    assert!(
        store
            .sql()
            .check("SELECT * FROM nothing")
            .unwrap_err()
            .is_missing_name()
    );
    assert!(!store.sql().check("SELECT 1 FROM").unwrap_err().is_missing_name());
    assert_eq!(
        store.sql().check("DELETE FROM big").unwrap_err().code,
        SqlErrorCode::ReadOnly
    );
    let inside = store.block_on(async { store.sql().check("SELECT 1").is_ok() });
    assert!(inside, "it may be called where a runtime runs already");
    store.clock().advance_ms(HOUR_MS);
    assert_eq!(
        store.rows("SELECT now() - INTERVAL '49 hours'"),
        ["2026-01-01T00:00:00.000Z"]
    );
}

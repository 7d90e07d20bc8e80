//! Queries against a small store: scripts of SQL with their answers, properties, limits.

mod copy;
mod fixture;
mod lanes;
mod limits;
mod narrowing;
mod pushdown;
mod requests;
mod rises;
mod script;

use fixture::Store;

#[test]
fn tables() {
    script::run("tables");
}

#[test]
fn names() {
    script::run("names");
}

#[test]
fn filters() {
    script::run("filters");
}

#[test]
fn functions() {
    script::run("functions");
}

#[test]
fn anomalies() {
    script::run("anomalies");
}

#[test]
fn errors() {
    script::run("errors");
}

#[test]
fn explain() {
    script::run("explain");
}

#[test]
fn aggregates() {
    script::run("aggregates");
}

#[test]
fn buckets() {
    script::run("buckets");
}

#[test]
fn promql_in_sql() {
    script::run("promql_in_sql");
}

#[test]
fn views() {
    script::run("views");
}

#[test]
fn all_tables_of_a_query_see_one_moment() {
    let store = Store::new();
    store.write(r#"a{}"#, &[(0, 1.0)]);
    store.write(r#"b{}"#, &[(0, 1.0)]);
    let sql = store.sql();
    let stream = store.block_on(sql.query("SELECT count(*) FROM samples")).unwrap();
    store.write(r#"a{}"#, &[(1, 1.0)]);
    assert_eq!(store.try_rows_of(stream).unwrap(), ["2"]);
    assert_eq!(store.rows("SELECT count(*) FROM samples"), ["3"]);
}

/// The counts of one operator in the answer to EXPLAIN ANALYZE.
fn counts(rows: &[String], operator: &str) -> Vec<(String, u64)> {
    let line = rows.join("\n").replace("\\n", "\n");
    let line = line
        .lines()
        .find(|line| line.contains(operator))
        .unwrap_or_default()
        .to_owned();
    let metrics = line
        .split("metrics=[")
        .nth(1)
        .unwrap_or_default()
        .trim_end_matches(']')
        .to_owned();
    let pairs = metrics.split(", ").filter_map(|pair| pair.split_once('='));
    pairs
        .filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
        .collect()
}

#[test]
fn explain_analyze_shows_what_was_pruned() {
    let store = Store::filled();
    let rows =
        store.rows("EXPLAIN ANALYZE SELECT value FROM up WHERE job = 'db' AND ts >= '2026-01-02T12:00:00Z'");
    let counts = counts(&rows, "SamplesExec");
    let count = |name: &str| counts.iter().find(|(n, _)| n == name).map(|(_, count)| *count);
    assert_eq!(count("files_total"), Some(24), "{rows:?}");
    assert_eq!(count("files_pruned"), Some(18), "{rows:?}");
    assert_eq!(count("row_groups_total"), Some(24), "{rows:?}");
    assert_eq!(count("row_groups_pruned"), Some(18), "{rows:?}");
    assert_eq!(count("rows_total"), Some(312), "{rows:?}");
    // Rows that have just arrived are not sorted by series yet, and count as selected.
    assert!(
        count("rows_selected").is_some_and(|rows| (12..100).contains(&rows)),
        "{rows:?}"
    );
    assert_eq!(count("series_matched"), Some(1), "{rows:?}");
    assert_eq!(count("output_rows"), Some(11), "the marker is no row: {rows:?}");
}

#[test]
fn explain_verbose_names_files() {
    let store = Store::filled();
    let sql = "SELECT value FROM up WHERE job = 'db' AND ts >= '2026-01-02T12:00:00Z'";
    for explain in ["EXPLAIN ANALYZE VERBOSE", "EXPLAIN VERBOSE"] {
        let rows = store.rows(&format!("{explain} {sql}")).join("\n");
        let part = |name: &str| {
            let from = rows.split(&format!("{name}=[")).nth(1).unwrap_or_default();
            from.split(']').next().unwrap_or_default().to_owned()
        };
        let (read, by_time, by_series) = (part("read"), part("pruned_by_time"), part("pruned_by_series"));
        assert_eq!(read.matches("segments/").count(), 6, "{explain}: {rows}");
        assert!(
            read.contains("2026-01-02T12:00:00.000Z..2026-01-02T13:00:00.000Z, 1/1 row groups, 2/6 rows"),
            "{read}"
        );
        assert_eq!(by_time.matches("segments/").count(), 18, "{explain}: {by_time}");
        assert_eq!(by_series, "", "{explain}");
        let none = store
            .rows(&format!("{explain} SELECT value FROM http_requests_total"))
            .join("\n");
        assert_eq!(
            none.split("pruned_by_series=[")
                .nth(1)
                .unwrap_or_default()
                .split(']')
                .next()
                .unwrap_or_default()
                .matches("segments/")
                .count(),
            24,
            "{none}"
        );
    }
}

#[test]
fn an_answer_is_encoded_as_it_comes() {
    use crate::sql::Format;
    use futures::StreamExt;

    let store = Store::filled();
    let bytes = |sql: &str, format: Format| {
        store.block_on(async {
            let pieces: Vec<_> = store
                .sql()
                .query(sql)
                .await
                .unwrap()
                .encode(format)
                .collect()
                .await;
            pieces
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
                .map(|pieces| pieces.concat())
        })
    };
    let json = bytes(
        "SELECT ts, value FROM odd_values ORDER BY ts LIMIT 2",
        Format::Json,
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(json).unwrap(),
        r#"{"columns":[{"name":"ts","type":"TIMESTAMP"},{"name":"value","type":"DOUBLE"}],"#.to_owned()
            + r#""rows":[["2026-01-01T00:00:00.000Z","NaN"],["2026-01-01T00:00:00.001Z","+Inf"]]}"#
            + "\n"
    );
    let csv = bytes("SELECT job, instance FROM up WHERE false", Format::Csv).unwrap();
    assert_eq!(String::from_utf8(csv).unwrap(), "job,instance\r\n");
    let error = bytes("SELECT CAST(job AS INT) FROM up", Format::Arrow).unwrap_err();
    assert_eq!(error.code.as_str(), "execution");
    assert_eq!("xml".parse::<Format>().unwrap_err().code.as_str(), "unsupported");
}

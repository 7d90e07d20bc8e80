//! Files that `COPY` writes.

use std::fs::{self, File};
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, UInt64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::fixture::Store;
use crate::sql::{CommandTag, SqlErrorCode, SqlLimits};

fn store(folder: &Path) -> Store {
    let store = Store::with_limits(SqlLimits {
        export_folder: Some(folder.to_owned()),
        ..SqlLimits::default()
    });
    store.fill();
    store
}

/// Names in a folder, those that begin with a dot included.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn rows_are_the_same_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let sql = "COPY (SELECT ts, value, job FROM up ORDER BY ts, value) TO 'up.parquet'";
    let (tag, batches) = store.block_on(async {
        let stream = store.sql().query(sql).await.unwrap();
        (stream.tag(), stream.collect_batches().await.unwrap())
    });
    assert_eq!(tag, CommandTag::Copy);
    assert_eq!(batches[0].column(0).as_primitive::<UInt64Type>().value(0), 143);
    let file = File::open(folder.path().join("up.parquet")).unwrap();
    let read = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let read: Vec<_> = read.collect::<Result<_, _>>().unwrap();
    assert_eq!(read.iter().map(|batch| batch.num_rows()).sum::<usize>(), 143);
    let schema = read[0].schema();
    let names_of_columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names_of_columns, ["ts", "value", "job"]);
    let sum: f64 = read
        .iter()
        .flat_map(|batch| batch.column(1).as_primitive::<Float64Type>().values().to_vec())
        .sum();
    assert_eq!(store.rows("SELECT sum(value) FROM up"), [format!("{sum:.1}")]);
    assert_eq!(names(folder.path()), ["up.parquet"]);
}

#[test]
fn each_format_is_that_of_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let query = "SELECT ts, value FROM odd_values ORDER BY ts LIMIT 2";
    for (name, text) in [
        (
            "a.csv",
            "ts,value\r\n2026-01-01T00:00:00.000Z,NaN\r\n2026-01-01T00:00:00.001Z,+Inf\r\n",
        ),
        (
            "deep/er/b.json",
            concat!(
                r#"{"columns":[{"name":"ts","type":"TIMESTAMP"},{"name":"value","type":"DOUBLE"}],"#,
                r#""rows":[["2026-01-01T00:00:00.000Z","NaN"],["2026-01-01T00:00:00.001Z","+Inf"]]}"#,
                "\n"
            ),
        ),
    ] {
        assert_eq!(store.rows(&format!("COPY ({query}) TO '{name}'")), ["2"]);
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
    }
    store.rows("COPY series TO 'series' STORED AS ARROW");
    let file = File::open(folder.path().join("series")).unwrap();
    let read = arrow::ipc::reader::StreamReader::try_new(file, None).unwrap();
    let rows: usize = read.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(store.rows("SELECT count(*) FROM series"), [rows.to_string()]);
    // No row is a file as well.
    assert_eq!(store.rows("COPY (SELECT 1 WHERE false) TO 'none.parquet'"), ["0"]);
    assert!(folder.path().join("none.parquet").exists());
}

#[test]
fn nothing_is_written_elsewhere_or_over_something() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    fs::write(folder.path().join("there.csv"), "mine").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("x.csv"), folder.path().join("dangling.csv")).unwrap();
    for path in [
        "/tmp/x.csv",
        "../x.csv",
        "a/../../x.csv",
        "a//x.csv",
        "./x.csv",
        ".hidden.csv",
        "link/x.csv",
        "link/new/x.csv",
        "there.csv",
        "dangling.csv",
        "file:///tmp/x.csv",
        "s3://bucket/x.csv",
        "a\\b.csv",
        "x",
        "x.xlsx",
        "",
    ] {
        let error = store
            .try_rows(&format!("COPY (SELECT 1) TO '{path}'"))
            .unwrap_err();
        assert_eq!(error.code, SqlErrorCode::Unsupported, "{path}: {error}");
    }
    let long = format!("{}.csv", "x".repeat(300));
    store
        .try_rows(&format!("COPY (SELECT 1) TO '{long}'"))
        .unwrap_err();
    assert_eq!(names(outside.path()), Vec::<String>::new());
    assert_eq!(
        fs::read_to_string(folder.path().join("there.csv")).unwrap(),
        "mine"
    );
    assert_eq!(names(folder.path()), ["dangling.csv", "link", "there.csv"]);
}

#[test]
fn a_query_that_fails_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let error = store
        .try_rows("COPY (SELECT CAST(job AS INT) FROM up) TO 'x.parquet'")
        .unwrap_err();
    assert_eq!(error.code, SqlErrorCode::Execution);
    assert_eq!(names(folder.path()), Vec::<String>::new());
    let error = store
        .try_rows("COPY (INSERT INTO up VALUES (1)) TO 'x.parquet'")
        .unwrap_err();
    assert_eq!(error.code, SqlErrorCode::ReadOnly);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn it_is_off_unless_a_folder_is_named() {
    let store = Store::filled();
    let error = store.try_rows("COPY up TO 'up.csv'").unwrap_err();
    assert_eq!(error.code, SqlErrorCode::Unsupported);
    assert!(error.hint.unwrap().contains("copy_folder"));
}

//! Queries against a small store: scripts of SQL with their answers, properties, limits.

mod fixture;
mod limits;
mod pushdown;
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
fn all_tables_of_a_query_see_one_moment() {
    let store = Store::new();
    store.write(r#"a{}"#, &[(0, 1.0)]);
    store.write(r#"b{}"#, &[(0, 1.0)]);
    let sql = store.sql();
    let stream = store.block_on(sql.query("SELECT count(*) FROM samples")).unwrap();
    store.write(r#"a{}"#, &[(1, 1.0)]);
    assert_eq!(store.rows_of(stream), ["2"]);
    assert_eq!(store.rows("SELECT count(*) FROM samples"), ["3"]);
}

use super::depth::BRACKET_DEPTH_MAX;
use super::*;

/// Parses as a query is parsed, with the stack of the threads for SQL.
fn code(sql: &str) -> Result<(), SqlErrorCode> {
    let sql = sql.to_owned();
    let parse = move || parse(&sql, 1 << 18).map(drop).map_err(|error| error.code);
    let thread = std::thread::Builder::new().stack_size(crate::sql::engine::STACK_BYTES);
    thread.spawn(parse).unwrap().join().unwrap()
}

#[test]
fn only_reading_passes() {
    for sql in [
        "SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "SHOW TABLES",
        "DESCRIBE up",
        "VALUES (1)",
        "SELECT 1;",
    ] {
        assert_eq!(code(sql), Ok(()), "{sql}");
    }
    for sql in [
        "CREATE TABLE a (b INT)",
        "CREATE TABLE a AS SELECT 1",
        "CREATE EXTERNAL TABLE a STORED AS CSV LOCATION '/etc/passwd'",
        "INSERT INTO up VALUES (1)",
        "WITH a AS (SELECT 1) INSERT INTO up SELECT * FROM a",
        "SELECT 1 INTO a",
        "EXPLAIN INSERT INTO up VALUES (1)",
        "EXPLAIN ANALYZE DELETE FROM up",
        "DELETE FROM up",
        "UPDATE up SET value = 1",
        "DROP TABLE up",
        "SET x = 1",
        "RESET x",
        "BEGIN",
        "TRUNCATE TABLE up",
    ] {
        assert_eq!(code(sql), Err(SqlErrorCode::ReadOnly), "{sql}");
    }
    for sql in ["PREPARE a AS SELECT 1", "EXECUTE a", "CLOSE a"] {
        assert_eq!(code(sql), Err(SqlErrorCode::Unsupported), "{sql}");
    }
}

#[test]
fn refuses_what_is_not_one_statement() {
    for sql in [
        "",
        " ",
        ";",
        "SELEC 1",
        "SELECT 1; SELECT 2",
        "SELECT 'open",
        "\0",
        "SELECT 1 FROM",
    ] {
        assert_eq!(code(sql), Err(SqlErrorCode::ParseError), "{sql}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = |open: &str, close: &str, n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
    for sql in [
        deep("(", ")", 10_000),
        deep("NOT ", "", 10_000),
        deep("- ", "", 10_000),
        deep("CASE WHEN true THEN ", " END", 10_000),
        deep("(SELECT ", ")", 10_000),
        deep("abs(", ")", 10_000),
        deep("[", "]", 10_000),
        deep("", "+1", 10_000),
        deep("", " IS NULL", 10_000),
        deep("", "::int", 10_000),
        deep("", " UNION SELECT 1", 10_000),
        "(".repeat(100_000),
        "SELECT ".repeat(10_000),
        format!("SELECT 1 -- {}", "x".repeat(1 << 20)),
        "EXPLAIN ".repeat(10_000),
        deep("", "+1", 129),
        deep("", "+(1, 1)", 129),
        deep("(", ", 1)+(1+1+1+1+1)", 30),
    ] {
        assert_eq!(code(&sql), Err(SqlErrorCode::ParseError), "{}", &sql[..40]);
    }
    let sums = vec!["1+1+1+1"; 200].join(", ");
    assert_eq!(
        code(&format!("SELECT {sums}")),
        Ok(()),
        "each column has its own measure"
    );
}

#[test]
fn brackets_at_the_limit_take_no_time() {
    for sql in ["SELECT * FROM ", "SELECT ", "SELECT 1 WHERE ", "SELECT a IN ", ""] {
        for inner in ["1", "SELECT 1", "a JOIN b", "1, 2", ")"] {
            let text = format!(
                "{sql}{}{inner}{}",
                "(".repeat(BRACKET_DEPTH_MAX),
                ")".repeat(BRACKET_DEPTH_MAX)
            );
            let _ = code(&text);
        }
    }
}

#[test]
fn parts_that_multiply_are_counted() {
    let mut sql = "WITH c0 AS (SELECT 1 AS a FROM up)".to_owned();
    for i in 1..30 {
        sql += &format!(", c{i} AS (SELECT x.a FROM c{0} x, c{0} y)", i - 1);
    }
    assert_eq!(
        code(&format!("{sql} SELECT * FROM c29")),
        Err(SqlErrorCode::Unsupported)
    );
    let many = vec!["up"; 300].join(", ");
    assert_eq!(
        code(&format!("SELECT 1 FROM {many}")),
        Err(SqlErrorCode::Unsupported)
    );
    assert_eq!(
        code("WITH a AS (SELECT 1 FROM up), b AS (SELECT * FROM a, a x) SELECT * FROM b"),
        Ok(())
    );
}

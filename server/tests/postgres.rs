//! PostgreSQL's own client, psycopg, and the SQL that Grafana's PostgreSQL data source sends.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ports::free_port;
use super::program::{Barograph, body, now_ms, pairs};
use super::readers::run_script;

const MINUTE_MS: i64 = 60_000;

struct Postgres {
    barograph: Barograph,
    port: u16,
    /// The first sample's instant.
    start_ms: i64,
    _root: tempfile::TempDir,
}

impl Postgres {
    /// Two hours of two metrics, a sample a minute.
    async fn start(config: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = root.path().join("barograph.toml");
        std::fs::write(&file, config).unwrap();
        let mut barograph = Barograph::new(root.path())
            .with_config(file)
            .with_flags(&["--postgres-listen", &format!("127.0.0.1:{port}")]);
        barograph.start().await;
        let start_ms = (now_ms() - 125 * MINUTE_MS) / (10 * MINUTE_MS) * 10 * MINUTE_MS;
        let rows = |name: &str, host: &str, value: fn(i64) -> f64| {
            let samples = (0..120).map(|i| (start_ms + i * MINUTE_MS, value(i))).collect();
            (pairs(&[("__name__", name), ("host", host)]), samples)
        };
        let series = [
            rows("cpu_seconds_total", "a", |i| i as f64 * 30.0),
            rows("cpu_seconds_total", "b", |i| i as f64 * 6.0),
            rows("temperature", "a", |i| if i == 7 { f64::INFINITY } else { 20.5 }),
        ];
        let (status, text) = barograph.write(body(&series)).await.unwrap();
        assert_eq!(status, 204, "{text}");
        Self {
            barograph,
            port,
            start_ms,
            _root: root,
        }
    }

    fn command(&self, user: &str) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-A", "-t", "-h", "127.0.0.1", "-U", user, "-d", "barograph"])
            .args(["-p", &self.port.to_string()])
            .env("PGCONNECT_TIMEOUT", "20");
        psql
    }

    /// What psql prints, or what it says on stderr.
    fn psql_as(&self, user: &str, password: &str, sql: &str) -> Result<String, String> {
        let output = self
            .command(user)
            .env("PGPASSWORD", password)
            .args(["-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-c", sql])
            .output()
            .expect("psql is installed (Debian's postgresql-client)");
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).unwrap().trim_end().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn psql(&self, sql: &str) -> String {
        self.psql_as("me", "", sql)
            .unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    fn refused(&self, sql: &str) -> String {
        match self.psql_as("me", "", sql) {
            Ok(answer) => panic!("{sql} was answered: {answer}"),
            Err(error) => error,
        }
    }
}

#[tokio::test]
async fn psql_describes_and_asks() {
    let postgres = Postgres::start("").await;
    let tables = postgres.psql(r"\dt");
    for name in [
        "public|samples|",
        "metrics|temperature|",
        "metrics|cpu_seconds_total|",
        "system|queries|",
    ] {
        assert!(tables.contains(name), "{name}: {tables}");
    }
    let described = postgres.psql(r"\d temperature");
    for column in [
        "ts|timestamp with time zone|",
        "value|double precision|",
        "host|text|",
    ] {
        assert!(described.contains(column), "{column}: {described}");
    }
    assert!(postgres.psql(r"\d metrics.cpu*").contains("host|text"));
    assert!(postgres.psql(r"\dn").contains("metrics"));
    postgres.psql(r"\l");
    postgres.psql("CREATE VIEW hot AS SELECT * FROM temperature WHERE value > 20");
    assert!(postgres.psql(r"\dv").contains("public|hot|view"));
    assert!(postgres.psql(r"\d hot").contains("host|text|"));
    assert_eq!(postgres.psql("SELECT count(*) FROM hot"), "120");
    assert_eq!(postgres.psql("SELECT 1 + 1; SELECT 'a;b'"), "2\na;b");
    assert_eq!(
        postgres.psql("SELECT value FROM temperature ORDER BY ts LIMIT 1 OFFSET 7"),
        "Infinity"
    );
    assert_eq!(
        postgres.psql("SELECT labels FROM series WHERE metric = 'temperature'"),
        r#"{"host":"a"}"#
    );
    assert_eq!(postgres.psql("BEGIN; SELECT 1; COMMIT"), "BEGIN\n1\nCOMMIT");
    for sql in ["DECLARE c CURSOR FOR SELECT 1", "FETCH 5 FROM c"] {
        assert!(postgres.refused(sql).contains("0A000"), "{sql}");
    }
}

#[tokio::test]
async fn psql_prepares_and_executes() {
    let postgres = Postgres::start("").await;
    let hot = "PREPARE hot(float8, text) AS SELECT count(*) FROM temperature WHERE value > $1 AND host = $2";
    assert_eq!(
        postgres.psql(&format!(
            "{hot}; EXECUTE hot(10 + 10, 'a'); EXECUTE hot(20, 'b'); EXECUTE hot(NULL, 'a')"
        )),
        "PREPARE\n120\n0\n0"
    );
    // Types that follow from where a parameter stands.
    assert_eq!(
        postgres.psql("PREPARE since AS SELECT count(*) > 0 FROM temperature WHERE ts > $1; EXECUTE since('2020-01-01'); EXECUTE since('2199-01-01')"),
        "PREPARE\nt\nf"
    );
    assert_eq!(
        postgres.psql(
            "PREPARE one AS SELECT 1; EXECUTE one; DEALLOCATE one; PREPARE one AS SELECT 2; EXECUTE one"
        ),
        "PREPARE\n1\nDEALLOCATE\nPREPARE\n2"
    );
    for (sql, code) in [
        ("EXECUTE none".to_owned(), "26000"),
        (format!("{hot}; {hot}"), "42P05"),
        (format!("{hot}; EXECUTE hot(1)"), "42601"),
        (format!("{hot}; EXECUTE hot('warm', 'a')"), "22000"),
        (format!("{hot}; EXECUTE hot(1, 'a'"), "42601"),
        (format!("{hot}; DEALLOCATE ALL; EXECUTE hot(1, 'a')"), "26000"),
        ("PREPARE a AS SELECT * FROM nowhere".to_owned(), "42P01"),
        ("PREPARE a AS DROP TABLE temperature".to_owned(), "25006"),
        ("PREPARE a AS PREPARE b AS SELECT 1".to_owned(), "0A000"),
    ] {
        let refused = postgres.refused(&sql);
        assert!(refused.contains(code), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn settings_have_their_meaning() {
    let postgres = Postgres::start("").await;
    assert_eq!(
        postgres.psql("SET statement_timeout = '3s'; SHOW statement_timeout"),
        "SET\n3s"
    );
    assert_eq!(
        postgres.psql("SET timezone = 'Europe/Berlin'; SELECT TIMESTAMPTZ '2026-07-01 12:00:00' = TIMESTAMPTZ '2026-07-01T10:00:00Z'"),
        "SET\nt"
    );
    let endless = "SELECT count(*) FROM samples a, samples b, samples c, samples d";
    let began = Instant::now();
    let error = postgres.refused(&format!("SET statement_timeout = 300; {endless}"));
    assert!(error.contains("57014"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(postgres.refused("SHOW nothing_of_the_kind").contains("42704"));
    assert!(
        postgres
            .refused("SET timezone = 'Mars/Olympus'")
            .contains("22023")
    );
}

#[tokio::test]
async fn errors_have_their_codes() {
    let postgres = Postgres::start("").await;
    for (sql, code, words) in [
        ("SELEC 1", "42601", ""),
        ("SELECT * FROM temperatur", "42P01", "temperature"),
        ("SELECT hots FROM temperature", "42703", "host"),
        ("INSERT INTO temperature VALUES (1)", "25006", ""),
        ("DELETE FROM temperature", "25006", ""),
        ("CREATE TABLE x (a int)", "25006", ""),
        ("SELECT nothing(1)", "0A000", ""),
        ("SELECT CAST(host AS INT) FROM temperature", "22000", ""),
        ("COPY temperature TO '/tmp/x.csv'", "0A000", ""),
        ("BEGIN; SELEC 1; SELECT 1", "42601", ""),
    ] {
        let error = postgres.refused(sql);
        assert!(
            error.contains(&format!("{code}:")) && error.contains(words),
            "{sql}: {error}"
        );
    }
}

/// SIGINT makes psql send a cancel request on a connection of its own.
#[tokio::test]
async fn a_query_is_cancelled() {
    let postgres = Postgres::start("").await;
    let endless = "SELECT count(*) FROM samples a, samples b, samples c, samples d";
    let psql = postgres
        .command("me")
        .args(["-c", endless])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    let interrupt = Command::new("kill")
        .args(["-INT", &psql.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupt.success());
    let output = tokio::task::spawn_blocking(move || psql.wait_with_output().unwrap())
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("canceling statement due to user request"),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    // All places are free again at once: four run at a time.
    for _ in 0..6 {
        assert_eq!(postgres.psql("SELECT 1"), "1");
    }
}

/// A client that goes away takes its queries with it: otherwise the fifth would wait for the timeout of the others.
#[tokio::test]
async fn a_client_that_is_gone_frees_its_place() {
    let postgres = Postgres::start("[sql]\ntimeout = \"10m\"\nconcurrency = 2\n").await;
    let endless = "SELECT count(*) FROM samples a, samples b, samples c, samples d";
    for _ in 0..3 {
        let mut psql = postgres
            .command("me")
            .args(["-c", endless])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        psql.kill().unwrap();
        psql.wait().unwrap();
    }
    assert_eq!(postgres.psql("SELECT 1"), "1");
}

/// Answers that wait to be sent would keep their places, and the third statement would wait for them.
#[tokio::test]
async fn many_statements_take_the_place_of_one() {
    let postgres = Postgres::start("[sql]\nconcurrency = 2\ntimeout = \"20s\"\n").await;
    let many = ["SELECT a.value FROM samples a, samples b"; 4].join("; ");
    let answer = postgres.psql(&format!("BEGIN; {many}; COMMIT"));
    assert_eq!(answer.lines().count(), 4 * 360 * 360 + 2);
}

#[tokio::test]
async fn passwords_are_asked_for_where_there_are_users() {
    let config = "[[sql_user]]\nname = \"grafana\"\npassword = \"correct horse\"\n\n[[sql_user]]\nname = \"ci\"\npassword_file = \"token\"\n";
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("token"), "t0ken\n").unwrap();
    let file = root.path().join("token").display().to_string();
    let postgres = Postgres::start(&config.replace("\"token\"", &format!("{file:?}"))).await;
    assert_eq!(
        postgres.psql_as("grafana", "correct horse", "SELECT 1").unwrap(),
        "1"
    );
    assert_eq!(postgres.psql_as("ci", "t0ken", "SELECT 1").unwrap(), "1");
    for (user, password) in [
        ("grafana", "wrong"),
        ("grafana", "t0ken"),
        ("nobody", "correct horse"),
        ("me", ""),
    ] {
        let error = postgres.psql_as(user, password, "SELECT 1").unwrap_err();
        assert!(error.contains("password"), "{user}: {error}");
    }
}

#[tokio::test]
async fn psycopg_binds_and_fetches() {
    let postgres = Postgres::start("").await;
    let arguments = [postgres.port.to_string(), postgres.start_ms.to_string()];
    run_script("postgres/with_psycopg.py", &arguments);
}

/// The statements as Grafana 11 makes them of its macros, and the answers that its panels need.
#[tokio::test]
async fn grafana_gets_its_series() {
    let postgres = Postgres::start("").await;
    let (from, to) = (postgres.start_ms, postgres.start_ms + 119 * MINUTE_MS);
    let instant = |ms: i64| postgres.psql(&format!("SELECT to_timestamp_millis({ms})::text"));
    let filter = format!("ts BETWEEN '{}' AND '{}'", instant(from), instant(to));
    assert_eq!(postgres.psql("SELECT 1"), "1");
    let number = |text: &str| -> f64 { text.trim().parse().unwrap_or_else(|_| panic!("{text:?}")) };
    // $__timeGroupAlias(ts,'10m') and $__timeFilter(ts)
    for group in [
        "floor(extract(epoch from ts)/600)*600",
        "time_bucket('600.000s',ts)",
    ] {
        let sql = format!(
            r#"SELECT {group} AS "time", host, avg(value) AS v FROM cpu_seconds_total WHERE {filter} GROUP BY 1, host ORDER BY 1, host"#
        );
        let answer = postgres.psql(&sql);
        let rows: Vec<_> = answer.lines().collect();
        assert_eq!(rows.len(), 24, "{sql}: {answer}");
        assert!(
            rows[0].contains("|a|135") && rows[1].contains("|b|27"),
            "{sql}: {answer}"
        );
    }
    let first = postgres.psql(&format!(
        r#"SELECT floor(extract(epoch from ts)/600)*600 AS "time" FROM temperature WHERE {filter} ORDER BY 1 LIMIT 1"#
    ));
    assert_eq!(number(&first) as i64, from / 1_000);
    // $__unixEpochFilter on a number, $__timeFrom() and $__timeTo()
    let seconds = (from / 1_000, to / 1_000);
    let epoch = format!(
        "SELECT count(*) FROM temperature WHERE extract(epoch from ts) >= {} AND extract(epoch from ts) <= {}",
        seconds.0, seconds.1
    );
    assert_eq!(postgres.psql(&epoch), "120");
    assert_eq!(
        postgres.psql(&format!(
            "SELECT count(*) FROM temperature WHERE ts >= '{}' AND ts < '{}'",
            instant(from),
            instant(to)
        )),
        "119"
    );
    // What the query builder asks first.
    let version = postgres.psql("SHOW server_version");
    assert!(version.starts_with("16."), "{version}");
    assert_eq!(postgres.psql("SELECT current_database()"), "barograph");
    let tables = postgres.psql(
        "SELECT CASE WHEN quote_ident(table_schema) IN ('public') THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS \"table\" FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache', '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', 'timescaledb_experimental') ORDER BY 1",
    );
    assert!(
        tables.contains("metrics.temperature") && tables.contains("samples"),
        "{tables}"
    );
    let columns = postgres.psql(
        r#"SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE quote_ident(table_name) = 'temperature' ORDER BY 1"#,
    );
    assert!(
        columns.contains("host|") && columns.contains("value|"),
        "{columns}"
    );
}

/// Nothing that is no PostgreSQL client costs more than its own connection.
#[tokio::test]
async fn other_bytes_are_refused() {
    let postgres = Postgres::start("").await;
    let address = ("127.0.0.1", postgres.port);
    let startup = |parameters: &[u8]| {
        let mut bytes = (parameters.len() as u32 + 9).to_be_bytes().to_vec();
        bytes.extend([0, 3, 0, 0]);
        bytes.extend(parameters);
        bytes.push(0);
        bytes
    };
    let login = startup(b"user\0me\0");
    let message = |kind: u8, body: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    };
    // Three values with two formats, and three columns with two.
    let parse = message(b'P', b"\0SELECT $1::text, $2::text, $3::text\0\0\0");
    let values = b"\0\x03\0\0\0\x01a\0\0\0\x01b\0\0\0\x01c";
    let bind = |parameters: &[u8], results: &[u8]| {
        message(b'B', &[b"\0\0", parameters, values.as_slice(), results].concat())
    };
    let run = [
        message(b'D', b"P\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ]
    .concat();
    let two = b"\0\x02\0\0\0\x01";
    let cases: Vec<Vec<u8>> = vec![
        [login.clone(), parse.clone(), bind(two, b"\0\0"), run.clone()].concat(),
        [login.clone(), parse.clone(), bind(b"\0\0", two), run.clone()].concat(),
        // Values that are longer than their message, and counts of more than there is.
        [
            login.clone(),
            parse.clone(),
            message(b'B', b"\0\0\0\0\0\x01\0\0\x7f\xffabc"),
            run.clone(),
        ]
        .concat(),
        [
            login.clone(),
            parse.clone(),
            message(b'B', b"\0\0\0\x05\0"),
            run.clone(),
        ]
        .concat(),
        [
            login.clone(),
            parse.clone(),
            message(b'B', b"\0\0\xff\xff"),
            run.clone(),
        ]
        .concat(),
        [login.clone(), message(b'P', b"no end")].concat(),
        [login.clone(), message(b'P', b"\0SELECT 1\0\x7f\xff"), run].concat(),
        [login.clone(), message(b'D', b"")].concat(),
        [login.clone(), message(b'E', b"\0\0")].concat(),
        [login.clone(), message(b'C', b"")].concat(),
        [login.clone(), message(b'Q', b"SELECT 1")].concat(),
        [login.clone(), message(b'p', b"x")].concat(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 64],
        vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
        [login.clone(), b"Q\x3f\xff\xff\xff".to_vec()].concat(),
        [login.clone(), b"Q\0\0\0\x01".to_vec()].concat(),
        [login.clone(), b"~\0\0\0\x05x".to_vec()].concat(),
        login[..5].to_vec(),
        startup(b"user\0"),
    ];
    for bytes in cases {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{:?} was not let go", &bytes[..bytes.len().min(16)]);
    }
    assert_eq!(postgres.psql("SELECT 1"), "1");
    let log = postgres.barograph.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn the_server_stops_with_clients() {
    let mut postgres = Postgres::start("").await;
    let mut idle = TcpStream::connect(("127.0.0.1", postgres.port)).await.unwrap();
    idle.write_all(&[
        0, 0, 0, 17, 0, 3, 0, 0, b'u', b's', b'e', b'r', 0, b'm', b'e', 0, 0,
    ])
    .await
    .unwrap();
    let mut some = [0; 1];
    idle.read_exact(&mut some).await.unwrap();
    let began = Instant::now();
    assert!(postgres.barograph.terminate().success());
    assert!(began.elapsed() < Duration::from_secs(10));
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("57P01"), "it is told why");
}

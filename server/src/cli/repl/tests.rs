use super::catalog::{Catalog, columns_query};
use super::command::{Command, parse};
use super::complete::complete;
use super::statement::{Place, is_complete, split};
use crate::cli::sql::OutputFormat;

#[test]
fn statements_end_at_semicolons_that_count() {
    for (text, expected) in [
        ("", vec![]),
        (" ; ;; ", vec![]),
        ("SELECT 1", vec!["SELECT 1"]),
        ("SELECT 1; SELECT 2 ;", vec!["SELECT 1", "SELECT 2"]),
        ("SELECT ';', 'it''s;';", vec!["SELECT ';', 'it''s;'"]),
        ("SELECT \"a;\"\"b\" FROM t;", vec!["SELECT \"a;\"\"b\" FROM t"]),
        (
            "-- first; comment\nSELECT 1;",
            vec!["-- first; comment\nSELECT 1"],
        ),
        ("SELECT /* ; /* ; */ ; */ 1;", vec!["SELECT /* ; /* ; */ ; */ 1"]),
        ("SELECT 1; -- the end; really", vec!["SELECT 1"]),
        ("SELECT 1 - -1; SELECT 1/2", vec!["SELECT 1 - -1", "SELECT 1/2"]),
        ("SELECT 'é;ü'; x", vec!["SELECT 'é;ü'", "x"]),
    ] {
        assert_eq!(split(text).statements(), expected, "{text}");
    }
    assert_eq!(split("SELECT 'a").end, Place::Text);
    assert_eq!(split("/* /* */").end, Place::BlockComment(1));
}

#[test]
fn enter_runs_what_is_complete() {
    for input in [
        "",
        "  ",
        "SELECT 1;",
        "SELECT 1; -- done",
        "\\d",
        "\\q;",
        "exit",
        "-- a comment",
    ] {
        assert!(is_complete(input), "{input}");
    }
    for input in ["SELECT 1", "SELECT ';", "SELECT 1; SELECT", "/* ", "SELECT \";"] {
        assert!(!is_complete(input), "{input}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_splits(text in "[a;'\"/*\n\\-é ]{0,40}") {
        let parts = split(&text);
        proptest::prop_assert!(parts.complete.iter().all(|part| !part.trim().is_empty()));
        let _ = is_complete(&text);
    }

    #[test]
    fn any_place_completes(line in "[\\\\a-dFROM.,\" é']{0,30}", pos in 0usize..40) {
        let pos = (0..=pos.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap();
        let (start, _) = complete(&line, pos, &catalog());
        proptest::prop_assert!(start <= pos && line.is_char_boundary(start));
    }
}

#[test]
fn commands_are_read() {
    assert_eq!(parse("SELECT 1;"), Ok(None));
    for (line, command) in [
        ("\\q", Command::Quit),
        ("exit;", Command::Quit),
        ("\\d", Command::Tables),
        (" \\d up ", Command::Columns("up".to_owned())),
        ("\\timing", Command::Timing),
        ("\\format json", Command::Format(OutputFormat::Json)),
        ("\\?", Command::Help),
    ] {
        assert_eq!(parse(line), Ok(Some(command)), "{line}");
    }
    assert_eq!(
        parse("\\fromat csv"),
        Err("there is no command \\fromat (try \\format)".to_owned())
    );
    assert_eq!(
        parse("\\format xml"),
        Err("there is no format \"xml\" (there are table, csv and json)".to_owned())
    );
    assert_eq!(parse("\\timing on"), Err("\\timing takes no \"on\"".to_owned()));
}

#[test]
fn columns_are_asked_for_by_name() {
    let query = |table| columns_query(table).split("WHERE ").nth(1).unwrap().to_owned();
    assert_eq!(query("Up"), "table_name = 'up' ORDER BY ordinal_position");
    assert_eq!(
        query("metrics.\"job:Rate'5m\""),
        "table_name = 'job:Rate''5m' AND table_schema = 'metrics' ORDER BY ordinal_position"
    );
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for (schema, table, column) in [
        ("metrics", "up", "ts"),
        ("metrics", "up", "value"),
        ("metrics", "up", "instance"),
        ("metrics", "job:rate5m", "ts"),
        ("public", "alerts", "rule"),
        ("public", "alerts", "severity"),
    ] {
        catalog.add(schema, table, column);
    }
    catalog
}

/// What Tab gives at `|`.
#[track_caller]
fn check(line: &str, expected: &[&str]) {
    let pos = line.find('|').unwrap();
    let line = line.replace('|', "");
    let (start, offers) = complete(&line, pos, &catalog());
    let whole: Vec<String> = offers
        .iter()
        .map(|offer| format!("{}{offer}", &line[..start]))
        .collect();
    let expected: Vec<String> = expected.iter().map(|&word| word.to_owned()).collect();
    assert_eq!(whole, expected, "{line}");
}

#[test]
fn tables_follow_from_and_join() {
    check(
        "SELECT * FROM |",
        &[
            "SELECT * FROM \"job:rate5m\"",
            "SELECT * FROM alerts",
            "SELECT * FROM metrics.",
            "SELECT * FROM public.",
            "SELECT * FROM up",
        ],
    );
    check("SELECT * FROM u|", &["SELECT * FROM up"]);
    check("SELECT * FROM JOB|", &["SELECT * FROM \"job:rate5m\""]);
    check("SELECT * FROM \"j|", &["SELECT * FROM \"job:rate5m\""]);
    check("SELECT * FROM up, al|", &["SELECT * FROM up, alerts"]);
    check("select 1 from up join al|", &["select 1 from up join alerts"]);
    check(
        "SELECT * FROM metrics.|",
        &["SELECT * FROM metrics.\"job:rate5m\"", "SELECT * FROM metrics.up"],
    );
}

#[test]
fn columns_belong_to_the_tables_that_are_named() {
    check("SELECT ins| FROM up", &["SELECT instance"]);
    check("SELECT ins| FROM alerts", &[]);
    check("SELECT ru|", &[]);
    check(
        "SELECT * FROM up WHERE up.v|",
        &["SELECT * FROM up WHERE up.value"],
    );
    check(
        "SELECT * FROM alerts a WHERE a.s|",
        &["SELECT * FROM alerts a WHERE a.severity"],
    );
    check(
        "SELECT * FROM alerts AS a WHERE a.s|",
        &["SELECT * FROM alerts AS a WHERE a.severity"],
    );
    check(
        "SELECT * FROM up WHERE |",
        &[
            "SELECT * FROM up WHERE instance",
            "SELECT * FROM up WHERE ts",
            "SELECT * FROM up WHERE value",
        ],
    );
}

#[test]
fn keywords_take_the_case_of_what_is_typed() {
    check("SEL|", &["SELECT"]);
    check("sel|", &["select"]);
    check("SELECT 1 FROM up gro|", &["SELECT 1 FROM up group by"]);
    check("|", &[]);
}

#[test]
fn nothing_is_offered_inside_texts_and_comments() {
    check("SELECT 'sel|", &[]);
    check("-- sel|", &[]);
    check("/* sel|", &[]);
}

#[test]
fn commands_are_offered() {
    check("\\f|", &["\\format"]);
    check("\\d u|", &["\\d up"]);
    check("\\format j|", &["\\format json"]);
}

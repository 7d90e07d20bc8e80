//! The command line as a shell sees it: exit codes, what is on stdout and what on stderr.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use super::ports::free_port;

fn barograph(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barograph"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end: the exit code, stdout, stderr.
fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["detect", "--help"],
        &["check", "rules", "--help"],
    ] {
        let (code, stdout, stderr) = outcome(&mut barograph(arguments));
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(!stdout.is_empty());
    }
}

#[test]
fn a_command_line_that_cannot_be_understood_exits_with_2() {
    for (arguments, expected) in [
        (&["serv"][..], "barograph: unrecognized subcommand 'serv'"),
        (
            &["serve"],
            "barograph: the following required arguments were not provided:",
        ),
        (
            &["serve", "--data-dir", "d", "--retention", "15dd"],
            "\"15dd\" is not a duration (try \"15d\")",
        ),
        (
            &["sql", "--format", "xml"],
            "[possible values: table, csv, json, parquet]",
        ),
    ] {
        let (code, stdout, stderr) = outcome(&mut barograph(arguments));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
    let (code, ..) = outcome(&mut barograph(&[]));
    assert_eq!(code, Some(2));
}

#[test]
fn detect_writes_to_stdout_and_notes_to_stderr() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.csv");
    std::fs::write(&input, "time,v\n1714521600,1\n1714521660,2\n").unwrap();
    let (code, stdout, stderr) = outcome(&mut barograph(&[
        "detect",
        "--input",
        input.to_str().unwrap(),
        "--output",
        "-",
    ]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout.lines().count(), 3);
    assert!(
        stderr.starts_with("barograph: ") && stderr.contains("looks like seconds"),
        "{stderr}"
    );

    std::fs::write(&input, "time,v\n1,x\n").unwrap();
    let (code, stdout, stderr) = outcome(&mut barograph(&[
        "detect",
        "--input",
        input.to_str().unwrap(),
        "--output",
        "-",
    ]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let expected = format!(
        "barograph: {}:2: column \"v\": \"x\" is not a number (choose the metrics with --columns)\n",
        input.display()
    );
    assert_eq!(stderr, expected);
}

#[test]
fn check_tells_every_problem() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, "[storage]\nretention = \"15dd\"\n[sql]\nwarp = 9\n").unwrap();
    let name = file.to_str().unwrap();
    let (code, _, stderr) = outcome(&mut barograph(&["check", "config", name]));
    assert_eq!(code, Some(1));
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(
        lines[0],
        format!("barograph: {name}:2: retention \"15dd\" is not a duration (try \"15d\")")
    );
    assert!(
        lines[1].starts_with(&format!("barograph: {name}:4: [sql] has no key \"warp\"")),
        "{stderr}"
    );
    std::fs::write(&file, "[storage]\nretention = \"15d\"\n").unwrap();
    let (code, stdout, _) = outcome(&mut barograph(&["check", "config", name]));
    assert_eq!(code, Some(0));
    assert_eq!(
        stdout,
        format!("{name}: ok (0 detectors, 0 channels, 0 routes, 0 rules)\n")
    );
}

#[test]
fn check_follows_the_configuration_to_its_rules() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).to_str().unwrap().to_owned()
    };
    let rules = write(
        "a.yml",
        "groups:\n- name: g\n  rules:\n  - alert: A\n    detector: latencyy\n    labels:\n      severity: P1\n",
    );
    let config = write(
        "c.toml",
        "[alerts]\nrules = [\"*.yml\"]\n[[detector]]\nname = \"latency\"\nkind = \"seasonal\"\nselector = \"up\"\n",
    );
    let (code, _, stderr) = outcome(&mut barograph(&["check", "config", &config]));
    assert_eq!(code, Some(1));
    assert_eq!(
        stderr,
        format!(
            "barograph: {rules}:5: detector \"latencyy\" is not configured (did you mean \"latency\"?)\n"
        )
    );
    let rules = write(
        "b.txt",
        "groups:\n- name: g\n  rules:\n  - alert: B\n    sql: SELECT 1 AS value\n",
    );
    let (code, stdout, stderr) = outcome(&mut barograph(&["check", "rules", &rules]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout, "1 rule(s) in 1 file(s): ok\n");
    assert_eq!(
        stderr,
        "barograph: the SQL of 1 rule(s) was not checked: give --url or --data-dir\n"
    );
    let (code, _, stderr) = outcome(&mut barograph(&["check", "rules", "none.yml"]));
    assert_eq!(code, Some(1));
    assert!(
        stderr.starts_with("barograph: cannot read none.yml: "),
        "{stderr}"
    );
}

#[test]
fn the_example_configuration_passes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/barograph.toml");
    let (code, stdout, stderr) = outcome(&mut barograph(&["check", "config", file]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.ends_with(": ok (2 detectors, 2 channels, 2 routes, 2 rules)\n"),
        "{stdout}"
    );
}

#[test]
fn rules_are_planned_over_a_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/rules/example.yml");
    let (code, stdout, stderr) = outcome(&mut barograph(&[
        "check",
        "rules",
        example,
        "--data-dir",
        data_dir,
    ]));
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "2 rule(s) in 1 file(s): ok\n"),
        "{stderr}"
    );
    assert!(
        stderr.contains("example.yml:") && stderr.contains("once the metric arrives"),
        "{stderr}"
    );
    let rules = dir.path().join("rules.yml");
    std::fs::write(
        &rules,
        "groups:\n- name: g\n  rules:\n  - alert: A\n    sql: SELEC 1 AS value\n",
    )
    .unwrap();
    let rules = rules.to_str().unwrap();
    let (code, _, stderr) = outcome(&mut barograph(&["check", "rules", rules, "--data-dir", data_dir]));
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with(&format!("barograph: {rules}:5: ")), "{stderr}");
}

#[test]
fn sql_without_a_server_says_what_to_do() {
    let address = format!("127.0.0.1:{}", free_port());
    let (code, stdout, stderr) = outcome(&mut barograph(&[
        "sql",
        "SELECT 1",
        "--url",
        &format!("http://{address}"),
    ]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.starts_with(&format!("barograph: cannot reach http://{address}: ")),
        "{stderr}"
    );
    assert!(stderr.contains("is `barograph serve` running?"), "{stderr}");
    let (code, _, stderr) = outcome(&mut barograph(&["sql", "SELECT 1", "--data-dir", "no/such"]));
    assert_eq!(
        (code, stderr.as_str()),
        (Some(1), "barograph: there is no data directory no/such\n")
    );
    let (code, _, stderr) = outcome(&mut barograph(&["sql", " ; "]));
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("barograph: there is no query"), "{stderr}");
}

#[test]
fn sql_reads_stdin_and_a_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let query = |query: &str, format: &str| {
        outcome(&mut barograph(&[
            "sql",
            query,
            "--data-dir",
            data_dir,
            "--format",
            format,
        ]))
    };
    assert_eq!(
        query("SELECT 1 AS a, 'x' AS b", "csv"),
        (Some(0), "a,b\n1,x\n".replace('\n', "\r\n"), String::new())
    );
    let (code, stdout, _) = query("SELECT 1 AS a; SELECT 2 AS b;", "table");
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "a\n─\n1\n(1 row)\nb\n─\n2\n(1 row)\n")
    );
    let (code, stdout, stderr) = query("SELECT * FROM sampels", "json");
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.contains("sampels") && stderr.contains("did you mean samples?"),
        "{stderr}"
    );

    let mut child = barograph(&["sql", "--data-dir", data_dir, "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"-- a comment;\nSELECT 1 AS a\n")
        .unwrap();
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(stdout.contains("\"rows\":[[1]]"), "{stdout}");

    let output = dir.path().join("out.parquet");
    let arguments = [
        "sql",
        "SELECT 7 AS a",
        "--data-dir",
        data_dir,
        "--format",
        "parquet",
        "--output",
        output.to_str().unwrap(),
    ];
    let (code, stdout, stderr) = outcome(&mut barograph(&arguments));
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    let bytes = std::fs::read(&output).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let (code, _, stderr) = outcome(barograph(&arguments[..2]).args(["; SELECT 2", "--data-dir", data_dir]));
    assert_eq!(code, Some(2), "{stderr}");
}

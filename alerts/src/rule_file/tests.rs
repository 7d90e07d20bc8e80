use barograph_model::Labels;

use crate::{DetectorQuery, RuleQuery, RuleSet};

const FULL: &str = r#"
groups:
  - name: logins
    interval: 30s
    limit: 100
    labels:
      team: access
      severity: P3
    rules:
      - alert: LoginSlow
        sql: |
          SELECT service, value
          FROM metrics.login_seconds
          WHERE value > 2
        for: 5m
        keep_firing_for: 10m
        labels:
          severity: P1
        annotations:
          summary: 'Logins of {{ $labels.service }} take {{ $value | humanizeDuration }}'
      - alert: LoginOdd
        detector: seasonal
        selector: 'logins_total{region=~"eu.*"}'
        points: 3 of 5
        min_score: 4.5
        window: 20m
        keep_missing_for: 2h
  - name: empty
    rules:
"#;

#[test]
fn reads_every_key() {
    let set = RuleSet::parse("logins.yml", FULL).unwrap();
    assert_eq!(set.groups.len(), 2);
    let slow = set.rule("logins", "LoginSlow").unwrap();
    let RuleQuery::Sql(sql) = &slow.query else {
        panic!("{slow:?}")
    };
    assert!(sql.starts_with("SELECT service, value\nFROM"), "{sql}");
    assert_eq!(
        (slow.for_ms, slow.keep_firing_for_ms, slow.interval_ms),
        (300_000, 600_000, 30_000)
    );
    assert_eq!((slow.severity(), slow.limit), ("P1", Some(100)));
    let finding = Labels::from_pairs([("service", "sso"), ("team", "x")]).unwrap();
    let expected = Labels::from_pairs([("service", "sso"), ("team", "access"), ("severity", "P1")]).unwrap();
    assert_eq!(slow.render_labels(&finding), expected);
    assert_eq!(
        slow.render_annotations(&finding, 150.0)["summary"],
        "Logins of sso take 2m 30s"
    );

    let odd = set.rule("logins", "LoginOdd").unwrap();
    let expected = DetectorQuery {
        detector: "seasonal".to_owned(),
        selector: Some("logins_total{region=~\"eu.*\"}".to_owned()),
        points: 3,
        of_points: 5,
        min_score: Some(4.5),
        window_ms: 1_200_000,
    };
    assert_eq!(odd.query, RuleQuery::Detector(expected));
    assert_eq!(
        (odd.severity(), odd.keep_missing_for_ms, odd.for_ms),
        ("P3", 7_200_000, 0)
    );
    assert_eq!(set.groups[1].interval_ms, 60_000);
    assert!(
        RuleSet::parse("none.yml", "# nothing\n")
            .unwrap()
            .groups
            .is_empty()
    );
}

#[test]
fn others_can_refuse_at_the_right_line() {
    let set = RuleSet::parse("logins.yml", FULL).unwrap();
    let odd = set.rule("logins", "LoginOdd").unwrap();
    assert_eq!(odd.error_at("selector", "no").to_string(), "logins.yml:23: no");
    assert_eq!(odd.error_at("for", "absent").to_string(), "logins.yml:21: absent");
}

#[test]
fn groups_are_unique_over_files() {
    let set = |name| RuleSet::parse(name, FULL).unwrap();
    let error = RuleSet::join([set("a.yml"), set("b.yml")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b.yml:3: group \"logins\" is already defined at a.yml:3; give one of them another name"
    );
    assert_eq!(RuleSet::join([set("a.yml")]).unwrap().rules().count(), 2);
}

/// The file `groups: - name: g, rules: - alert: A` with these lines after it, the first of them being line 5.
fn refused(lines: &str) -> String {
    let yaml = format!("groups:\n- name: g\n  rules:\n  - alert: A\n{lines}\n");
    RuleSet::parse("r.yml", &yaml).unwrap_err().to_string()
}

#[test]
fn refusals_say_where_and_what_instead() {
    for (lines, expected) in [
        (
            "    expr: up == 0",
            "r.yml:5: PromQL rules (\"expr\") are not spoken yet",
        ),
        (
            "    sql: SELECT 1\n    fro: 5m",
            "r.yml:6: unknown key \"fro\" (did you mean \"for\"?)",
        ),
        (
            "    sql: SELECT 1\n    for: 5mm",
            "r.yml:6: for: \"5mm\" is not a duration (try \"5m\")",
        ),
        (
            "    sql: SELECT 1\n    keep_firing_for: [1]",
            "r.yml:6: \"keep_firing_for\" is not a text",
        ),
        ("    for: 5m", "r.yml:4: a rule needs a query"),
        (
            "    sql: SELECT 1\n    detector: x",
            "r.yml:6: a rule asks either",
        ),
        ("    sql: '  '", "r.yml:5: the query is empty"),
        (
            "    sql: SELECT 1\n    points: 3 of 5",
            "r.yml:6: \"points\" belongs to detector rules",
        ),
        (
            "    detector: x\n    points: 5 of 3",
            "r.yml:6: points: \"5 of 3\" must ask",
        ),
        (
            "    detector: x\n    min_score: high",
            "r.yml:6: min_score: \"high\" is not a number",
        ),
        ("    detector: x\n    window: 0", "r.yml:6: a window of 0"),
        ("    detector: ''", "r.yml:5: the detector's name is empty"),
        ("    sql: SELECT 1\n    sql: SELECT 2", "duplicate"),
        (
            "    sql: SELECT 1\n    labels:\n      severity: '{{ $value }}'",
            "r.yml:7: label \"severity\" uses $value",
        ),
        (
            "    sql: SELECT 1\n    labels:\n      __name__: x",
            "r.yml:7: an alert has no metric name",
        ),
        (
            "    sql: SELECT 1\n    labels: P1",
            "r.yml:6: \"labels\" is a map",
        ),
        (
            "    sql: SELECT 1\n    labels: {1: x}",
            "r.yml:6: a name in \"labels\" is not a text",
        ),
        (
            "    sql: SELECT 1\n    annotations:\n      a: ok\n      b: '{{ if x }}'",
            "r.yml:8: \"if\" is not spoken",
        ),
        (
            "    sql: SELECT 1\n    annotations:\n      b: |-\n        one\n        {{ $vale }}",
            "r.yml:9: \"$vale\" is not known (did you mean \"$value\"?)",
        ),
        (
            "    sql: SELECT 1\n  - alert: A\n    sql: SELECT 2",
            "r.yml:6: alert \"A\" is defined twice in group \"g\"",
        ),
        (
            "    sql: SELECT 1\n  - sql: SELECT 2",
            "r.yml:6: a rule needs a name",
        ),
        (
            "    sql: SELECT 1\n  - record: a:b\n    expr: up",
            "are not spoken yet",
        ),
        ("    sql: SELECT 1\n  - 5", "r.yml:6: a rule is a map"),
        (
            "    sql: SELECT 1\n- name: g",
            "r.yml:6: group \"g\" is defined twice",
        ),
        (
            "    sql: SELECT 1\n- rules: []",
            "r.yml:6: a group needs a \"name\"",
        ),
        (
            "    sql: SELECT 1\n- name: h\n  interval: 0s",
            "r.yml:7: an interval of 0",
        ),
        (
            "    sql: SELECT 1\n- name: h\n  limit: -1",
            "r.yml:7: limit: \"-1\" is not a whole number",
        ),
        (
            "    sql: SELECT 1\n- name: h\n  rules: {}",
            "r.yml:7: \"rules\" is a list",
        ),
        (
            "    sql: SELECT 1\nrules: []",
            "r.yml:6: unknown key \"rules\" (did you mean \"groups\"?)",
        ),
        ("    sql: [", "r.yml:"),
    ] {
        let message = refused(lines);
        assert!(
            message.contains(expected),
            "{lines}\n  said {message}\n  not  {expected}"
        );
    }
    let message = RuleSet::parse("r.yml", "- a\n").unwrap_err().to_string();
    assert!(message.starts_with("r.yml:1: a rule file is a map"), "{message}");
    assert!(RuleSet::parse("r.yml", &" ".repeat(5 << 20)).is_err());
}

#[test]
fn flow_style_and_anchors_have_lines_too() {
    let yaml = "groups: [{name: g, rules: [\n  {alert: A, sql: &q SELECT 1},\n  {alert: B, sql: *q,\n   fro: 1m}]}]\n";
    let message = RuleSet::parse("r.yml", yaml).unwrap_err().to_string();
    assert_eq!(message, "r.yml:4: unknown key \"fro\" (did you mean \"for\"?)");
    let deep = format!("groups: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(RuleSet::parse("r.yml", &deep).is_err());
}

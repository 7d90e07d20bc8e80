use std::collections::BTreeMap;

use barograph_model::{Labels, TimestampMs};
use proptest::prelude::*;

use crate::{Event, EventFilter, EventKind};

fn event() -> Event {
    Event {
        seq: 1,
        ts: TimestampMs(0),
        kind: EventKind::Firing,
        rule: "LoginSlow".to_owned(),
        group: "logins".to_owned(),
        severity: "P1".to_owned(),
        labels: Labels::from_pairs([("service", "orders"), ("a name", "x, \"y\"")]).unwrap(),
        annotations: BTreeMap::new(),
        value: 1.0,
        evidence: String::new(),
        since: TimestampMs(0),
        fingerprint: String::new(),
    }
}

#[test]
fn conditions() {
    for (filter, passes) in [
        ("", true),
        ("  ", true),
        ("severity=P1", true),
        ("severity=P1,", true),
        ("severity=P2", false),
        (
            " severity = P1 , rule =~ \"Login.*\" , kind=firing,label.service=orders",
            true,
        ),
        ("rule=~Login", false),
        ("rule=~(Login|Logout)Slow", true),
        ("rule!~\"Log.*\"", false),
        ("kind!=resolved,group=logins", true),
        ("kind=~\"rule_.*\"", false),
        ("label.absent=", true),
        ("label.absent=\"\"", true),
        ("label.absent!=x", true),
        ("label.\"a name\"=\"x, \\\"y\\\"\"", true),
        ("label.service=~\"\\w+\"", true),
    ] {
        let parsed = EventFilter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(parsed.matches(&event()), passes, "{filter}");
        let again = EventFilter::parse(&parsed.to_string()).unwrap();
        assert_eq!(again.to_string(), parsed.to_string());
        assert_eq!(again.matches(&event()), passes, "{filter} written as {parsed}");
    }
}

#[test]
fn refusals_say_where_and_what_instead() {
    for (filter, says) in [
        ("severty=P1", "did you mean \"severity\"?"),
        ("service=orders", "did you mean \"label.service\"?"),
        ("kind=fired", "did you mean \"firing\"?"),
        ("severity", "character 9: expected one of = != =~ !~"),
        ("=P1", "character 1: expected a field"),
        ("severity=P1,,", "character 13: expected a field"),
        ("rule=\"abc", "character 6: the quote opened here is not closed"),
        ("rule=\"abc\\", "is not closed"),
        ("rule=\"a\"b", "character 9: expected a comma or the end"),
        ("label.=x", "a label's name is missing"),
        ("rule=~\"(\"", "the pattern \"(\" for label \"rule\""),
    ] {
        let error = EventFilter::parse(filter).unwrap_err().to_string();
        assert!(error.contains(says), "{filter}: {error}");
    }
    assert!(EventFilter::parse(&"x".repeat(1 << 20)).is_err());
}

proptest! {
    #[test]
    fn never_panics(filter in "[a-z.=!~\",\\\\ é]{0,40}") {
        let _ = EventFilter::parse(&filter);
    }

    #[test]
    fn any_value_can_be_quoted(value in "\\PC*") {
        let written = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let filter = EventFilter::parse(&format!("rule=\"{written}\"")).unwrap();
        let mut event = event();
        event.rule = value;
        prop_assert!(filter.matches(&event));
    }
}

//! What is kept, what is dropped, what is said about it.

use barograph_model::Labels;

use super::{at, commit, finding, found, route, rules, short};
use crate::{AlertStore, Finding, Gap, Options, Outcome};

/// A store that logged `n` events, one a second from 1 s on, and keeps `kept` of them for 100 s.
fn logged(n: i64, kept: usize) -> AlertStore {
    let mut options = Options::default();
    options.limits.events = kept;
    options.limits.events_kept_ms = 100_000;
    let mut store = AlertStore::new(options);
    for second in 1..=n {
        let hosts: &[&str] = if second % 2 == 1 { &["a"] } else { &[] };
        let transaction = store.plan(at(second), rules("").rule("g", "A").unwrap(), &found(hosts));
        commit(&mut store, &transaction);
    }
    store
}

#[test]
fn the_log_keeps_its_count_and_shows_gaps() {
    let store = logged(10, 4);
    assert_eq!((store.first_seq(), store.last_seq()), (7, 10));
    for (cursor, gap, first) in [
        (0, Some(Gap::Dropped { first: 1, last: 6 }), Some(7)),
        (5, Some(Gap::Dropped { first: 6, last: 6 }), Some(7)),
        (6, None, Some(7)),
        (8, None, Some(9)),
        (10, None, None),
        (
            11,
            Some(Gap::Ahead {
                cursor: 11,
                last_seq: 10,
            }),
            Some(7),
        ),
        (
            u64::MAX,
            Some(Gap::Ahead {
                cursor: u64::MAX,
                last_seq: 10,
            }),
            Some(7),
        ),
    ] {
        let after = store.events_after(cursor);
        let seqs: Vec<_> = after.events.map(|event| event.seq).collect();
        assert_eq!((after.gap, seqs.first().copied()), (gap, first), "{cursor}");
        assert!(
            seqs.windows(2).all(|pair| pair[1] == pair[0] + 1) && seqs.last().is_none_or(|last| *last == 10)
        );
    }
}

#[test]
fn the_log_ages_and_numbers_go_on() {
    let mut store = logged(10, 100);
    let expiry = store.plan_expiry(at(105));
    commit(&mut store, &expiry);
    assert_eq!(store.first_seq(), 5);
    assert!(store.plan_expiry(at(105)).is_empty());
    let expiry = store.plan_expiry(at(1_000_000));
    commit(&mut store, &expiry);
    assert_eq!((store.first_seq(), store.last_seq()), (11, 10));
    let after = store.events_after(3);
    assert_eq!(
        (after.gap, after.events.len()),
        (Some(Gap::Dropped { first: 4, last: 10 }), 0)
    );
    assert_eq!(
        (
            store.events_after(10).gap,
            AlertStore::default().events_after(0).gap
        ),
        (None, None)
    );
    let mut store = AlertStore::from_checkpoint(&store.to_checkpoint(), store.options().clone()).unwrap();
    let next = store.plan(at(1_000_001), rules("").rule("g", "A").unwrap(), &found(&["a"]));
    commit(&mut store, &next);
    assert_eq!((store.first_seq(), store.last_seq()), (11, 11));
}

#[test]
fn a_waiting_delivery_keeps_an_event_the_log_has_dropped() {
    let mut store = logged(0, 1);
    store.set_options(Options {
        routes: vec![route("hook", "")],
        ..store.options().clone()
    });
    for (second, hosts) in [(1, &["a"][..]), (2, &["a", "b"])] {
        let transaction = store.plan(at(second), rules("").rule("g", "A").unwrap(), &found(hosts));
        commit(&mut store, &transaction);
    }
    let store = AlertStore::from_checkpoint(&store.to_checkpoint(), store.options().clone()).unwrap();
    assert_eq!(store.first_seq(), 2);
    let (_, deliveries) = store.plan_delivery(at(2), "hook", 10);
    assert_eq!(deliveries.iter().map(|d| d.event.seq).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn more_events_in_one_step_than_the_log_holds() {
    let mut store = logged(0, 2);
    let hosts: Vec<_> = (0..5).map(|i| finding(&format!("h{i}"), 1.0)).collect();
    let transaction = store.plan(
        at(1),
        rules("").rule("g", "A").unwrap(),
        &Outcome::Findings(hosts),
    );
    commit(&mut store, &transaction);
    assert_eq!((store.first_seq(), store.last_seq()), (4, 5));
}

#[test]
fn finished_deliveries_are_few() {
    let mut options = Options {
        routes: vec![route("hook", "")],
        ..Options::default()
    };
    options.limits.finished_deliveries = 2;
    let mut store = AlertStore::new(options);
    let transaction = store.plan(at(0), rules("").rule("g", "A").unwrap(), &found(&["a", "b", "c"]));
    commit(&mut store, &transaction);
    for seq in 1..=3 {
        let (sending, _) = store.plan_delivery(at(0), "hook", 1);
        commit(&mut store, &sending);
        let sent = store.plan_sent(at(0), "hook", seq);
        commit(&mut store, &sent);
    }
    let left: Vec<_> = store.deliveries().map(|entry| entry.event.seq).collect();
    assert_eq!((left, store.delivery_totals()), (vec![2, 3], (3, 0)));
}

#[test]
fn huge_texts_are_cut_and_huge_labels_are_a_failure() {
    let mut options = Options::default();
    options.limits.failures_before_event = 1;
    let store = AlertStore::new(options);
    let set = rules("    annotations: {note: \"{{ $labels.host }}{{ $labels.host }}\"}\n");
    let rule = set.rule("g", "A").unwrap();
    let long = Finding {
        labels: Labels::from_pairs([("host", "é".repeat(7_000))]).unwrap(),
        value: 1.0,
        evidence: "é".repeat(1 << 20),
    };
    let transaction = store.plan(at(0), rule, &Outcome::Findings(vec![long]));
    let event = transaction.events().next().unwrap();
    assert!(event.evidence.len() <= 4_096 && event.annotations["note"].len() <= 16_384);
    let huge = Outcome::Findings(vec![finding(&"x".repeat(20_000), 1.0)]);
    let transaction = store.plan(at(0), rule, &huge);
    assert_eq!(short(&transaction), ["rule_failing"]);
    assert!(
        transaction
            .events()
            .next()
            .unwrap()
            .evidence
            .contains("select fewer or shorter text columns")
    );
}

#[test]
fn quiet_rules_leave_nothing_behind() {
    let mut store = AlertStore::default();
    let set = rules("    for: 1m\n");
    let rule = set.rule("g", "A").unwrap();
    assert!(store.plan(at(0), rule, &found(&[])).is_empty());
    for (second, outcome) in [
        (1, found(&["a"])),
        (2, found(&[])),
        (3, Outcome::Failed("x".to_owned())),
        (4, found(&[])),
    ] {
        let transaction = store.plan(at(second), rule, &outcome);
        assert!(!transaction.is_empty());
        commit(&mut store, &transaction);
    }
    assert_eq!((store.active().count(), store.health().count()), (0, 0));
}

#[test]
fn an_unchanged_firing_alert_writes_nothing() {
    let mut store = AlertStore::default();
    let set = rules("");
    let rule = set.rule("g", "A").unwrap();
    let outcome = Outcome::Findings(vec![finding("a", f64::NAN)]);
    let transaction = store.plan(at(0), rule, &outcome);
    commit(&mut store, &transaction);
    assert!(store.plan(at(15), rule, &outcome).is_empty());
    assert!(!store.plan(at(15), rule, &found(&["a"])).is_empty());
}

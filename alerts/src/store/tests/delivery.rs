//! The outbox: order, retries, what is unknown, what is given up.

use std::collections::BTreeSet;

use barograph_model::TimestampMs;

use super::{at, commit, found, route, rules, short};
use crate::{AlertStore, Delivery, EntryState, EventKind, Options, Outcome, Transaction};

/// A store with an alert on host `a` that fired at 0 s, with these routes.
fn firing(routes: Vec<crate::Route>) -> AlertStore {
    let mut store = AlertStore::new(Options {
        routes,
        ..Options::default()
    });
    let transaction = store.plan(at(0), rules("").rule("g", "A").unwrap(), &found(&["a"]));
    commit(&mut store, &transaction);
    store
}

fn evaluate(store: &mut AlertStore, seconds: i64, outcome: &Outcome) {
    let transaction = store.plan(at(seconds), rules("").rule("g", "A").unwrap(), outcome);
    commit(store, &transaction);
}

fn take(store: &mut AlertStore, now: TimestampMs, channel: &str) -> Vec<Delivery> {
    let (transaction, deliveries) = store.plan_delivery(now, channel, 10);
    commit(store, &transaction);
    deliveries
}

fn seqs(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.event.seq).collect()
}

fn state(store: &AlertStore, channel: &str, seq: u64) -> EntryState {
    let mut entries = store.deliveries();
    entries
        .find(|e| e.progress.channel == channel && e.event.seq == seq)
        .unwrap()
        .progress
        .state
}

#[test]
fn a_resolution_waits_for_its_firing_and_for_nothing_else() {
    let mut store = firing(vec![route("hook", "")]);
    evaluate(&mut store, 10, &found(&["b"]));
    // 1: a fires, 2: a resolves, 3: b fires.
    assert_eq!(seqs(&take(&mut store, at(10), "hook")), [1, 3]);
    assert_eq!(take(&mut store, at(10), "hook"), []);
    let failed = store.plan_failed(at(11), "hook", 1, "connection refused", None);
    commit(&mut store, &failed);
    assert_eq!(state(&store, "hook", 1), EntryState::Queued);
    assert_eq!(take(&mut store, at(11), "hook"), []);
    let due = store.next_delivery_at("hook").unwrap();
    assert!((11_500..=12_000).contains(&due.0), "{due}");
    let again = take(&mut store, due, "hook");
    assert_eq!((seqs(&again), again[0].attempt), (vec![1], 2));
    let sent = store.plan_sent(due, "hook", 1);
    commit(&mut store, &sent);
    assert_eq!(seqs(&take(&mut store, due, "hook")), [2]);
    assert_eq!(store.delivery_totals(), (1, 0));
}

#[test]
fn an_event_goes_to_each_channel_once() {
    let store = firing(vec![
        route("hook", "kind=firing"),
        route("hook", "rule=A"),
        route("pager", "severity=P1"),
        route("chat", "label.host=a"),
    ]);
    let channels: Vec<_> = store
        .deliveries()
        .map(|entry| entry.progress.channel.as_str())
        .collect();
    assert_eq!(channels, ["chat", "hook"]);
    let keys: BTreeSet<_> = store.deliveries().map(crate::Entry::idempotency_key).collect();
    assert_eq!(keys.len(), 2);
}

#[test]
fn pending_is_news_only_to_who_asks() {
    let rules = rules("    for: 1m\n");
    for (filter, waiting) in [("", 0), ("rule=A", 0), ("kind=~\"pending|firing\"", 1)] {
        let mut store = AlertStore::new(Options {
            routes: vec![route("hook", filter)],
            ..Options::default()
        });
        let transaction = store.plan(at(0), rules.rule("g", "A").unwrap(), &found(&["a"]));
        commit(&mut store, &transaction);
        assert_eq!(
            (store.last_seq(), store.waiting("hook")),
            (1, waiting),
            "{filter}"
        );
    }
}

#[test]
fn unknown_keeps_its_key_and_stays_unknown() {
    let mut store = firing(vec![route("hook", "")]);
    let first = take(&mut store, at(0), "hook");
    let lost = store.plan_unknown(at(5), "hook", 1, "no answer within 5s");
    commit(&mut store, &lost);
    assert_eq!(state(&store, "hook", 1), EntryState::Unknown);
    let second = take(&mut store, at(10), "hook");
    assert_eq!(second[0].idempotency_key, first[0].idempotency_key);
    // A certain failure now does not undo the doubt about the first attempt.
    let failed = store.plan_failed(at(11), "hook", 1, "connection refused", None);
    commit(&mut store, &failed);
    assert_eq!(state(&store, "hook", 1), EntryState::Unknown);
    take(&mut store, at(20), "hook");
    let sent = store.plan_sent(at(20), "hook", 1);
    commit(&mut store, &sent);
    assert_eq!(state(&store, "hook", 1), EntryState::Sent);
    // An answer that comes twice, or to something that is not under way, changes nothing.
    assert!(store.plan_sent(at(21), "hook", 1).is_empty());
    assert!(store.plan_failed(at(21), "hook", 99, "x", None).is_empty());
}

#[test]
fn after_a_restart_what_was_being_sent_is_unknown_and_due() {
    let mut store = firing(vec![route("hook", "")]);
    take(&mut store, at(0), "hook");
    let mut store = AlertStore::from_checkpoint(&store.to_checkpoint(), store.options().clone()).unwrap();
    assert_eq!(
        take(&mut store, at(1), "hook"),
        [],
        "it is still on its way, as far as the state knows"
    );
    let restart = store.plan_restart(at(1));
    commit(&mut store, &restart);
    assert_eq!(state(&store, "hook", 1), EntryState::Unknown);
    assert_eq!(take(&mut store, at(1), "hook")[0].attempt, 2);
}

#[test]
fn given_up_after_a_day_and_told_to_the_others() {
    let mut store = firing(vec![route("hook", ""), route("chat", "kind=delivery_failed")]);
    take(&mut store, at(0), "hook");
    let failed = store.plan_failed(at(0), "hook", 1, "503", Some(120_000));
    commit(&mut store, &failed);
    assert_eq!(
        store.next_delivery_at("hook"),
        Some(at(120)),
        "the receiver's wish counts"
    );
    // However long it lay, it gets one more try.
    assert_eq!(take(&mut store, at(200_000), "hook").len(), 1);
    let failed = store.plan_failed(at(200_000), "hook", 1, "503 again", None);
    assert_eq!(short(&failed), ["delivery_failed a"]);
    commit(&mut store, &failed);
    assert_eq!(
        (state(&store, "hook", 1), store.delivery_totals()),
        (EntryState::Dead, (0, 1))
    );
    // Told to chat, not to the channel that fails.
    assert_eq!((store.waiting("hook"), store.waiting("chat")), (0, 1));
    let event = &take(&mut store, at(200_000), "chat")[0].event;
    assert!(
        event
            .evidence
            .contains("\"hook\" did not get event 1 (firing of \"A\") after 2 attempts"),
        "{event:?}"
    );
    assert!(event.evidence.ends_with("503 again"), "{event:?}");
    // When that fails too, it is logged and goes nowhere.
    let refused = store.plan_refused(at(200_001), "chat", event.seq, "410 gone");
    assert_eq!(short(&refused), ["delivery_failed a"]);
    commit(&mut store, &refused);
    assert_eq!((store.waiting("hook"), store.waiting("chat")), (0, 0));
}

#[test]
fn a_dead_firing_does_not_hold_its_resolution() {
    let mut store = firing(vec![route("hook", "")]);
    evaluate(&mut store, 1, &found(&[]));
    take(&mut store, at(1), "hook");
    let refused = store.plan_refused(at(1), "hook", 1, "400 bad request");
    commit(&mut store, &refused);
    assert_eq!(seqs(&take(&mut store, at(1), "hook")), [2]);
}

#[test]
fn a_full_queue_loses_its_oldest() {
    let mut options = Options {
        routes: vec![route("hook", ""), route("chat", "kind=delivery_failed")],
        ..Options::default()
    };
    options.limits.waiting_per_channel = 2;
    let mut store = AlertStore::new(options);
    evaluate(&mut store, 0, &found(&["a", "b"]));
    // 1 is under way and is not lost; 2 is.
    let (sending, deliveries) = store.plan_delivery(at(0), "hook", 1);
    commit(&mut store, &sending);
    assert_eq!(seqs(&deliveries), [1]);
    let transaction = store.plan(at(1), rules("").rule("g", "A").unwrap(), &found(&["a", "b", "c"]));
    assert_eq!(short(&transaction), ["firing c", "delivery_failed b"]);
    commit(&mut store, &transaction);
    assert_eq!((store.waiting("hook"), store.waiting("chat")), (2, 1));
    assert_eq!(state(&store, "hook", 2), EntryState::Dead);
}

#[test]
fn a_channel_without_route_gives_up_what_waits() {
    let mut store = firing(vec![route("hook", "")]);
    assert!(store.plan_removed_channels(at(1)).is_empty());
    evaluate(&mut store, 1, &found(&["a", "b"]));
    store.set_options(Options {
        routes: vec![route("chat", "")],
        ..Options::default()
    });
    let removed = store.plan_removed_channels(at(2));
    let events: Vec<_> = removed.events().collect();
    assert_eq!((events.len(), events[0].kind), (1, EventKind::DeliveryFailed));
    assert!(
        events[0]
            .evidence
            .contains("did not get 2 events: no route leads"),
        "{:?}",
        events[0]
    );
    commit(&mut store, &removed);
    assert_eq!((store.waiting("hook"), store.waiting("chat")), (0, 1));
}

#[test]
fn a_clock_set_back_does_not_hold_retries() {
    let mut store = firing(vec![route("hook", "")]);
    take(&mut store, at(0), "hook");
    let failed = store.plan_failed(at(0), "hook", 1, "503", None);
    commit(&mut store, &failed);
    assert_eq!(take(&mut store, at(-3_600), "hook").len(), 1);
}

#[test]
fn planning_changes_nothing() {
    let store = firing(vec![route("hook", "")]);
    let before = store.to_checkpoint();
    let (one, _): (Transaction, _) = store.plan_delivery(at(0), "hook", 1);
    let (two, _) = store.plan_delivery(at(0), "hook", 1);
    assert_eq!(one, two);
    assert_eq!(store.to_checkpoint(), before);
}

//! Stored state that does not fit is refused with a reason, never half taken.

use super::{at, commit, found, route, rules};
use crate::{AlertStore, Options, StoreError, Transaction};

fn options() -> Options {
    Options {
        routes: vec![route("hook", "")],
        ..Options::default()
    }
}

/// A store and the records that led to it.
fn history() -> (AlertStore, Vec<Vec<u8>>) {
    let mut store = AlertStore::new(options());
    let mut records = Vec::new();
    for second in 0..4 {
        let hosts: &[&str] = if second % 2 == 0 { &["a"] } else { &[] };
        let transaction = store.plan(at(second), rules("").rule("g", "A").unwrap(), &found(hosts));
        records.push(transaction.to_record());
        commit(&mut store, &transaction);
    }
    (store, records)
}

#[test]
fn records_before_the_checkpoint_are_passed_over() {
    let (store, records) = history();
    let checkpoint = store.to_checkpoint();
    let again = AlertStore::recover(Some(&checkpoint), &records, options()).unwrap();
    assert_eq!(again.to_checkpoint(), checkpoint);
    let from_nothing = AlertStore::recover(None, &records, Options::default()).unwrap();
    assert_eq!(
        from_nothing.to_checkpoint(),
        checkpoint,
        "options have no part in a replay"
    );
}

#[test]
fn a_missing_record_is_an_error() {
    let (_, mut records) = history();
    records.remove(1);
    let error = AlertStore::recover(None, &records, options()).unwrap_err();
    assert!(
        matches!(error, StoreError::MissingTransactions { applied: 1, found: 3 }),
        "{error}"
    );
    assert!(
        error.to_string().contains("transactions 2 to 2 are missing"),
        "{error}"
    );
}

#[test]
fn a_number_that_comes_twice_is_an_error() {
    let (_, mut records) = history();
    records.push(records[3].clone());
    let error = AlertStore::recover(None, &records, options()).unwrap_err();
    assert!(
        matches!(error, StoreError::Stale { applied: 4, found: 4 }),
        "{error}"
    );
}

#[test]
fn numbers_from_which_nothing_is_counted_are_refused() {
    let state = |applied: u64, first_seq: u64| {
        let (store, _) = history();
        let mut state: serde_json::Value = serde_json::from_slice(&store.to_checkpoint()).unwrap();
        state["applied"] = applied.into();
        state["first_seq"] = first_seq.into();
        state["events"] = serde_json::json!([]);
        AlertStore::from_checkpoint(state.to_string().as_bytes(), options())
    };
    state(4, 1).unwrap();
    for (applied, first_seq) in [(4, 0), (4, u64::MAX), (u64::MAX, 1)] {
        let error = state(applied, first_seq).unwrap_err();
        assert!(error.to_string().contains("count from 1"), "{error}");
    }
}

#[test]
fn unreadable_and_newer_state_says_so() {
    let error = AlertStore::recover(None, [b"{\"number\":1"], options()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("stored alert state (transaction, 11 bytes) is not readable"),
        "{error}"
    );
    let error = AlertStore::from_checkpoint(b"", options()).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Unreadable {
                what: "checkpoint",
                ..
            }
        ),
        "{error}"
    );
    let (store, _) = history();
    let newer = String::from_utf8(store.to_checkpoint())
        .unwrap()
        .replacen("\"format\":1", "\"format\":9", 1);
    let error = AlertStore::from_checkpoint(newer.as_bytes(), options()).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 9,
                supported: 1
            }
        ),
        "{error}"
    );
}

#[test]
fn a_transaction_that_does_not_fit_changes_nothing() {
    let (mut store, records) = history();
    let text = String::from_utf8(records[3].clone()).unwrap();
    for (from, to) in [
        ("\"number\":4", "\"number\":5"),
        (
            "\"number\":4,\"changes\":[",
            "\"number\":5,\"changes\":[{\"queued\":{\"channel\":\"hook\",\"seq\":2}},",
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let transaction = Transaction::from_record(changed.as_bytes()).unwrap();
        let before = store.to_checkpoint();
        let error = store.apply(&transaction).unwrap_err();
        assert!(matches!(error, StoreError::Mismatch { index: 5, .. }), "{error}");
        assert_eq!(store.to_checkpoint(), before);
    }
    let progress = r#"{"number":5,"changes":[{"delivery":{"channel":"x","seq":1,"state":"sent","attempts":1,
        "scheduled_at":0,"next_attempt_at":0}}]}"#;
    let transaction = Transaction::from_record(progress.as_bytes()).unwrap();
    let error = store.apply(&transaction).unwrap_err();
    assert!(error.to_string().contains("where it does not wait"), "{error}");
}

#[test]
fn two_plans_on_one_state_do_not_both_apply() {
    let (mut store, _) = history();
    let set = rules("");
    let one = store.plan(at(10), set.rule("g", "A").unwrap(), &found(&["a"]));
    let two = store.plan(at(11), set.rule("g", "A").unwrap(), &found(&["b"]));
    store.apply(&one).unwrap();
    let error = store.apply(&two).unwrap_err();
    assert!(
        matches!(error, StoreError::Stale { applied: 5, found: 5 }),
        "{error}"
    );
}

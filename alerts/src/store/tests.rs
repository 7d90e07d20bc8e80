//! Scripts of the state machine (`testdata/state`), simulations of crashes, and the corners between.

mod delivery;
mod limits;
mod recovery;
mod script;
mod simulation;

use barograph_model::{Labels, TimestampMs};

use crate::{AlertStore, EventFilter, Finding, Outcome, Route, RuleSet, Transaction};

/// One SQL rule `A` in group `g` with these further lines (each indented by four).
fn rules(lines: &str) -> RuleSet {
    let yaml =
        format!("groups:\n- name: g\n  interval: 15s\n  rules:\n  - alert: A\n    sql: SELECT 1\n{lines}");
    RuleSet::parse("test.yml", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

fn finding(host: &str, value: f64) -> Finding {
    let labels = Labels::from_pairs([("host", host)]).unwrap();
    Finding {
        labels,
        value,
        evidence: format!("{host} has {value}"),
    }
}

fn found(hosts: &[&str]) -> Outcome {
    Outcome::Findings(hosts.iter().map(|host| finding(host, 1.0)).collect())
}

fn route(channel: &str, filter: &str) -> Route {
    Route {
        channel: channel.to_owned(),
        filter: EventFilter::parse(filter).unwrap(),
    }
}

fn at(seconds: i64) -> TimestampMs {
    TimestampMs(seconds * 1_000)
}

/// Applies a transaction the way a server does: through its record.
fn commit(store: &mut AlertStore, transaction: &Transaction) {
    let read = Transaction::from_record(&transaction.to_record()).unwrap();
    store.apply(&read).unwrap();
}

/// The transaction's events in short: kind and host.
fn short(transaction: &Transaction) -> Vec<String> {
    let events = transaction.events();
    events
        .map(|event| {
            format!("{} {}", event.kind, event.labels.get("host"))
                .trim_end()
                .to_owned()
        })
        .collect()
}

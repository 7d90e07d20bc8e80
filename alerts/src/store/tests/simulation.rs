//! Random evaluations, failures, clock steps, reloads, deliveries and crashes against a model that counts.
//!
//! The world keeps a journal, a checkpoint and two receivers. A crash may fall between planning and writing,
//! between writing and applying, or while a request is under way, with or without having arrived.

use std::collections::{BTreeMap, BTreeSet};

use barograph_model::{Labels, TimestampMs};
use proptest::prelude::*;

use super::{finding, route};
use crate::{AlertState, AlertStore, Delivery, Event, EventKind, Options, Outcome, RuleSet, Transaction};

const CHANNELS: [(&str, &str); 2] = [("hook", ""), ("pager", "severity=P1,kind!=pending")];
const HOSTS: [&str; 3] = ["a", "b", "c"];
const FOR_MS: i64 = 30_000;

const RULES: &str = "
groups:
- name: g
  rules:
  - {alert: Plain, sql: q, labels: {severity: P1}}
  - {alert: Slow, sql: q, for: 30s, keep_firing_for: 20s, labels: {severity: P2}}
  - {alert: Odd, detector: d, for: 30s, keep_missing_for: 40s}
";

#[derive(Debug, Clone)]
enum Op {
    /// Evaluate a rule; the bits say which hosts are found, and which of the others are calm.
    Evaluate {
        rule: usize,
        found: u8,
        calm: u8,
        fails: bool,
    },
    Wait {
        ms: i64,
    },
    ClockBack {
        ms: i64,
    },
    /// Take deliveries; the answers come in the given manner.
    Deliver {
        channel: usize,
        answers: [Answer; 3],
    },
    RelabelSlow,
    /// All rules are taken away, and put back before the next evaluation.
    RemoveRules,
    Expire,
    Checkpoint,
    Crash,
    /// Crash in the middle of the next commit: before or after the record is durable.
    CrashAtCommit {
        durable: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Sent,
    Failed,
    UnknownArrived,
    UnknownLost,
    CrashArrived,
    CrashLost,
}

fn answer() -> impl Strategy<Value = Answer> {
    use Answer::{CrashArrived, CrashLost, Failed, Sent, UnknownArrived, UnknownLost};
    prop::sample::select(vec![
        Sent,
        Sent,
        Failed,
        UnknownArrived,
        UnknownLost,
        CrashArrived,
        CrashLost,
    ])
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0usize..3, 0u8..8, 0u8..8, prop::bool::weighted(0.15))
            .prop_map(|(rule, found, calm, fails)| Op::Evaluate { rule, found, calm, fails }),
        6 => (1i64..25_000).prop_map(|ms| Op::Wait { ms }),
        1 => (1i64..100_000).prop_map(|ms| Op::ClockBack { ms }),
        4 => (0usize..2, [answer(), answer(), answer()]).prop_map(|(channel, answers)| Op::Deliver { channel, answers }),
        1 => Just(Op::RelabelSlow),
        1 => Just(Op::RemoveRules),
        1 => Just(Op::Expire),
        1 => Just(Op::Checkpoint),
        1 => Just(Op::Crash),
        1 => any::<bool>().prop_map(|durable| Op::CrashAtCommit { durable }),
    ]
}

/// How long a condition has held, counted independently of the store.
#[derive(Debug, Clone, Default)]
struct Held {
    last_seen: Option<TimestampMs>,
    held_ms: i64,
}

/// How far a transaction got.
#[derive(Debug, PartialEq)]
enum Commit {
    /// The program died before the record was durable.
    Lost,
    /// The program died right after.
    Written,
    Applied,
}

struct World {
    now: TimestampMs,
    rules: RuleSet,
    relabelled: bool,
    store: AlertStore,
    checkpoint: Option<Vec<u8>>,
    records: Vec<Vec<u8>>,
    crash_at_commit: Option<bool>,
    /// Every event that became durable, by number.
    events: BTreeMap<u64, Event>,
    held: BTreeMap<(usize, usize), Held>,
    /// Keys and events in the order of arrival, per channel.
    arrived: [Vec<(String, u64)>; 2],
}

fn options() -> Options {
    let routes = CHANNELS
        .iter()
        .map(|(channel, filter)| route(channel, filter))
        .collect();
    let mut options = Options {
        routes,
        ..Options::default()
    };
    // Small enough to be reached, except where losing is allowed by design.
    options.limits.events = 20;
    options.limits.resolved_per_rule = 2;
    options.limits.finished_deliveries = 5;
    options.limits.failures_before_event = 2;
    options.delivery.give_up_after_ms = i64::MAX;
    options
}

impl World {
    fn new() -> Self {
        Self {
            now: TimestampMs(1_000_000_000),
            rules: RuleSet::parse("sim.yml", RULES).unwrap(),
            relabelled: false,
            store: AlertStore::new(options()),
            checkpoint: None,
            records: Vec::new(),
            crash_at_commit: None,
            events: BTreeMap::new(),
            held: BTreeMap::new(),
            arrived: [Vec::new(), Vec::new()],
        }
    }

    /// Writes and applies, unless the program dies on the way.
    fn commit(&mut self, transaction: &Transaction) -> Commit {
        if transaction.is_empty() {
            return Commit::Applied;
        }
        let crash = self.crash_at_commit.take();
        if crash == Some(false) {
            self.crash();
            return Commit::Lost;
        }
        self.records.push(transaction.to_record());
        for event in transaction.events() {
            let before = self.events.insert(event.seq, event.as_ref().clone());
            assert!(
                before.is_none() && event.seq == self.events.len() as u64,
                "numbers are dense: {event:?}"
            );
        }
        if crash == Some(true) {
            self.crash();
            return Commit::Written;
        }
        self.store.apply(transaction).unwrap();
        Commit::Applied
    }

    fn crash(&mut self) {
        let recovered = AlertStore::recover(self.checkpoint.as_deref(), &self.records, options()).unwrap();
        let from_start =
            AlertStore::recover(self.checkpoint.as_deref(), &self.records, Options::default()).unwrap();
        assert_eq!(recovered.to_checkpoint(), from_start.to_checkpoint());
        self.store = recovered;
        let restart = self.store.plan_restart(self.now);
        self.commit(&restart);
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Evaluate {
                rule,
                found,
                calm,
                fails,
            } => self.evaluate(*rule, *found, *calm, *fails),
            Op::Wait { ms } => self.now = self.now.saturating_add(*ms),
            Op::ClockBack { ms } => self.now = self.now.saturating_add(-ms),
            Op::Deliver { channel, answers } => self.deliver(*channel, answers),
            Op::RelabelSlow => {
                self.relabelled = !self.relabelled;
                let severity = if self.relabelled {
                    "severity: P1"
                } else {
                    "severity: P2"
                };
                let yaml = RULES.replace("severity: P2", severity);
                self.rules = RuleSet::parse("sim.yml", &yaml).unwrap();
            }
            Op::RemoveRules => {
                let removed = self.store.plan_removed_rules(self.now, &RuleSet::default());
                if self.commit(&removed) != Commit::Lost {
                    self.held.clear();
                }
            }
            Op::Expire => {
                let expiry = self.store.plan_expiry(self.now);
                self.commit(&expiry);
            }
            Op::Checkpoint => {
                self.checkpoint = Some(self.store.to_checkpoint());
                // The journal may or may not be cut before the crash that follows.
                if self.now.0 % 2 == 0 {
                    self.records.clear();
                }
            }
            Op::Crash => self.crash(),
            Op::CrashAtCommit { durable } => self.crash_at_commit = Some(*durable),
        }
        assert_eq!(self.store.last_seq(), self.events.len() as u64);
    }

    fn evaluate(&mut self, index: usize, found: u8, calm: u8, fails: bool) {
        let rule = self.rules.groups[0].rules[index].clone();
        let series = |host: &str| Labels::from_pairs([("host", host)]).unwrap();
        let chosen = |bits: u8| (0..HOSTS.len()).filter(move |i| bits & (1 << i) != 0);
        let findings: Vec<_> = chosen(found)
            .map(|i| finding(HOSTS[i], f64::from(calm)))
            .collect();
        let calm: Vec<_> = chosen(calm & !found).map(|i| series(HOSTS[i])).collect();
        let missing: BTreeSet<_> = (0..HOSTS.len())
            .filter(|i| index == 2 && found & (1 << i) == 0 && !calm.contains(&series(HOSTS[*i])))
            .collect();
        let outcome = match (fails, index) {
            (true, _) => Outcome::Failed("broken".to_owned()),
            (false, 2) => Outcome::Judged { findings, calm },
            (false, _) => Outcome::Findings(findings),
        };
        let transaction = self.store.plan(self.now, &rule, &outcome);
        if fails {
            for event in transaction.events() {
                assert_eq!(
                    event.kind,
                    EventKind::RuleFailing,
                    "a failure says nothing about alerts"
                );
            }
        }
        // An evaluation that did not become durable has not happened.
        if self.commit(&transaction) == Commit::Lost || fails {
            return;
        }
        for i in 0..HOSTS.len() {
            let held = self.held.entry((index, i)).or_default();
            let is_found = found & (1 << i) != 0;
            if !is_found && !missing.contains(&i) {
                *held = Held::default();
            } else if is_found || held.last_seen.is_some() {
                held.held_ms += held.last_seen.map_or(0, |last| self.now.since(last).max(0));
                held.last_seen = Some(self.now);
            }
        }
        for event in transaction
            .events()
            .filter(|event| event.kind == EventKind::Firing && rule.for_ms > 0)
        {
            let host = HOSTS
                .iter()
                .position(|host| *host == event.labels.get("host"))
                .unwrap();
            let relabelled_now = transaction
                .events()
                .any(|other| other.kind == EventKind::Resolved && other.fingerprint == event.fingerprint);
            let held_ms = self.held[&(index, host)].held_ms;
            assert!(
                relabelled_now || held_ms >= FOR_MS,
                "fired after {held_ms} ms: {event:?}"
            );
        }
    }

    fn deliver(&mut self, channel: usize, answers: &[Answer]) {
        let name = CHANNELS[channel].0;
        let (sending, deliveries) = self.store.plan_delivery(self.now, name, answers.len());
        if self.commit(&sending) != Commit::Applied {
            return;
        }
        for (delivery, answer) in deliveries.iter().zip(answers) {
            let Delivery {
                event,
                idempotency_key,
                ..
            } = delivery;
            if !matches!(answer, Answer::Failed | Answer::UnknownLost | Answer::CrashLost) {
                self.arrived[channel].push((idempotency_key.clone(), event.seq));
            }
            let end = match answer {
                Answer::Sent => self.store.plan_sent(self.now, name, event.seq),
                Answer::Failed => self.store.plan_failed(self.now, name, event.seq, "503", None),
                Answer::UnknownArrived | Answer::UnknownLost => {
                    self.store.plan_unknown(self.now, name, event.seq, "timeout")
                }
                Answer::CrashArrived | Answer::CrashLost => return self.crash(),
            };
            if self.commit(&end) != Commit::Applied {
                return;
            }
        }
    }

    /// Lets everything arrive.
    fn drain(&mut self) {
        self.crash_at_commit = None;
        // What was taken by a step that ended early is only released by a restart.
        self.crash();
        for (channel, (name, _)) in CHANNELS.iter().enumerate() {
            for _ in 0..100_000 {
                let Some(due) = self.store.next_delivery_at(name) else {
                    break;
                };
                self.now = self.now.max(due);
                self.deliver(channel, &[Answer::Sent; 3]);
            }
            assert_eq!(self.store.waiting(name), 0);
        }
    }

    fn check(&self) {
        let mut lanes: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in self.events.values() {
            lanes.entry(&event.fingerprint).or_default().push(event);
        }
        let mut firing = 0;
        for lane in lanes.values() {
            firing += usize::from(check_lane(lane));
        }
        assert_eq!(
            self.store
                .active()
                .filter(|alert| alert.state == AlertState::Firing)
                .count(),
            firing
        );
        for (channel, (_, filter)) in CHANNELS.iter().enumerate() {
            self.check_arrivals(channel, filter);
        }
    }

    /// Each event of the route arrived at least once, first arrivals of a lane are in order, keys name events.
    fn check_arrivals(&self, channel: usize, filter: &str) {
        let taken = route("x", filter);
        let expected: BTreeSet<u64> = self
            .events
            .values()
            .filter(|event| taken.takes(event))
            .map(|event| event.seq)
            .collect();
        let mut keys: BTreeMap<&str, u64> = BTreeMap::new();
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, seq) in &self.arrived[channel] {
            let is_first = keys.insert(key, *seq).is_none_or(|before| {
                assert_eq!(before, *seq, "one key, two events");
                false
            });
            let lane = last.entry(&self.events[seq].fingerprint).or_default();
            // A repetition may only be of the newest of its lane: nothing overtakes.
            assert!(
                if is_first { *lane < *seq } else { *lane == *seq },
                "{seq} after {lane}"
            );
            *lane = *seq;
        }
        assert_eq!(keys.values().copied().collect::<BTreeSet<_>>(), expected);
        assert_eq!(keys.len(), expected.len(), "an event has one key");
    }
}

/// The kinds of one alert's events must be `(pending (cancelled | firing resolved) | firing resolved)*`, but for
/// the last, which may still be open. Returns whether it fires at the end.
fn check_lane(lane: &[&Event]) -> bool {
    let mut state = None;
    for event in lane {
        state = match (state, event.kind) {
            (None, EventKind::Pending) => Some(EventKind::Pending),
            (None | Some(EventKind::Pending), EventKind::Firing) => Some(EventKind::Firing),
            (Some(EventKind::Pending), EventKind::Cancelled) => None,
            (Some(EventKind::Firing), EventKind::Resolved) => None,
            (None, EventKind::RuleFailing) => Some(EventKind::RuleFailing),
            (Some(EventKind::RuleFailing), EventKind::RuleRecovered) => None,
            (state, kind) => panic!("{kind} after {state:?} in {lane:#?}"),
        };
    }
    state == Some(EventKind::Firing)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn nothing_announced_is_lost_and_nothing_is_announced_early(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in &ops {
            world.run(op);
        }
        world.drain();
        world.check();
    }
}

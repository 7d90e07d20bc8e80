//! A hub over a simulated disk, with one rule whose findings a test decides.

use std::sync::Arc;

use barograph_alerts::{EventFilter, Finding, Options, Outcome, Route, RuleSet};
use barograph_engine::vfs::SimVfs;
use barograph_model::{Labels, TimestampMs};

use super::{AlertHub, HubError};

pub(crate) const DIR: &str = "alerts";

/// The hub, its disk, and the rule.
pub(crate) struct TestHub {
    pub(crate) hub: Arc<AlertHub>,
    pub(crate) vfs: SimVfs,
    rules: RuleSet,
}

impl TestHub {
    pub(crate) fn new(options: Options) -> Self {
        Self::open(SimVfs::new(1), options).unwrap()
    }

    pub(crate) fn open(vfs: SimVfs, options: Options) -> Result<Self, HubError> {
        let yaml = "groups:\n- name: g\n  interval: 15s\n  rules:\n  - alert: Down\n    sql: SELECT 1\n    labels:\n      \
                    severity: P1\n";
        let rules = RuleSet::parse("test.yml", yaml).unwrap();
        Ok(Self {
            hub: AlertHub::open(Arc::new(vfs.clone()), DIR, options)?,
            vfs,
            rules,
        })
    }

    /// The rule, in its set.
    pub(crate) fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Evaluates the rule at a second with these hosts found, all others not; gives the number of the last event.
    pub(crate) fn evaluate(&self, second: i64, hosts: &[&str]) -> Result<u64, HubError> {
        let finding = |host: &&str| Finding {
            labels: Labels::from_pairs([("host", *host)]).unwrap(),
            value: 1.0,
            evidence: format!("{host} does not answer"),
        };
        let outcome = Outcome::Findings(hosts.iter().map(finding).collect());
        let (rule, now) = (self.rules.rule("g", "Down").unwrap(), TimestampMs(second * 1_000));
        self.hub
            .commit_blocking(|store| (store.plan(now, rule, &outcome), ()))?;
        self.hub.commit_blocking(|store| (store.plan_expiry(now), ()))?;
        Ok(self.hub.read(|store| store.last_seq()))
    }

    /// Makes events, firing and resolved in turn, until the log has reached a number.
    pub(crate) fn grow_to(&self, last_seq: u64) {
        let mut second = self.hub.read(|store| store.last_seq()) as i64 + 1;
        while self.hub.read(|store| store.last_seq()) < last_seq {
            let hosts: &[&str] = if second % 2 == 1 { &["a"] } else { &[] };
            self.evaluate(second, hosts).unwrap();
            second += 1;
        }
    }
}

/// Options with a route for everything that is notified to each of these channels.
pub(crate) fn routed_to(channels: &[&str]) -> Options {
    let route = |channel: &&str| Route {
        channel: (*channel).to_owned(),
        filter: EventFilter::default(),
    };
    Options {
        routes: channels.iter().map(route).collect(),
        ..Options::default()
    }
}

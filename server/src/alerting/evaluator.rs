//! Evaluates the rules: each group at its own interval, its rules one after the other.

use std::sync::Arc;
use std::time::Duration;

use barograph_alerts::{Group, Outcome, Rule, RuleQuery, RuleSet};
use barograph_engine::Engine;
use barograph_model::Clock;
use barograph_query::sql::SqlEngine;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::AlertHub;
use super::detector_outcome::detector_outcome;
use super::sql_outcome::sql_outcome;

/// How often old events and resolved alerts are dropped.
const EXPIRY_PERIOD: Duration = Duration::from_secs(60);

/// What rules are asked of, and where their outcomes go.
#[derive(Clone)]
pub struct Evaluator {
    /// The store.
    pub engine: Arc<Engine>,
    /// SQL over it.
    pub sql: Arc<SqlEngine>,
    /// Alert state.
    pub hub: Arc<AlertHub>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Evaluator {
    /// Evaluates until told to stop. When the rule set changes, alerts of rules that are gone are resolved and the new
    /// set is evaluated from then on.
    pub async fn run(self, mut rules: watch::Receiver<Arc<RuleSet>>, stop: CancellationToken) {
        loop {
            let current = Arc::clone(&rules.borrow_and_update());
            let (now, set) = (self.clock.now(), Arc::clone(&current));
            self.commit("rules that are gone", move |store| {
                store.plan_removed_rules(now, &set)
            })
            .await;
            let mut groups = JoinSet::new();
            for group in current.groups.clone() {
                groups.spawn(self.clone().follow(group));
            }
            groups.spawn(self.clone().expire());
            tokio::select! {
                () = stop.cancelled() => return,
                changed = rules.changed() => if changed.is_err() { return },
                Some(Err(error)) = groups.join_next() => {
                    tracing::error!(%error, "a rule group's evaluation ended before its time and begins anew");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn follow(self, group: Group) {
        let period = Duration::from_millis(u64::try_from(group.interval_ms).unwrap_or(1).max(1));
        let mut ticks = tokio::time::interval(period);
        // A slow group is evaluated less often, never twice in a row to catch up.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for rule in &group.rules {
                self.evaluate(rule).await;
            }
        }
    }

    /// Evaluates a rule once and records what follows.
    pub async fn evaluate(&self, rule: &Rule) {
        let now = self.clock.now();
        let outcome = match &rule.query {
            RuleQuery::Sql(query) => sql_outcome(&self.sql, query).await,
            RuleQuery::Detector(query) => {
                let (engine, query) = (Arc::clone(&self.engine), query.clone());
                let outcome =
                    tokio::task::spawn_blocking(move || detector_outcome(&engine, &query, now)).await;
                outcome.unwrap_or_else(|_| Outcome::Failed("the evaluation did not finish".to_owned()))
            }
        };
        let rule = rule.clone();
        self.commit("a rule's outcome", move |store| store.plan(now, &rule, &outcome))
            .await;
    }

    async fn expire(self) {
        let mut ticks = tokio::time::interval(EXPIRY_PERIOD);
        loop {
            ticks.tick().await;
            let now = self.clock.now();
            self.commit("what is too old", move |store| store.plan_expiry(now))
                .await;
        }
    }

    async fn commit(
        &self,
        what: &str,
        plan: impl FnOnce(&barograph_alerts::AlertStore) -> barograph_alerts::Transaction + Send + 'static,
    ) {
        if let Err(error) = self.hub.commit(plan).await {
            // The state is as it was; the next evaluation tries again.
            tracing::warn!(%error, "could not record {what}");
        }
    }
}

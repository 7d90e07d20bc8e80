//! `rules` and `alerts`: what is watched, and what was found, in Prometheus' shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use barograph_alerts::{ActiveAlert, AlertStore, Group, Rule, RuleHealth, RuleQuery};
use barograph_model::{Labels, Matcher, matches_all};
use barograph_promql::Annotations;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use super::PrometheusSource;
use super::error::ApiError;
use super::json::success;
use super::parameters::Parameters;

/// The instant of what has never happened, as Go writes it.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// The label with the rule's name that every alert of Prometheus has.
const ALERT_NAME: &str = "alertname";

/// `/api/v1/alerts`: what is pending or firing.
pub(super) async fn alerts(State(api): State<Arc<PrometheusSource>>) -> Response {
    let alerts: Vec<Value> = api.hub.read(|store| {
        let active = store.active().filter(|alert| alert.state.is_active());
        active.map(|alert| alert_json(&alert)).collect()
    });
    success(&json!({ "alerts": alerts }), &Annotations::default())
}

/// `/api/v1/rules`: rules with their alerts.
pub(super) async fn rules(
    State(api): State<Arc<PrometheusSource>>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let wanted = Wanted::of(&parameters)?;
    let rules = Arc::clone(&api.rules.borrow());
    let groups: Vec<Value> = api.hub.read(|store| {
        let state = RuleStates::of(store);
        let groups = rules.groups.iter().filter(|group| wanted.group(group));
        let json = groups.filter_map(|group| group_json(group, &wanted, &state));
        json.collect()
    });
    Ok(success(&json!({ "groups": groups }), &Annotations::default()))
}

/// Which rules are asked for.
struct Wanted<'a> {
    has_alerting: bool,
    names: Vec<&'a str>,
    groups: Vec<&'a str>,
    files: Vec<&'a str>,
    selectors: Vec<Vec<Matcher>>,
    without_alerts: bool,
}

impl<'a> Wanted<'a> {
    fn of(parameters: &'a Parameters) -> Result<Self, ApiError> {
        let kind = parameters.get("type").to_lowercase();
        if !matches!(kind.as_str(), "" | "alert" | "record") {
            let reason = format!("not supported value {}", super::go::quoted(&kind));
            return Err(ApiError::parameter("type", reason));
        }
        let without_alerts = match parameters.get("exclude_alerts") {
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            text => {
                let text = super::go::quoted(text);
                let reason = format!(
                    "error converting exclude_alerts: strconv.ParseBool: parsing {text}: invalid syntax"
                );
                return Err(ApiError::parameter("exclude_alerts", reason));
            }
        };
        Ok(Self {
            has_alerting: kind != "record",
            names: parameters.all("rule_name[]").collect(),
            groups: parameters.all("rule_group[]").collect(),
            files: parameters.all("file[]").collect(),
            selectors: parameters.selectors().map_err(ApiError::bad_data)?,
            without_alerts,
        })
    }

    fn group(&self, group: &Group) -> bool {
        let is_named = |names: &[&str], name: &str| names.is_empty() || names.contains(&name);
        is_named(&self.groups, &group.name) && is_named(&self.files, group.file())
    }

    fn rule(&self, rule: &Rule) -> bool {
        // There are no recording rules here.
        self.has_alerting
            && (self.names.is_empty() || self.names.contains(&rule.name.as_str()))
            && (self.selectors.is_empty() || self.selectors.iter().any(|m| matches_all(m, &rule.labels)))
    }
}

/// Alerts and health by group and rule.
struct RuleStates<'a> {
    alerts: BTreeMap<(&'a str, &'a str), Vec<ActiveAlert<'a>>>,
    health: BTreeMap<(&'a str, &'a str), RuleHealth<'a>>,
}

impl<'a> RuleStates<'a> {
    fn of(store: &'a AlertStore) -> Self {
        let mut alerts: BTreeMap<_, Vec<ActiveAlert<'a>>> = BTreeMap::new();
        for alert in store.active().filter(|alert| alert.state.is_active()) {
            alerts.entry((alert.group, alert.rule)).or_default().push(alert);
        }
        let health = store.health().map(|health| ((health.group, health.rule), health));
        Self {
            alerts,
            health: health.collect(),
        }
    }
}

/// A group, unless nothing of it is asked for.
fn group_json(group: &Group, wanted: &Wanted<'_>, state: &RuleStates<'_>) -> Option<Value> {
    let rules = group.rules.iter().filter(|rule| wanted.rule(rule));
    let rules: Vec<Value> = rules.map(|rule| rule_json(rule, wanted, state)).collect();
    if rules.is_empty() {
        return None;
    }
    Some(json!({
        "name": group.name,
        "file": group.file(),
        "interval": group.interval_ms as f64 / 1e3,
        "limit": group.rules.iter().find_map(|rule| rule.limit).unwrap_or(0),
        "rules": rules,
        "evaluationTime": 0,
        "lastEvaluation": NEVER,
    }))
}

fn rule_json(rule: &Rule, wanted: &Wanted<'_>, state: &RuleStates<'_>) -> Value {
    let key = (rule.group.as_str(), rule.name.as_str());
    let alerts = state.alerts.get(&key).map_or(&[][..], Vec::as_slice);
    let health = state.health.get(&key);
    let mut json = json!({
        "type": "alerting",
        "name": rule.name,
        "query": query_text(&rule.query),
        "duration": rule.for_ms as f64 / 1e3,
        "keepFiringFor": rule.keep_firing_for_ms as f64 / 1e3,
        "labels": rule.labels,
        "annotations": rule.annotations,
        "state": state_of(alerts),
        "health": if health.is_some_and(|health| health.failures > 0) { "err" } else { "ok" },
        "evaluationTime": 0,
        "lastEvaluation": NEVER,
    });
    if let Some(error) = health.and_then(|health| health.last_error) {
        json["lastError"] = Value::from(error);
    }
    if !wanted.without_alerts {
        json["alerts"] = alerts.iter().map(alert_json).collect();
    }
    json
}

/// The gravest state among a rule's alerts.
fn state_of(alerts: &[ActiveAlert<'_>]) -> &'static str {
    let gravest = alerts.iter().map(|alert| alert.state).max();
    gravest.map_or("inactive", barograph_alerts::AlertState::as_str)
}

fn query_text(query: &RuleQuery) -> String {
    match query {
        RuleQuery::Sql(text) => text.clone(),
        RuleQuery::Detector(query) => match &query.selector {
            Some(selector) => format!("detector {} over {selector}", query.detector),
            None => format!("detector {}", query.detector),
        },
    }
}

fn alert_json(alert: &ActiveAlert<'_>) -> Value {
    let since = DateTime::from_timestamp_millis(alert.since.0).unwrap_or_default();
    json!({
        "labels": with_name(alert.labels, alert.rule),
        "annotations": alert.annotations,
        "state": alert.state.as_str(),
        "activeAt": since.to_rfc3339_opts(SecondsFormat::Millis, true),
        "value": scientific(alert.value),
    })
}

fn with_name(labels: &Labels, rule: &str) -> BTreeMap<String, String> {
    let pairs = labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut labels: BTreeMap<String, String> = pairs.collect();
    labels
        .entry(ALERT_NAME.to_owned())
        .or_insert_with(|| rule.to_owned());
    labels
}

/// A float as Go's format `e` writes it: `1e+00`.
fn scientific(value: f64) -> String {
    if !value.is_finite() {
        return barograph_promql::float_text(value);
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_prometheus_writes_them() {
        assert_eq!(scientific(1.0), "1e+00");
        assert_eq!(scientific(0.0025), "2.5e-03");
        assert_eq!(
            (scientific(f64::NAN), scientific(f64::NEG_INFINITY)),
            ("NaN".into(), "-Inf".into())
        );
    }
}

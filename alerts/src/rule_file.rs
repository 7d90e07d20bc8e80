//! Reads Prometheus-shaped rule files: `groups`, their rules, with `sql` or `detector` in the place of `expr`.
//!
//! Every key is known or refused. The reference of all keys is `docs/alerts.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::Labels;
use serde_yaml_ng::Value;

use crate::rule::{Group, Rule, RuleQuery, RuleSet};
use crate::source::{SourceFile, Step, parse_yaml};
use crate::template::Template;
use crate::{DetectorQuery, RuleError};

mod node;

use node::{MapNode, Node};

/// A larger file is refused before it is parsed.
const LARGEST_BYTES: usize = 4 << 20;
/// Prometheus' default evaluation interval.
const DEFAULT_INTERVAL_MS: i64 = 60_000;
const DEFAULT_KEEP_MISSING_MS: i64 = 3_600_000;

const GROUP_KEYS: [&str; 5] = ["name", "interval", "limit", "labels", "rules"];
const RULE_KEYS: [&str; 12] = [
    "alert",
    "sql",
    "detector",
    "selector",
    "points",
    "min_score",
    "window",
    "for",
    "keep_firing_for",
    "keep_missing_for",
    "labels",
    "annotations",
];
const DETECTOR_KEYS: [&str; 5] = ["selector", "points", "min_score", "window", "keep_missing_for"];

pub(crate) fn parse(file_name: &str, yaml: &str) -> Result<RuleSet, RuleError> {
    if yaml.len() > LARGEST_BYTES {
        let message = format!(
            "{} bytes; a rule file may have {LARGEST_BYTES}: split it",
            yaml.len()
        );
        return Err(RuleError {
            file: file_name.to_owned(),
            line: 1,
            message,
        });
    }
    let source = Arc::new(SourceFile {
        name: file_name.to_owned(),
        text: yaml.to_owned(),
    });
    let root = parse_yaml(&source)?;
    if root.is_null() {
        return Ok(RuleSet::default());
    }
    let file = Node {
        source: &source,
        path: Vec::new(),
        value: &root,
    };
    let map = file.map("a rule file is a map with the key \"groups\"", &["groups"])?;
    let mut groups: Vec<Group> = Vec::new();
    for node in map.items("groups")? {
        let group = read_group(&node, groups.len())?;
        if groups.iter().any(|other| other.name == group.name) {
            let message = format!(
                "group {:?} is defined twice; give one of them another name",
                group.name
            );
            return Err(node.child(Step::Value("name")).error(message));
        }
        groups.push(group);
    }
    Ok(RuleSet { groups })
}

fn read_group(node: &Node<'_>, index: usize) -> Result<Group, RuleError> {
    let map = node.map("a group is a map with \"name\" and \"rules\"", &GROUP_KEYS)?;
    let name = map.required_text("name", "a group needs a \"name\"")?;
    let interval_ms = map.duration("interval")?.unwrap_or(DEFAULT_INTERVAL_MS);
    if interval_ms <= 0 {
        return Err(map
            .at("interval")
            .error("an interval of 0 would evaluate without pause (try \"15s\")".to_owned()));
    }
    // Zero means no limit, as in Prometheus.
    let limit = map.unsigned("limit")?.filter(|limit| *limit > 0);
    let shared_labels = read_templates(&map, "labels", check_label)?;
    let mut rules: Vec<Rule> = Vec::new();
    for rule_node in map.items("rules")? {
        let place = (index, rules.len());
        let rule = read_rule(&rule_node, &name, interval_ms, limit, &shared_labels, place)?;
        if rules.iter().any(|other| other.name == rule.name) {
            let message = format!(
                "alert {:?} is defined twice in group {name:?}; give one of them another name",
                rule.name
            );
            return Err(rule_node.child(Step::Value("alert")).error(message));
        }
        rules.push(rule);
    }
    Ok(Group {
        name,
        interval_ms,
        rules,
        source: Arc::clone(node.source),
        index,
    })
}

type Texts = BTreeMap<String, Template>;

fn read_rule(
    node: &Node<'_>,
    group: &str,
    interval_ms: i64,
    limit: Option<usize>,
    shared_labels: &Texts,
    place: (usize, usize),
) -> Result<Rule, RuleError> {
    refuse_foreign_keys(node)?;
    let map = node.map(
        "a rule is a map with \"alert\" and either \"sql\" or \"detector\"",
        &RULE_KEYS,
    )?;
    let name = map.required_text("alert", "a rule needs a name: \"alert: NAME\"")?;
    let query = read_query(&map)?;
    let mut labels = shared_labels.clone();
    labels.extend(read_templates(&map, "labels", check_label)?);
    let annotations = read_templates(&map, "annotations", check_annotation)?;
    let written = labels.iter().map(|(name, template)| (name, template.source()));
    Ok(Rule {
        group: group.to_owned(),
        name,
        query,
        for_ms: map.duration("for")?.unwrap_or(0),
        keep_firing_for_ms: map.duration("keep_firing_for")?.unwrap_or(0),
        keep_missing_for_ms: map
            .duration("keep_missing_for")?
            .unwrap_or(DEFAULT_KEEP_MISSING_MS),
        interval_ms,
        limit,
        labels: Labels::from_pairs(written).map_err(|error| map.at("labels").error(error.to_string()))?,
        annotations: annotations
            .iter()
            .map(|(name, text)| (name.clone(), text.source().to_owned()))
            .collect(),
        label_templates: labels.into_iter().collect(),
        annotation_templates: annotations.into_iter().collect(),
        source: Arc::clone(node.source),
        place,
    })
}

/// Keys of Prometheus' rule files that mean something else here get more than "unknown key".
fn refuse_foreign_keys(node: &Node<'_>) -> Result<(), RuleError> {
    let Value::Mapping(map) = node.value else {
        return Ok(());
    };
    for (key, message) in [
        (
            "expr",
            "PromQL rules (\"expr\") are not spoken yet: ask with \"sql\", or watch a series with \"detector\"",
        ),
        (
            "record",
            "recording rules (\"record\") are not spoken yet: only \"alert\" rules are",
        ),
    ] {
        if map.contains_key(key) {
            return Err(node.child(Step::Key(key)).error(message.to_owned()));
        }
    }
    Ok(())
}

fn read_query(map: &MapNode<'_>) -> Result<RuleQuery, RuleError> {
    match (map.text("sql")?, map.text("detector")?) {
        (Some(_), Some(_)) => {
            let message = "a rule asks either \"sql\" or a \"detector\", not both; make two rules";
            Err(map.key("detector").error(message.to_owned()))
        }
        (None, None) => {
            let message = "a rule needs a query: \"sql\" or \"detector\"";
            Err(map.node.error(message.to_owned()))
        }
        (Some(sql), None) => {
            if let Some(key) = DETECTOR_KEYS.into_iter().find(|key| map.has(key)) {
                let message = format!("{key:?} belongs to detector rules; this rule asks \"sql\"");
                return Err(map.key(key).error(message));
            }
            if sql.trim().is_empty() {
                return Err(map.at("sql").error("the query is empty".to_owned()));
            }
            Ok(RuleQuery::Sql(sql))
        }
        (None, Some(detector)) => {
            if detector.trim().is_empty() {
                return Err(map
                    .at("detector")
                    .error("the detector's name is empty".to_owned()));
            }
            let mut query = DetectorQuery::new(&detector);
            query.selector = map.text("selector")?;
            if let Some(points) = map.text("points")? {
                (query.points, query.of_points) = DetectorQuery::parse_points(&points)
                    .map_err(|message| map.at("points").error(message))?;
            }
            query.min_score = map.number("min_score")?;
            if let Some(window_ms) = map.duration("window")? {
                if window_ms == 0 {
                    return Err(map
                        .at("window")
                        .error("a window of 0 holds no verdict (try \"10m\")".to_owned()));
                }
                query.window_ms = window_ms;
            }
            Ok(RuleQuery::Detector(query))
        }
    }
}

fn read_templates(
    map: &MapNode<'_>,
    key: &str,
    check: fn(&str, &Template) -> Result<(), String>,
) -> Result<Texts, RuleError> {
    let mut texts = Texts::new();
    if !map.has(key) {
        return Ok(texts);
    }
    let node = map.at(key);
    let Value::Mapping(entries) = node.value else {
        return Err(node.error(format!("{key:?} is a map of names to texts")));
    };
    for name in entries.keys() {
        let Value::String(name) = name else {
            return Err(node.error(format!("a name in {key:?} is not a text (put it in quotes)")));
        };
        let value = node.child(Step::Value(name));
        let text = value.text()?;
        let template = Template::parse(&text).map_err(|error| {
            value
                .source
                .error_inside(&value.path, &text, error.offset, error.message.clone())
        })?;
        check(name, &template).map_err(|message| node.child(Step::Key(name)).error(message))?;
        texts.insert(name.clone(), template);
    }
    Ok(texts)
}

fn check_annotation(name: &str, _: &Template) -> Result<(), String> {
    if name.is_empty() {
        Err("an annotation's name is empty".to_owned())
    } else {
        Ok(())
    }
}

fn check_label(name: &str, template: &Template) -> Result<(), String> {
    match name {
        "" => Err("a label's name is empty".to_owned()),
        "__name__" => Err("an alert has no metric name: choose another label".to_owned()),
        "alertname" => Err("the alert's name is given by \"alert\": choose another label".to_owned()),
        _ if template.uses_value() => Err(format!(
            "label {name:?} uses $value: labels name an alert and must not change with its value; use an annotation"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

//! Values of a rule file that know the way to themselves, so that a refusal has a line.

use std::sync::Arc;

use barograph_model::parse_duration_ms;
use serde_yaml_ng::{Mapping, Value};

use crate::RuleError;
use crate::error::nearest;
use crate::source::{SourceFile, Step};

/// A value and the way to it.
pub(super) struct Node<'a> {
    pub(super) source: &'a Arc<SourceFile>,
    pub(super) path: Vec<Step<'a>>,
    pub(super) value: &'a Value,
}

impl<'a> Node<'a> {
    pub(super) fn error(&self, message: String) -> RuleError {
        self.source.error_at(&self.path, message)
    }

    pub(super) fn child(&self, step: Step<'a>) -> Node<'a> {
        let value = match step {
            Step::Value(key) => self.value.get(key),
            Step::Item(index) => self.value.get(index),
            Step::Key(_) => None,
        };
        let mut path = self.path.clone();
        path.push(step);
        Node {
            source: self.source,
            path,
            value: value.unwrap_or(&Value::Null),
        }
    }

    pub(super) fn map(&self, what: &str, keys: &'static [&'static str]) -> Result<MapNode<'a>, RuleError> {
        let Value::Mapping(entries) = self.value else {
            return Err(self.error(what.to_owned()));
        };
        for key in entries.keys() {
            let Value::String(key) = key else {
                return Err(self.error(format!("a key is not a text; {what}")));
            };
            if !keys.contains(&key.as_str()) {
                let message = format!(
                    "unknown key {key:?} (did you mean {:?}?)",
                    nearest(key, keys.iter().copied())
                );
                return Err(self.child(Step::Key(key)).error(message));
            }
        }
        let node = Node {
            source: self.source,
            path: self.path.clone(),
            value: self.value,
        };
        Ok(MapNode { node, entries })
    }

    /// A text; numbers and booleans are taken as they are written, as YAML's users expect of `severity: 1`.
    pub(super) fn text(&self) -> Result<String, RuleError> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            _ => Err(self.error(format!("{} is not a text", self.last_name()))),
        }
    }

    fn last_name(&self) -> String {
        match self.path.last() {
            Some(Step::Value(key) | Step::Key(key)) => format!("{key:?}"),
            Some(Step::Item(index)) => format!("item {}", index + 1),
            None => "the file".to_owned(),
        }
    }
}

/// A map whose keys are all known.
pub(super) struct MapNode<'a> {
    pub(super) node: Node<'a>,
    entries: &'a Mapping,
}

impl<'a> MapNode<'a> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    pub(super) fn at<'k>(&self, key: &'k str) -> Node<'k>
    where
        'a: 'k,
    {
        self.node.child(Step::Value(key))
    }

    pub(super) fn key<'k>(&self, key: &'k str) -> Node<'k>
    where
        'a: 'k,
    {
        self.node.child(Step::Key(key))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, RuleError> {
        if self.has(key) {
            self.at(key).text().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn required_text(&self, key: &str, message: &str) -> Result<String, RuleError> {
        match self.text(key)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(self.at(key).error(message.to_owned())),
            None => Err(self.node.error(message.to_owned())),
        }
    }

    pub(super) fn duration(&self, key: &str) -> Result<Option<i64>, RuleError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let refuse = |error: barograph_model::DurationError| self.at(key).error(format!("{key}: {error}"));
        parse_duration_ms(&text).map(Some).map_err(refuse)
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, RuleError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.at(key).error(format!("{key}: {text:?} is not a number"))),
        }
    }

    pub(super) fn unsigned(&self, key: &str) -> Result<Option<usize>, RuleError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let refuse = |_| {
            self.at(key)
                .error(format!("{key}: {text:?} is not a whole number from 0"))
        };
        text.parse().map(Some).map_err(refuse)
    }

    /// The items of a list; an absent or empty (`rules:`) one has none.
    pub(super) fn items(&self, key: &'static str) -> Result<Vec<Node<'a>>, RuleError> {
        match self.entries.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Sequence(items)) => {
                let list = self.node.child(Step::Value(key));
                Ok((0..items.len())
                    .map(|index| list.child(Step::Item(index)))
                    .collect())
            }
            Some(_) => Err(self.at(key).error(format!("{key:?} is a list"))),
        }
    }
}

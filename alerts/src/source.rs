//! A rule file's text, and the line of anything in it.
//!
//! Rules are read into plain values, which know no lines. When something is wrong, the text is read once more
//! by a visitor that walks to the place and stops there with an error: the parser then says where that was. So
//! lines are the parser's own, for block style, flow style, quotes and anchors alike, and cost nothing unless
//! a message needs one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_yaml_ng::Value;

use crate::RuleError;

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// One step from a node to one inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// The value of a key.
    Value(&'a str),
    /// The key itself; must be the last step.
    Key(&'a str),
    /// An item of a list.
    Item(usize),
}

impl SourceFile {
    /// An error at the node the path leads to, or at the last node on the way that exists.
    pub(crate) fn error_at(&self, path: &[Step<'_>], message: String) -> RuleError {
        RuleError {
            file: self.name.clone(),
            line: self.place(path).0,
            message,
        }
    }

    /// An error inside a text value: `offset` bytes into what the parser made of it.
    pub(crate) fn error_inside(
        &self,
        path: &[Step<'_>],
        value: &str,
        offset: usize,
        message: String,
    ) -> RuleError {
        let (mut line, column) = self.place(path);
        let at_value = self
            .text
            .lines()
            .nth(line - 1)
            .unwrap_or("")
            .chars()
            .nth(column - 1);
        // A block scalar (`key: |`) begins on the line after its indicator and keeps its line ends.
        if at_value == Some('|') {
            line += 1 + value[..offset].matches('\n').count();
        }
        RuleError {
            file: self.name.clone(),
            line,
            message,
        }
    }

    /// Line and column, from 1.
    fn place(&self, path: &[Step<'_>]) -> (usize, usize) {
        let deserializer = serde_yaml_ng::Deserializer::from_str(&self.text);
        let Err(error) = (Walk { path }).deserialize(deserializer) else {
            return (1, 1);
        };
        error.location().map_or((1, 1), |location| {
            (location.line().max(1), location.column().max(1))
        })
    }
}

/// Walks along a path and fails at its end on purpose.
#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a [Step<'a>],
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // At the end of the path no kind of node is welcome: each is an error at its own place.
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the end of the path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (wanted, rest, at_key) = match self.path {
            [Step::Value(key), rest @ ..] => (*key, rest, false),
            [Step::Key(key), ..] => (*key, &[][..], true),
            _ => return Err(A::Error::custom("here")),
        };
        while let Some(found) = map.next_key_seed(KeySeed { wanted, stop: at_key })? {
            if found {
                return map.next_value_seed(Walk { path: rest });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if let [Step::Item(index), rest @ ..] = self.path {
            for _ in 0..*index {
                if seq.next_element::<IgnoredAny>()?.is_none() {
                    break;
                }
            }
            seq.next_element_seed(Walk { path: rest })?;
        }
        Err(A::Error::custom("here"))
    }
}

/// Reads a key and says whether it is the one looked for; with `stop` it fails at it instead.
struct KeySeed<'a> {
    wanted: &'a str,
    stop: bool,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        if self.stop && key == self.wanted {
            Err(E::custom("here"))
        } else {
            Ok(key == self.wanted)
        }
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}

/// Reads a text into a value.
pub(crate) fn parse_yaml(file: &SourceFile) -> Result<Value, RuleError> {
    serde_yaml_ng::from_str(&file.text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        let text = error.to_string();
        // The parser appends the place, which already stands in front.
        let message = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(message, _)| message);
        RuleError {
            file: file.name.clone(),
            line,
            message: message.to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, path: &[Step<'_>]) -> usize {
        SourceFile {
            name: "f".to_owned(),
            text: text.to_owned(),
        }
        .place(path)
        .0
    }

    #[test]
    fn finds_values_keys_and_items() {
        use Step::{Item, Key, Value};
        let text =
            "# comment\na:\n  - x: 1\n    1: one\n    y:\n      - p\n      - q\n  - {x: 2,\n     z: 3}\n";
        for (path, expected) in [
            (&[Value("a")][..], 3),
            (&[Key("a")], 2),
            (&[Value("a"), Item(0), Key("y")], 5),
            (&[Value("a"), Item(0), Value("y"), Item(1)], 7),
            (&[Value("a"), Item(1)], 8),
            (&[Value("a"), Item(1), Value("z")], 9),
            // What is not there is placed at the last node on the way.
            (&[Value("a"), Item(1), Value("none")], 8),
            (&[Value("a"), Item(9)], 3),
        ] {
            assert_eq!(line(text, path), expected, "{path:?}");
        }
    }

    #[test]
    fn places_inside_block_scalars_count_their_lines() {
        let text = "sql: |\n  one\n  two\n";
        let file = SourceFile {
            name: "f".to_owned(),
            text: text.to_owned(),
        };
        let error = file.error_inside(&[Step::Value("sql")], "one\ntwo\n", 4, "m".to_owned());
        assert_eq!(error.to_string(), "f:3: m");
    }

    #[test]
    fn syntax_errors_have_one_place() {
        let file = SourceFile {
            name: "f.yml".to_owned(),
            text: "a:\n  b: [1,\n".to_owned(),
        };
        let message = parse_yaml(&file).unwrap_err().to_string();
        assert!(message.starts_with("f.yml:"), "{message}");
        assert!(!message.contains(" at line "), "{message}");
    }
}

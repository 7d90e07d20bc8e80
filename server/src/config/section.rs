//! Reads the keys of one TOML table into plain values.
//!
//! Every getter gives the default when the key is absent, and records a problem with its line and gives the
//! default when the value is wrong; [`Section::finish`] then reports each key that no getter asked for, with the
//! nearest one that exists. So the set of known keys is exactly the set of keys that are read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use barograph_model::parse_duration_ms;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;
use super::size::parse_size_bytes;

/// One table of the file.
pub(super) struct Section<'a> {
    /// As written, for messages: `[storage]`, `[[channel]]`.
    title: String,
    offset: usize,
    table: &'a DeTable<'a>,
    problems: &'a Problems<'a>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        title: &str,
        offset: usize,
        table: &'a DeTable<'a>,
        problems: &'a Problems<'a>,
    ) -> Self {
        Self {
            title: title.to_owned(),
            offset,
            table,
            problems,
            asked: RefCell::default(),
        }
    }

    /// The line on which the table begins, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.problems.line(self.offset)
    }

    /// Where the value of a key stands, or the table when the key is absent: the place to report a problem.
    fn offset_of(&self, key: &str) -> usize {
        self.table
            .get(key)
            .map_or(self.offset, |value| value.span().start)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Records a problem at a key.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        self.problems.add(self.offset_of(key), message);
    }

    /// Records a problem at a place that a getter gave.
    pub(super) fn problem_at(&self, offset: usize, message: impl Into<String>) {
        self.problems.add(offset, message);
    }

    fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    /// A text, or `None` when it is absent or of another type.
    pub(super) fn text(&self, key: &'static str, example: &str) -> Option<&'a str> {
        let value = self.value(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, &format!("a text such as {example:?}"), value);
        }
        text
    }

    /// A text that must be there and not be empty.
    pub(super) fn required_text(&self, key: &'static str, example: &str) -> Option<&'a str> {
        if !self.has(key) {
            self.asked.borrow_mut().push(key);
            // As TOML would have it: a text with quotes inside stands in single ones.
            let quote = if example.contains('"') { '\'' } else { '"' };
            self.problem(
                key,
                format!(
                    "{} needs {key}, such as {key} = {quote}{example}{quote}",
                    self.title
                ),
            );
            return None;
        }
        let text = self.text(key, example)?;
        if text.trim().is_empty() {
            self.problem(key, format!("{key} is empty (try {example:?})"));
            return None;
        }
        Some(text)
    }

    /// A text that a function reads.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        example: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        match self.text(key, example).map(parse) {
            Some(Ok(value)) => value,
            Some(Err(message)) => {
                self.problem(key, format!("{key} {message}"));
                default
            }
            None => default,
        }
    }

    /// A duration that is longer than nothing, in milliseconds.
    pub(super) fn duration_ms(&self, key: &'static str, example: &str, default_ms: i64) -> i64 {
        self.parsed(key, example, default_ms, |text| {
            let ms = parse_duration_ms(text).map_err(|e| e.to_string())?;
            if ms > 0 {
                Ok(ms)
            } else {
                Err(format!("must be longer than 0 (try {example:?})"))
            }
        })
    }

    /// A size between `least` and memory's end, in bytes; a bare integer counts bytes.
    pub(super) fn size_bytes(&self, key: &'static str, example: &str, least: u64, default: u64) -> u64 {
        if self
            .table
            .get(key)
            .is_some_and(|value| value.get_ref().is_integer())
        {
            return self.integer(key, least, u64::MAX, default);
        }
        self.parsed(key, example, default, |text| {
            let bytes = parse_size_bytes(text).map_err(|e| e.to_string())?;
            if bytes >= least {
                Ok(bytes)
            } else {
                Err(format!(
                    "must be at least {}",
                    super::size::format_size_bytes(least)
                ))
            }
        })
    }

    /// An integer within closed bounds.
    pub(super) fn integer(&self, key: &'static str, least: u64, most: u64, default: u64) -> u64 {
        let Some(value) = self.value(key) else {
            return default;
        };
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, "an integer", value);
            return default;
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if (least..=most).contains(&number) => number,
            _ if most == u64::MAX => {
                self.problem(key, format!("{key} = {integer} must be at least {least}"));
                default
            }
            _ => {
                self.problem(
                    key,
                    format!("{key} = {integer} must be between {least} and {most}"),
                );
                default
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.value(key) else {
            return default;
        };
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            self.wrong_type(key, "true or false", value);
        }
        truth.unwrap_or(default)
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &'static str, example: &str) -> Vec<String> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let wanted = format!("a list of texts such as [{example:?}]");
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, &wanted, value);
            return Vec::new();
        };
        let text = |item: &Spanned<DeValue<'_>>| match item.get_ref().as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong_type(key, &wanted, item);
                None
            }
        };
        array.iter().filter_map(text).collect()
    }

    /// A table of plain values, each written as text: `{ period = "1d", k = 3 }`. With the place of each value.
    pub(super) fn pairs(&self, key: &'static str) -> BTreeMap<String, (String, usize)> {
        let Some(value) = self.value(key) else {
            return BTreeMap::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, "a table of names and values", value);
            return BTreeMap::new();
        };
        let mut pairs = BTreeMap::new();
        for (name, value) in table {
            let at = value.span().start;
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                DeValue::Float(number) => number.as_str().to_owned(),
                DeValue::Boolean(truth) => truth.to_string(),
                _ => {
                    self.wrong_type(name.get_ref(), "a text, a decimal number or true/false", value);
                    continue;
                }
            };
            pairs.insert(name.get_ref().to_string(), (text, at));
        }
        pairs
    }

    /// Reports the keys that nothing asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.into_inner();
        for key in self.table.keys().filter(|key| !asked.contains(&&**key.get_ref())) {
            let advice = match nearest(key.get_ref(), asked.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("it takes {}", asked.join(", ")),
            };
            self.problems.add(
                key.span().start,
                format!("{} has no key {:?} ({advice})", self.title, key.get_ref()),
            );
        }
    }

    fn wrong_type(&self, key: &str, wanted: &str, value: &Spanned<DeValue<'_>>) {
        let found = type_name(value.get_ref());
        self.problems
            .add(value.span().start, format!("{key} takes {wanted}, not {found}"));
    }
}

/// What a TOML value is, with its article.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The known name that a mistyped one most likely meant; `None` when nothing is close.
pub(crate) fn nearest<'n>(typed: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().max(typed.len()) / 4)
        .min()
        .map(|(_, name)| name)
}

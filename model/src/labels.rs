//! A label set: sorted, unique names, no empty values, one allocation for the text and one for the ends.

use std::cmp::Ordering;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// Why pairs do not make a label set.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelError {
    /// A name of length zero.
    #[error("a label name is empty (its value is {value:?})")]
    EmptyName {
        /// The value that came with it.
        value: String,
    },
    /// The same name twice.
    #[error("label {name:?} appears twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// More text than a label set may hold (4 GiB).
    #[error("a label set of {bytes} bytes is larger than 4 GiB")]
    TooLong {
        /// The length asked for.
        bytes: usize,
    },
}

/// A sorted set of `name = value` pairs, `__name__` among them. Names and values are any UTF-8 text.
///
/// Absent and empty are the same, as in the Prometheus data model: an empty value is dropped when the set is
/// built, and [`Labels::get`] gives `""` for a name that is not there. Ordering compares pair by pair.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Labels {
    /// name, value, name, value, ... without separators
    text: Box<str>,
    /// where each of them ends in `text`
    ends: Box<[u32]>,
}

impl Labels {
    /// The set without labels.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Builds a set from pairs in any order.
    ///
    /// # Errors
    /// [`LabelError`] for an empty or repeated name.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, LabelError> {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let is_sorted = pairs.windows(2).all(|w| w[0].0.as_ref() < w[1].0.as_ref());
        if !is_sorted {
            pairs.sort_unstable_by(|a, b| (a.0.as_ref(), a.1.as_ref()).cmp(&(b.0.as_ref(), b.1.as_ref())));
        }
        Self::of_sorted(&pairs)
    }

    /// Drops empty values, and checks. No text is copied but into its final place: sets are made for each series that
    /// is new, replayed, flushed or merged.
    fn of_sorted<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> Result<Self, LabelError> {
        if let Some(twice) = pairs.windows(2).find(|w| w[0].0.as_ref() == w[1].0.as_ref()) {
            return Err(LabelError::Duplicate {
                name: twice[0].0.as_ref().to_owned(),
            });
        }
        if let Some((_, value)) = pairs.iter().find(|(name, _)| name.as_ref().is_empty()) {
            return Err(LabelError::EmptyName {
                value: value.as_ref().to_owned(),
            });
        }
        let kept = pairs
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .filter(|(_, value)| !value.is_empty());
        let bytes = kept.clone().map(|(n, v)| n.len() + v.len()).sum();
        if u32::try_from(bytes).is_err() {
            return Err(LabelError::TooLong { bytes });
        }
        let mut text = String::with_capacity(bytes);
        let mut ends = Vec::with_capacity(pairs.len() * 2);
        for part in kept.flat_map(|(name, value)| [name, value]) {
            text.push_str(part);
            ends.push(text.len() as u32);
        }
        Ok(Self {
            text: text.into_boxed_str(),
            ends: ends.into_boxed_slice(),
        })
    }

    /// The number of labels, the metric's name included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The value of a label, `""` where it is absent. O(log n).
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.part(middle * 2).cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return self.part(middle * 2 + 1),
            }
        }
        ""
    }

    /// The metric's name, `""` where there is none.
    #[must_use]
    pub fn metric(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// The pairs, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        (0..self.len()).map(|i| (self.part(i * 2), self.part(i * 2 + 1)))
    }

    /// A builder that starts with these labels.
    #[must_use]
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder {
            pairs: self.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        }
    }

    /// These labels without the metric's name, as PromQL leaves them after a function.
    #[must_use]
    pub fn without_metric(&self) -> Self {
        // Part of a label set is one.
        Self::from_pairs(self.iter().filter(|(name, _)| *name != METRIC_NAME)).unwrap_or_default()
    }

    /// These labels with another metric's name, none where it is `""`.
    #[must_use]
    pub fn with_metric(&self, metric: &str) -> Self {
        let others = self.iter().filter(|(name, _)| *name != METRIC_NAME);
        Self::from_pairs(std::iter::once((METRIC_NAME, metric)).chain(others)).unwrap_or_default()
    }

    /// These labels with one that has another value, none where that is `""`. The empty set where `name` is empty or the
    /// text is longer than a set's may be.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let before = self.iter().take_while(|(other, _)| *other < name);
        let behind = self.iter().filter(|(other, _)| *other > name);
        Self::from_pairs(before.chain(std::iter::once((name, value))).chain(behind)).unwrap_or_default()
    }

    /// Bytes of heap that this set holds.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<u32>()
    }

    /// The series as a selector would write it: `up{instance="a:9100", job="node"}`.
    #[must_use]
    pub fn to_selector(&self) -> String {
        self.to_string()
    }

    fn part(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.text[start..self.ends[i] as usize]
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.metric();
        f.write_str(metric)?;
        let mut others = self.iter().filter(|(name, _)| *name != METRIC_NAME).peekable();
        if others.peek().is_none() && !metric.is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (i, (name, value)) in others.enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            if is_bare_name(name) {
                write!(f, "{comma}{name}={value:?}")?;
            } else {
                write!(f, "{comma}{name:?}={value:?}")?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        Self::from_pairs(pairs).map_err(D::Error::custom)
    }
}

/// Whether a label name may stand unquoted in a selector: `[a-zA-Z_][a-zA-Z0-9_]*`.
fn is_bare_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Collects pairs in any order; [`LabelsBuilder::build`] sorts and checks them.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Adds a pair without looking for the name; a repeat is found by [`LabelsBuilder::build`].
    pub fn push(&mut self, name: &str, value: &str) -> &mut Self {
        self.pairs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a label, replacing the value it had.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.remove(name).push(name, value)
    }

    /// Removes a label where it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.pairs.retain(|(n, _)| n != name);
        self
    }

    /// Sorts, drops empty values, and checks.
    ///
    /// # Errors
    /// [`LabelError`] for an empty or repeated name.
    pub fn build(mut self) -> Result<Labels, LabelError> {
        self.pairs.sort_unstable();
        Labels::of_sorted(&self.pairs)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn sorts_and_drops_empty_values() {
        let set = labels(&[("job", "node"), ("__name__", "up"), ("zone", "")]);
        assert_eq!(
            set.iter().collect::<Vec<_>>(),
            [("__name__", "up"), ("job", "node")]
        );
        assert_eq!(
            (set.metric(), set.get("zone"), set.get("job")),
            ("up", "", "node")
        );
    }

    #[test]
    fn the_metric_is_taken_out_and_put_in() {
        let set = labels(&[("__name__", "up"), ("job", "node"), ("Zone", "a")]);
        let others = set.without_metric();
        assert_eq!(others, labels(&[("job", "node"), ("Zone", "a")]));
        assert_eq!(others.with_metric("up"), set);
        assert_eq!(set.with_metric("down").metric(), "down");
        assert_eq!(set.with_metric(""), others);
    }

    #[test]
    fn one_label_is_given_another_value() {
        let set = labels(&[("b", "1"), ("d", "2")]);
        assert_eq!(set.with("b", "3"), labels(&[("b", "3"), ("d", "2")]));
        for name in ["a", "c", "e"] {
            assert_eq!(
                set.with(name, "3"),
                labels(&[("b", "1"), ("d", "2"), (name, "3")])
            );
        }
        assert_eq!(set.with("d", ""), labels(&[("b", "1")]));
        assert_eq!(set.with("c", ""), set);
        assert_eq!(set.with("", "3"), Labels::empty());
    }

    #[test]
    fn refuses_repeats_and_empty_names() {
        let build = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied());
        assert_eq!(
            build(&[("a", "1"), ("a", "1")]),
            Err(LabelError::Duplicate { name: "a".into() })
        );
        assert_eq!(
            build(&[("", "1")]),
            Err(LabelError::EmptyName { value: "1".into() })
        );
    }

    #[test]
    fn displays_as_a_selector() {
        assert_eq!(labels(&[("__name__", "up")]).to_string(), "up");
        assert_eq!(labels(&[]).to_string(), "{}");
        assert_eq!(
            labels(&[("__name__", "up"), ("b.c", "q\"x")]).to_string(),
            r#"up{"b.c"="q\"x"}"#
        );
    }

    #[test]
    fn serialises_as_a_map() {
        let set = labels(&[("__name__", "up"), ("job", "node")]);
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"{"__name__":"up","job":"node"}"#);
        assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), set);
    }

    proptest! {
        #[test]
        fn get_agrees_with_a_map(
            map in proptest::collection::btree_map("[a-e]{1,3}", "[a-z]{0,3}", 0..12),
            asked in "[a-e]{1,3}",
        ) {
            let set = Labels::from_pairs(&map).unwrap();
            prop_assert_eq!(set.get(&asked), map.get(&asked).map_or("", String::as_str));
            prop_assert_eq!(set.len(), map.values().filter(|v| !v.is_empty()).count());
            prop_assert_eq!(set.to_builder().build().unwrap(), set);
        }
    }
}

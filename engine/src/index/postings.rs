//! Label value -> series, for every label: what equality, expressions and negations are answered from.

use std::collections::BTreeMap;

use barograph_model::{Labels, MatchOp, Matcher};
use roaring::RoaringBitmap;

use crate::SeriesRef;

/// An inverted index over all series of the store.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    by_name: BTreeMap<Box<str>, BTreeMap<Box<str>, RoaringBitmap>>,
    all: RoaringBitmap,
}

impl Postings {
    /// Enters a series under each of its labels.
    pub(crate) fn add(&mut self, series: SeriesRef, labels: &Labels) {
        self.all.insert(series.0);
        for (name, value) in labels.iter() {
            if !self.by_name.contains_key(name) {
                self.by_name.insert(name.into(), BTreeMap::new());
            }
            let Some(values) = self.by_name.get_mut(name) else {
                continue;
            };
            match values.get_mut(value) {
                Some(bitmap) => {
                    bitmap.insert(series.0);
                }
                None => {
                    values.insert(value.into(), RoaringBitmap::from_iter([series.0]));
                }
            }
        }
    }

    /// The series that pass every matcher. Costs one bitmap operation per matching value, or per refused value
    /// where the matcher lets absent labels pass.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> RoaringBitmap {
        // The cheap and selective conditions first, so that expressions work on what is left.
        let mut ordered: Vec<&Matcher> = matchers.iter().collect();
        ordered.sort_by_key(|m| (m.matches_absent(), m.op() != MatchOp::Equal));
        let mut selected: Option<RoaringBitmap> = None;
        for matcher in ordered {
            let next = if matcher.matches_absent() {
                // Everything but the series that have a refused value.
                let mut kept = selected.take().unwrap_or_else(|| self.all.clone());
                for (_, bitmap) in self.values(matcher.name()).filter(|(v, _)| !matcher.matches(v)) {
                    kept -= bitmap;
                }
                kept
            } else {
                let found = self.with_value(matcher);
                match selected.take() {
                    Some(before) => before & found,
                    None => found,
                }
            };
            if next.is_empty() {
                return next;
            }
            selected = Some(next);
        }
        selected.unwrap_or_else(|| self.all.clone())
    }

    /// The names of all labels, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(AsRef::as_ref)
    }

    /// The values of a label with their series, sorted.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&str, &RoaringBitmap)> {
        self.by_name
            .get(name)
            .into_iter()
            .flatten()
            .map(|(value, bitmap)| (value.as_ref(), bitmap))
    }

    fn with_value(&self, matcher: &Matcher) -> RoaringBitmap {
        if matcher.op() == MatchOp::Equal {
            let values = self.by_name.get(matcher.name());
            return values
                .and_then(|v| v.get(matcher.value()))
                .cloned()
                .unwrap_or_default();
        }
        let mut found = RoaringBitmap::new();
        for (_, bitmap) in self.values(matcher.name()).filter(|(v, _)| matcher.matches(v)) {
            found |= bitmap;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use barograph_model::matches_all;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn selects_what_the_matchers_say(
            sets in proptest::collection::vec(
                proptest::collection::btree_map("[ab]", "[xyz]{1,2}", 0..3), 0..40),
            conditions in proptest::collection::vec(
                ("[abc]", 0..4usize, prop_oneof!["[xyz]{0,2}", Just(".*".to_owned()), Just("x.|y".to_owned())]), 0..4),
        ) {
            let sets: Vec<Labels> = sets.iter().map(|s| Labels::from_pairs(s).unwrap()).collect();
            let mut postings = Postings::default();
            for (i, set) in sets.iter().enumerate() {
                postings.add(SeriesRef(i as u32), set);
            }
            let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
            let matchers: Vec<Matcher> =
                conditions.iter().map(|(n, op, v)| Matcher::new(n, ops[*op], v).unwrap()).collect();
            let expected: Vec<u32> =
                (0..sets.len()).filter(|i| matches_all(&matchers, &sets[*i])).map(|i| i as u32).collect();
            prop_assert_eq!(postings.select(&matchers).iter().collect::<Vec<_>>(), expected);
        }
    }
}

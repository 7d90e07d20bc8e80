//! Every `name = value` of the head once, with the series that have it: what label sets are made of, and what
//! equality, expressions and negations are answered from.

use barograph_model::{MatchOp, Matcher};
use hashbrown::HashTable;
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The number of a pair.
pub(crate) type PairId = u32;

/// Pairs and their postings. Values lie one behind the other in one text, since most are short and there are many.
#[derive(Debug, Default)]
pub(crate) struct LabelPairs {
    names: Vec<Name>,
    name_table: HashTable<u32>,
    pairs: Vec<Pair>,
    table: HashTable<PairId>,
    text: String,
    /// the pairs of the label set that was entered last
    last: Vec<PairId>,
    /// keys the hashes, so that no sender can choose values that collide
    seed: u64,
}

#[derive(Debug)]
struct Name {
    text: Box<str>,
    pairs: Vec<PairId>,
}

#[derive(Debug)]
struct Pair {
    name: u32,
    start: usize,
    len: u32,
    series: Postings,
}

/// The series that have a pair. Most values of labels such as a pod's name belong to few series.
#[derive(Debug)]
pub(crate) enum Postings {
    One(u32),
    Many(Box<RoaringBitmap>),
}

impl LabelPairs {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// The numbers of the pairs of a label set, which are entered where they are new, without a series.
    ///
    /// Series that come one behind the other have most of their labels in common, or at least the names. Each label is
    /// compared with the one in its place in the set before, and looked up only where it differs.
    pub(crate) fn intern_all<'a>(
        &mut self,
        labels: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    ) -> Box<[PairId]> {
        let mut before = std::mem::take(&mut self.last);
        let mut found = Vec::with_capacity(labels.len());
        for (i, (name, value)) in labels.enumerate() {
            let last = before.get(i).map(|id| (*id, &self.pairs[*id as usize]));
            found.push(match last {
                Some((_, pair)) if *self.names[pair.name as usize].text != *name => self.intern(name, value),
                Some((id, pair)) if self.value(pair) == value => id,
                Some((_, pair)) => self.intern_value(pair.name, value),
                None => self.intern(name, value),
            });
        }
        before.clear();
        before.extend_from_slice(&found);
        self.last = before;
        found.into_boxed_slice()
    }

    /// The pair's number; it is entered where it is new, without a series.
    fn intern(&mut self, name: &str, value: &str) -> PairId {
        let id = match self.name_id(name) {
            Some(id) => id,
            None => {
                let id = self.names.len() as u32;
                self.names.push(Name {
                    text: name.into(),
                    pairs: Vec::new(),
                });
                let (names, seed) = (&self.names, self.seed);
                let hash = |id: &u32| hash_of(seed, 0, &names[*id as usize].text);
                self.name_table.insert_unique(hash(&id), id, hash);
                id
            }
        };
        self.intern_value(id, value)
    }

    fn name_id(&self, name: &str) -> Option<u32> {
        let is_it = |id: &u32| *self.names[*id as usize].text == *name;
        self.name_table.find(hash_of(self.seed, 0, name), is_it).copied()
    }

    fn intern_value(&mut self, name_id: u32, value: &str) -> PairId {
        let hash = hash_of(self.seed, name_id, value);
        let (pairs, text) = (&self.pairs, &self.text);
        let is_it = |id: &PairId| {
            let pair = &pairs[*id as usize];
            pair.name == name_id && &text[pair.start..pair.start + pair.len as usize] == value
        };
        if let Some(id) = self.table.find(hash, is_it) {
            return *id;
        }
        let id = self.pairs.len() as PairId;
        self.pairs.push(Pair {
            name: name_id,
            start: self.text.len(),
            len: value.len() as u32,
            series: Postings::One(u32::MAX),
        });
        self.text.push_str(value);
        self.names[name_id as usize].pairs.push(id);
        let (pairs, text, seed) = (&self.pairs, &self.text, self.seed);
        self.table.insert_unique(hash, id, |id| {
            let pair = &pairs[*id as usize];
            hash_of(seed, pair.name, &text[pair.start..pair.start + pair.len as usize])
        });
        id
    }

    /// Enters a series, whose number is higher than all before, under a pair.
    pub(crate) fn add(&mut self, pair: PairId, series: u32) {
        let postings = &mut self.pairs[pair as usize].series;
        match postings {
            Postings::One(u32::MAX) => *postings = Postings::One(series),
            Postings::One(first) => {
                *postings = Postings::Many(Box::new(RoaringBitmap::from_iter([*first, series])));
            }
            Postings::Many(bitmap) => {
                // Numbers only grow, so this appends.
                bitmap.insert(series);
            }
        }
    }

    /// Name and value of a pair.
    pub(crate) fn get(&self, pair: PairId) -> (&str, &str) {
        let pair = &self.pairs[pair as usize];
        (&self.names[pair.name as usize].text, self.value(pair))
    }

    /// The names of all labels, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| name.text.as_ref())
    }

    /// The values of a label with their series, in no order.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&str, &Postings)> {
        let pairs = self
            .name_id(name)
            .map(|id| self.names[id as usize].pairs.as_slice());
        pairs.into_iter().flatten().map(|id| {
            let pair = &self.pairs[*id as usize];
            (self.value(pair), &pair.series)
        })
    }

    /// The series below `len` that pass every matcher. Costs one bitmap operation for each matching value, or for
    /// each refused value where the matcher lets absent labels pass.
    pub(crate) fn select(&self, matchers: &[Matcher], len: u32) -> RoaringBitmap {
        let mut ordered: Vec<&Matcher> = matchers.iter().collect();
        // The cheap and selective conditions first, so that expressions work on what is left.
        ordered.sort_by_key(|m| (m.matches_absent(), m.op() != MatchOp::Equal));
        let mut selected = RoaringBitmap::new();
        selected.insert_range(0..len);
        for matcher in ordered {
            if selected.is_empty() {
                break;
            }
            if matcher.matches_absent() {
                // Everything but the series that have a refused value.
                for (value, series) in self.values(matcher.name()) {
                    if !matcher.matches(value) {
                        series.remove_from(&mut selected);
                    }
                }
            } else {
                selected &= self.with_value(matcher);
            }
        }
        selected
    }

    /// Bytes of heap, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let postings = |pair: &Pair| match &pair.series {
            Postings::One(_) => 0,
            Postings::Many(bitmap) => size_of::<RoaringBitmap>() + bitmap.serialized_size(),
        };
        self.text.capacity()
            + self.pairs.capacity() * size_of::<Pair>()
            + self.table.capacity() * 8
            + self.pairs.len() * size_of::<PairId>()
            + self.pairs.iter().map(postings).sum::<usize>()
    }

    fn with_value(&self, matcher: &Matcher) -> RoaringBitmap {
        let mut found = RoaringBitmap::new();
        if matcher.op() == MatchOp::Equal {
            self.add_with(matcher.name(), matcher.value(), &mut found);
        } else if let Some(values) = matcher.alternatives() {
            values
                .iter()
                .for_each(|value| self.add_with(matcher.name(), value, &mut found));
        } else {
            for (value, series) in self.values(matcher.name()) {
                if matcher.matches(value) {
                    series.add_to(&mut found);
                }
            }
        }
        found
    }

    /// Adds the series under a pair.
    fn add_with(&self, name: &str, value: &str, found: &mut RoaringBitmap) {
        let Some(name) = self.name_id(name) else {
            return;
        };
        let is_it = |id: &PairId| {
            let pair = &self.pairs[*id as usize];
            pair.name == name && self.value(pair) == value
        };
        if let Some(id) = self.table.find(hash_of(self.seed, name, value), is_it) {
            self.pairs[*id as usize].series.add_to(found);
        }
    }

    fn value(&self, pair: &Pair) -> &str {
        &self.text[pair.start..pair.start + pair.len as usize]
    }
}

impl Postings {
    /// Adds them to a set.
    fn add_to(&self, set: &mut RoaringBitmap) {
        match self {
            Self::One(u32::MAX) => {}
            Self::One(series) => {
                set.insert(*series);
            }
            Self::Many(bitmap) => *set |= bitmap.as_ref(),
        }
    }

    /// Takes them out of a set.
    fn remove_from(&self, set: &mut RoaringBitmap) {
        match self {
            Self::One(series) => {
                set.remove(*series);
            }
            Self::Many(bitmap) => *set -= bitmap.as_ref(),
        }
    }

    /// Whether any of them is in a set.
    pub(crate) fn meet(&self, set: &RoaringBitmap) -> bool {
        match self {
            Self::One(series) => set.contains(*series),
            Self::Many(bitmap) => !bitmap.is_disjoint(set),
        }
    }
}

fn hash_of(seed: u64, name: u32, value: &str) -> u64 {
    xxh3_64_with_seed(
        value.as_bytes(),
        seed ^ u64::from(name).wrapping_mul(0x9e37_79b9_7f4a_7c15),
    )
}

#[cfg(test)]
mod tests {
    use barograph_model::{Labels, matches_all};
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
            let mut pairs = LabelPairs::new(7);
            for (i, set) in sets.iter().enumerate() {
                let found = pairs.intern_all(set.iter());
                prop_assert_eq!(found.len(), set.len());
                for (pair, label) in found.iter().zip(set.iter()) {
                    prop_assert_eq!(pairs.get(*pair), label);
                    pairs.add(*pair, i as u32);
                }
            }
            let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
            let matchers: Vec<Matcher> =
                conditions.iter().map(|(n, op, v)| Matcher::new(n, ops[*op], v).unwrap()).collect();
            let expected: Vec<u32> =
                (0..sets.len()).filter(|i| matches_all(&matchers, &sets[*i])).map(|i| i as u32).collect();
            let selected = pairs.select(&matchers, sets.len() as u32);
            prop_assert_eq!(selected.iter().collect::<Vec<_>>(), expected);
        }
    }
}

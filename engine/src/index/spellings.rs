//! Under which spellings senders know the series of the head: from a fingerprint of the bytes of their labels to a number.
//!
//! A sender sends its series in the same order each time, so the spelling that is asked for is nearly always the one that
//! was entered behind the one before. The entries lie in the order in which they came, and the next one is compared
//! before the table is asked: a walk through memory in order, which the processor fetches ahead, in place of three jumps
//! through tables that are far larger than its caches.

use hashbrown::HashTable;

use crate::SeriesRef;

/// A fingerprint in four parts, so that an entry takes 20 bytes and not 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Raw([u32; 4]);

impl Raw {
    fn new(fingerprint: u128) -> Self {
        let part = |i: u32| (fingerprint >> (32 * i)) as u32;
        Self([part(0), part(1), part(2), part(3)])
    }

    /// Fingerprints are uniform already, so half of one is a hash.
    fn hash(self) -> u64 {
        u64::from(self.0[0]) | u64::from(self.0[1]) << 32
    }
}

#[derive(Debug, Clone, Copy)]
struct Spelling {
    raw: Raw,
    series: SeriesRef,
}

/// The spellings; several may name one series.
#[derive(Debug, Default)]
pub(super) struct Spellings {
    /// in the order in which they came
    entries: Vec<Spelling>,
    table: HashTable<u32>,
}

impl Spellings {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.table.clear();
    }

    /// The series of each fingerprint, `None` where it is not known.
    pub(super) fn find_all(&self, fingerprints: &[u128]) -> Vec<Option<SeriesRef>> {
        let mut next = 0;
        let find = |fingerprint: &u128| {
            let raw = Raw::new(*fingerprint);
            let place = match self.entries.get(next) {
                Some(entry) if entry.raw == raw => next,
                _ => self.place(raw)?,
            };
            next = place + 1;
            Some(self.entries[place].series)
        };
        fingerprints.iter().map(find).collect()
    }

    /// Enters a spelling, or gives one that is there another series.
    pub(super) fn insert(&mut self, fingerprint: u128, series: SeriesRef) {
        let raw = Raw::new(fingerprint);
        if let Some(place) = self.place(raw) {
            self.entries[place].series = series;
            return;
        }
        let place = self.entries.len() as u32;
        self.entries.push(Spelling { raw, series });
        let entries = &self.entries;
        self.table
            .insert_unique(raw.hash(), place, |i| entries[*i as usize].raw.hash());
    }

    /// Enters those of another's spellings whose series `number` knows by another number, in their order.
    pub(super) fn extend(&mut self, other: &Self, number: impl Fn(SeriesRef) -> Option<SeriesRef>) {
        for entry in &other.entries {
            if let Some(series) = number(entry.series) {
                let place = self.entries.len() as u32;
                self.entries.push(Spelling { series, ..*entry });
                let entries = &self.entries;
                self.table
                    .insert_unique(entry.raw.hash(), place, |i| entries[*i as usize].raw.hash());
            }
        }
    }

    /// Bytes of heap, about.
    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Spelling>() + self.table.capacity() * (size_of::<u32>() + 1)
    }

    fn place(&self, raw: Raw) -> Option<usize> {
        self.table
            .find(raw.hash(), |i| self.entries[*i as usize].raw == raw)
            .map(|i| *i as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_a_map_finds_in_any_order(
            entered in proptest::collection::vec((0..40u128, 0..9u32), 0..60),
            asked in proptest::collection::vec(0..50u128, 0..80),
            kept in 0..9u32,
        ) {
            // Fingerprints that agree in the half which is the hash, too.
            let spread = |f: u128| (f % 7) | (f << 64);
            let (mut spellings, mut map) = (Spellings::default(), HashMap::new());
            for (fingerprint, series) in &entered {
                spellings.insert(spread(*fingerprint), SeriesRef(*series));
                map.insert(*fingerprint, SeriesRef(*series));
            }
            prop_assert_eq!(spellings.len(), map.len());
            // In the order in which they came, and in any other.
            for order in [entered.iter().map(|(f, _)| *f).collect::<Vec<_>>(), asked] {
                let found = spellings.find_all(&order.iter().map(|f| spread(*f)).collect::<Vec<_>>());
                let expected: Vec<_> = order.iter().map(|f| map.get(f).copied()).collect();
                prop_assert_eq!(found, expected);
            }
            let mut renewed = Spellings::default();
            renewed.extend(&spellings, |s| (s.0 >= kept).then(|| SeriesRef(s.0 - kept)));
            let all: Vec<u128> = map.keys().copied().collect();
            let expected: Vec<_> = all
                .iter()
                .map(|f| map.get(f).filter(|s| s.0 >= kept).map(|s| SeriesRef(s.0 - kept)))
                .collect();
            prop_assert_eq!(renewed.find_all(&all.iter().map(|f| spread(*f)).collect::<Vec<_>>()), expected);
        }
    }
}

//! The series that are written to now.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use barograph_model::{Labels, METRIC_NAME, Matcher, SeriesId};
use hashbrown::HashTable;
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use super::label_pairs::PairId;
use super::spellings::Spellings;
use super::{LabelPairs, StorageKey, StorageOrder};
use crate::SeriesRef;

/// A selection of more than one series in so many is read off the order of all; fewer are sorted.
const SELECTIVE: u64 = 8;

/// Spellings kept beyond four for each series before the map is begun anew.
const SPELLINGS_SPARE: usize = 1 << 16;

/// The series in memory, and the numbers that samples name them by. Cheap to clone; all clones are one head.
///
/// A store renews its head when many of its series are no longer written to. Numbers of the old one then mean
/// nothing to the new one; [`crate::SampleColumns`] holds the head that its numbers belong to, and the store translates.
#[derive(Clone)]
pub struct Head(Arc<Inner>);

struct Inner {
    /// Fingerprints, pairs and ids are keyed by a number no sender knows, so that none can be made to collide.
    key: u64,
    series: RwLock<Series>,
    order: RwLock<Arc<StorageOrder>>,
}

#[derive(Default)]
struct Series {
    /// by the bytes a sender wrote: one lookup on the hot path
    spellings: Spellings,
    by_id: HashTable<u32>,
    ids: Vec<SeriesId>,
    /// by series: its pairs, sorted by name
    labels: Vec<Box<[PairId]>>,
    pairs: LabelPairs,
}

/// Series in storage order.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// Ascending, each once.
    pub(crate) keys: Vec<StorageKey>,
    /// Each with its id and the place of its key in `keys`.
    pub(crate) series: Vec<(SeriesRef, SeriesId, u32)>,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("series", &self.len())
            .finish_non_exhaustive()
    }
}

impl Head {
    /// A head without series for a store with this key.
    pub(crate) fn new(key: u64) -> Self {
        let series = Series {
            pairs: LabelPairs::new(key),
            ..Series::default()
        };
        Self(Arc::new(Inner {
            key,
            series: RwLock::new(series),
            order: RwLock::default(),
        }))
    }

    /// Whether both are the same head, whose numbers mean the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The key of a series in [`Head::resolve`]: a hash of its labels as the sender wrote them.
    #[must_use]
    pub fn fingerprint(&self, raw: &[u8]) -> u128 {
        xxh3_128_with_seed(raw, self.0.key)
    }

    /// Finds the series of many fingerprints. `define(i)` is called for those never seen and gives their labels, then
    /// `admit(i)` for those of them whose labels are not known under another spelling. Where the one gives `None` or the
    /// other `false`, entry `i` is left out: it comes back as `None`.
    pub fn resolve(
        &self,
        fingerprints: &[u128],
        define: &mut dyn FnMut(usize) -> Option<Labels>,
        admit: &mut dyn FnMut(usize) -> bool,
    ) -> Vec<Option<SeriesRef>> {
        let mut found = self.read().spellings.find_all(fingerprints);
        // Parsing and hashing happen outside the lock; only the entering is inside.
        let mut defined: Vec<(usize, Labels, SeriesId)> = (0..found.len())
            .filter(|i| found[*i].is_none())
            .filter_map(|i| define(i).map(|labels| (i, labels)))
            .map(|(i, labels)| {
                let id = self.id_of(&labels);
                (i, labels, id)
            })
            .collect();
        if defined.is_empty() {
            return found;
        }
        let known: Vec<bool> = {
            let series = self.read();
            defined
                .iter()
                .map(|(_, labels, id)| series.knows(*id, labels))
                .collect()
        };
        let mut known = known.into_iter();
        defined.retain(|(i, ..)| known.next().unwrap_or_default() || admit(*i));
        let mut series = self.write();
        // A sender that spells one series ever anew must not grow them without end.
        if series.spellings.len() > 4 * series.ids.len() + SPELLINGS_SPARE {
            series.spellings.clear();
        }
        for (i, labels, id) in defined {
            let entered = series.enter(id, &labels);
            series.spellings.insert(fingerprints[i], entered);
            found[i] = Some(entered);
        }
        found
    }

    /// The series of a label set, entered where it is new.
    #[must_use]
    pub fn series(&self, labels: &Labels) -> SeriesRef {
        let id = self.id_of(labels);
        self.write().enter(id, labels)
    }

    /// What keys the ids of its series.
    pub(crate) fn key(&self) -> u64 {
        self.0.key
    }

    /// Series known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().ids.len()
    }

    /// Whether no series is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of a series of this head.
    #[must_use]
    pub fn labels(&self, series: SeriesRef) -> Labels {
        self.read().labels(series)
    }

    /// The id of a label set in this store: 63 bits of a keyed hash, so that it needs no memory of earlier series.
    ///
    /// Two series of a store collide with a probability of n^2 / 2^64: one in 40 million for a million series.
    pub(crate) fn id_of(&self, labels: &Labels) -> SeriesId {
        let mut bytes = Vec::with_capacity(labels.heap_bytes());
        for part in labels.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        SeriesId((xxh3_64_with_seed(&bytes, self.0.key) >> 1) as i64)
    }

    /// The series with an id.
    pub(crate) fn find(&self, ids: &[SeriesId]) -> Vec<Option<SeriesRef>> {
        let series = self.read();
        ids.iter().map(|id| series.find(*id)).collect()
    }

    /// Calls `f` with the id and labels of each, under one lock.
    pub(crate) fn for_each(
        &self,
        wanted: impl IntoIterator<Item = SeriesRef>,
        mut f: impl FnMut(SeriesRef, SeriesId, Labels),
    ) {
        let series = self.read();
        for s in wanted {
            f(s, series.ids[s.0 as usize], series.labels(s));
        }
    }

    /// The storage order of all series.
    pub(crate) fn order(&self) -> Arc<StorageOrder> {
        let len = self.len();
        let current = Arc::clone(&self.0.order.read().unwrap_or_else(PoisonError::into_inner));
        if current.len() >= len {
            return current;
        }
        let mut slot = self.0.order.write().unwrap_or_else(PoisonError::into_inner);
        if slot.len() < len {
            let series = self.read();
            *slot = Arc::new(slot.extended(series.ids.len(), |s| {
                (series.storage_key(s), series.ids[s.0 as usize])
            }));
        }
        Arc::clone(&slot)
    }

    /// The first `len` series that pass every matcher, in storage order.
    pub(crate) fn select(&self, matchers: &[Matcher], len: usize) -> Selected {
        let selected = self.read().pairs.select(matchers, len as u32);
        let mut found = Selected::default();
        if selected.len() * SELECTIVE >= len as u64 {
            // Nearly all: the order is at hand, and neighbours mostly share their key.
            let order = self.order();
            let series = self.read();
            let mut last = None;
            for s in order.sorted().iter().filter(|s| selected.contains(s.0)) {
                let key = series.key_pairs(*s);
                if last != Some(key) {
                    found.keys.push(series.storage_key(*s));
                    last = Some(key);
                }
                found
                    .series
                    .push((*s, series.ids[s.0 as usize], found.keys.len() as u32 - 1));
            }
            return found;
        }
        let series = self.read();
        let mut keyed: Vec<_> = selected
            .iter()
            .map(SeriesRef)
            .map(|s| (series.storage_key(s), series.ids[s.0 as usize], s))
            .collect();
        drop(series);
        keyed.sort_unstable();
        for (key, id, s) in keyed {
            if found.keys.last() != Some(&key) {
                found.keys.push(key);
            }
            found.series.push((s, id, found.keys.len() as u32 - 1));
        }
        found
    }

    /// The names of labels that the first `len` series which pass every matcher have, in no order.
    pub(crate) fn label_names(&self, matchers: &[Matcher], len: usize, mut give: impl FnMut(&str)) {
        let series = self.read();
        let selected = series.pairs.select(matchers, len as u32);
        for name in series.pairs.names() {
            if series.pairs.values(name).any(|(_, with)| with.meet(&selected)) {
                give(name);
            }
        }
    }

    /// The values of a label among the first `len` series which pass every matcher, in no order.
    pub(crate) fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        len: usize,
        mut give: impl FnMut(&str),
    ) {
        let series = self.read();
        let selected = series.pairs.select(matchers, len as u32);
        for (value, with) in series.pairs.values(name) {
            if with.meet(&selected) {
                give(value);
            }
        }
    }

    /// A head with some of the series of this one, and the spellings that are known of them.
    pub(crate) fn renewed(&self, kept: &RoaringBitmap) -> Self {
        let renewed = Self::new(self.0.key);
        {
            let (old, mut new) = (self.read(), renewed.write());
            let mut places = HashMap::with_capacity(kept.len() as usize);
            for s in kept
                .iter()
                .take_while(|s| (*s as usize) < old.ids.len())
                .map(SeriesRef)
            {
                let entered = new.enter(old.ids[s.0 as usize], &old.labels(s));
                places.insert(s, entered);
            }
            new.spellings.extend(&old.spellings, |s| places.get(&s).copied());
        }
        renewed
    }

    /// Bytes of memory that the head takes, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let series = self.read();
        let labels: usize = series
            .labels
            .iter()
            .map(|pairs| pairs.len() * size_of::<PairId>())
            .sum();
        series.spellings.heap_bytes()
            + series.by_id.capacity() * 5
            + series.ids.capacity() * size_of::<SeriesId>()
            + series.labels.capacity() * size_of::<Box<[PairId]>>()
            + labels
            + series.pairs.heap_bytes()
    }

    fn read(&self) -> RwLockReadGuard<'_, Series> {
        self.0.series.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Series> {
        self.0.series.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    /// The series of a label set. An id that another label set has already gives way to the next one.
    fn enter(&mut self, mut id: SeriesId, labels: &Labels) -> SeriesRef {
        let pairs = self.pairs.intern_all(labels.iter());
        while let Some(known) = self.find(id) {
            if self.labels[known.0 as usize] == pairs {
                return known;
            }
            id = SeriesId(id.0.wrapping_add(1) & i64::MAX);
        }
        let series = SeriesRef(self.ids.len() as u32);
        for pair in &pairs {
            self.pairs.add(*pair, series.0);
        }
        self.ids.push(id);
        self.labels.push(pairs);
        let ids = &self.ids;
        self.by_id
            .insert_unique(hash(id), series.0, |s| hash(ids[*s as usize]));
        series
    }

    /// Whether a label set with this id is here.
    fn knows(&self, mut id: SeriesId, labels: &Labels) -> bool {
        // As it is entered: a taken id gives way to the next.
        while let Some(known) = self.find(id) {
            let pairs = &self.labels[known.0 as usize];
            if pairs.len() == labels.len() && pairs.iter().map(|pair| self.pairs.get(*pair)).eq(labels.iter())
            {
                return true;
            }
            id = SeriesId(id.0.wrapping_add(1) & i64::MAX);
        }
        false
    }

    fn find(&self, id: SeriesId) -> Option<SeriesRef> {
        self.by_id
            .find(hash(id), |s| self.ids[*s as usize] == id)
            .copied()
            .map(SeriesRef)
    }

    fn labels(&self, series: SeriesRef) -> Labels {
        let pairs = self.labels[series.0 as usize].iter();
        // They came from a label set, so they are one.
        Labels::from_pairs(pairs.map(|pair| self.pairs.get(*pair))).unwrap_or_default()
    }

    fn storage_key(&self, series: SeriesRef) -> StorageKey {
        let [metric, job, instance] = self
            .key_pairs(series)
            .map(|pair| pair.map_or("", |pair| self.pairs.get(pair).1));
        StorageKey::from_parts(metric, job, instance)
    }

    /// The pairs that make the storage key: two series have the same key when they have the same of them.
    fn key_pairs(&self, series: SeriesRef) -> [Option<PairId>; 3] {
        let mut found = [None; 3];
        for pair in &self.labels[series.0 as usize] {
            match self.pairs.get(*pair).0 {
                METRIC_NAME => found[0] = Some(*pair),
                "job" => found[1] = Some(*pair),
                "instance" => found[2] = Some(*pair),
                _ => {}
            }
        }
        found
    }
}

/// Ids are uniform in their low 63 bits; the table takes its control bytes from the highest.
fn hash(id: SeriesId) -> u64 {
    (id.0 as u64) << 1
}

#[cfg(test)]
mod tests;

//! Every series of the store, found by what a sender wrote or by its labels.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use barograph_model::{Labels, Matcher, SeriesId};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::{Postings, StorageOrder};
use crate::SeriesRef;

/// Fingerprints are already uniform, so the map takes their low half as the hash.
#[derive(Debug, Default, Clone, Copy)]
struct FingerprintHasher(u64);

impl Hasher for FingerprintHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct BuildFingerprintHasher;

impl BuildHasher for BuildFingerprintHasher {
    type Hasher = FingerprintHasher;
    fn build_hasher(&self) -> FingerprintHasher {
        FingerprintHasher::default()
    }
}

/// Spellings kept beyond four for each series before the map is begun anew.
const SPELLINGS_SPARE: usize = 1 << 16;

type FingerprintMap = HashMap<u128, SeriesRef, BuildFingerprintHasher>;

/// All series. Entries are only ever added while the store is open, so a length is a consistent view.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Fingerprints are keyed by a number no sender knows, so that none can be made to collide on purpose.
    seed: u64,
    inner: RwLock<Inner>,
    order: RwLock<Arc<StorageOrder>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// by the bytes a sender wrote: one lookup on the hot path, several entries may name one series
    by_raw: FingerprintMap,
    /// by the sorted labels: the identity
    by_labels: FingerprintMap,
    ids: Vec<SeriesId>,
    labels: Vec<Arc<Labels>>,
    postings: Postings,
    next_id: i64,
}

impl Registry {
    /// A registry without series; ids count from `next_id`.
    pub(crate) fn new(next_id: i64) -> Self {
        let inner = Inner {
            next_id,
            ..Inner::default()
        };
        Self {
            seed: RandomState::new().hash_one(next_id),
            inner: RwLock::new(inner),
            order: RwLock::new(Arc::default()),
        }
    }

    /// The fingerprint of a series' labels as a sender wrote them.
    pub(crate) fn fingerprint(&self, raw: &[u8]) -> u128 {
        xxh3_128_with_seed(raw, self.seed)
    }

    /// The series of each fingerprint. Those never seen are asked of `define`; `None` leaves them out.
    pub(crate) fn resolve(
        &self,
        fingerprints: &[u128],
        define: &mut dyn FnMut(usize) -> Option<Labels>,
    ) -> Vec<Option<SeriesRef>> {
        let mut found: Vec<Option<SeriesRef>> = {
            let inner = self.read();
            fingerprints
                .iter()
                .map(|f| inner.by_raw.get(f).copied())
                .collect()
        };
        let misses: Vec<usize> = (0..found.len()).filter(|i| found[*i].is_none()).collect();
        if misses.is_empty() {
            return found;
        }
        // Parsing and hashing happen outside the lock; only the entering is inside.
        let defined: Vec<(usize, Labels, u128)> = misses
            .into_iter()
            .filter_map(|i| define(i).map(|labels| (i, labels)))
            .map(|(i, labels)| {
                let identity = self.identity(&labels);
                (i, labels, identity)
            })
            .collect();
        let mut inner = self.write();
        // A sender that spells one series ever anew must not grow this map without end.
        if inner.by_raw.len() > 4 * inner.ids.len() + SPELLINGS_SPARE {
            inner.by_raw.clear();
        }
        for (i, labels, identity) in defined {
            let series = inner.enter(identity, labels, None);
            inner.by_raw.insert(fingerprints[i], series);
            found[i] = Some(series);
        }
        found
    }

    /// Enters a series that a file or the log names, with the id it has there.
    pub(crate) fn restore(&self, id: SeriesId, labels: Labels) -> SeriesRef {
        let identity = self.identity(&labels);
        self.write().enter(identity, labels, Some(id))
    }

    /// The series of a label set, entered where it is new.
    pub(crate) fn by_labels(&self, labels: &Labels) -> SeriesRef {
        let identity = self.identity(labels);
        if let Some(series) = self.read().by_labels.get(&identity) {
            return *series;
        }
        self.write().enter(identity, labels.clone(), None)
    }

    /// Whether a label set is known.
    pub(crate) fn contains(&self, labels: &Labels) -> bool {
        let identity = self.identity(labels);
        self.read().by_labels.contains_key(&identity)
    }

    pub(crate) fn len(&self) -> usize {
        self.read().ids.len()
    }

    pub(crate) fn next_id(&self) -> i64 {
        self.read().next_id
    }

    pub(crate) fn id(&self, series: SeriesRef) -> SeriesId {
        self.read().ids[series.0 as usize]
    }

    pub(crate) fn labels(&self, series: SeriesRef) -> Arc<Labels> {
        Arc::clone(&self.read().labels[series.0 as usize])
    }

    /// Calls `f` with the id and labels of each, under one lock.
    pub(crate) fn for_each(
        &self,
        series: impl IntoIterator<Item = SeriesRef>,
        mut f: impl FnMut(SeriesRef, SeriesId, &Arc<Labels>),
    ) {
        let inner = self.read();
        for s in series {
            f(s, inner.ids[s.0 as usize], &inner.labels[s.0 as usize]);
        }
    }

    /// Fills `ids` with the id of each series, under one lock.
    pub(crate) fn ids_of(&self, series: &[SeriesRef], ids: &mut Vec<SeriesId>) {
        let inner = self.read();
        ids.extend(series.iter().map(|s| inner.ids[s.0 as usize]));
    }

    /// The storage order of the first `len` series at least.
    pub(crate) fn order(&self, len: usize) -> Arc<StorageOrder> {
        let current = Arc::clone(&self.order.read().unwrap_or_else(PoisonError::into_inner));
        if current.len() >= len {
            return current;
        }
        let mut slot = self.order.write().unwrap_or_else(PoisonError::into_inner);
        if slot.len() < len {
            let inner = self.read();
            let key = |s: SeriesRef| (inner.labels[s.0 as usize].as_ref(), inner.ids[s.0 as usize]);
            *slot = Arc::new(StorageOrder::extend(&slot, inner.ids.len(), key));
        }
        Arc::clone(&slot)
    }

    /// The series below `len` that pass every matcher, in storage order.
    pub(crate) fn select(&self, matchers: &[Matcher], len: usize) -> Vec<SeriesRef> {
        let order = self.order(len);
        let visible = |s: &SeriesRef| (s.0 as usize) < len;
        if matchers.is_empty() {
            return order.sorted().iter().copied().filter(visible).collect();
        }
        let selected = self.read().postings.select(matchers);
        let mut series: Vec<SeriesRef> = selected.iter().map(SeriesRef).filter(visible).collect();
        order.sort(&mut series);
        series
    }

    /// The names of labels that series below `len` which pass every matcher have, sorted.
    pub(crate) fn label_names(&self, matchers: &[Matcher], len: usize) -> Vec<String> {
        let inner = self.read();
        let selected = inner.visible(matchers, len);
        let used = |name: &&str| {
            inner
                .postings
                .values(name)
                .any(|(_, series)| !series.is_disjoint(&selected))
        };
        inner.postings.names().filter(used).map(str::to_owned).collect()
    }

    /// The values of a label among series below `len` which pass every matcher, sorted.
    pub(crate) fn label_values(&self, name: &str, matchers: &[Matcher], len: usize) -> Vec<String> {
        let inner = self.read();
        let selected = inner.visible(matchers, len);
        let values = inner
            .postings
            .values(name)
            .filter(|(_, series)| !series.is_disjoint(&selected));
        values.map(|(value, _)| value.to_owned()).collect()
    }

    fn identity(&self, labels: &Labels) -> u128 {
        let mut bytes = Vec::with_capacity(labels.heap_bytes());
        for part in labels.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        xxh3_128_with_seed(&bytes, self.seed)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn enter(&mut self, identity: u128, labels: Labels, id: Option<SeriesId>) -> SeriesRef {
        if let Some(known) = self.by_labels.get(&identity) {
            return *known;
        }
        let series = SeriesRef(self.ids.len() as u32);
        let id = id.unwrap_or(SeriesId(self.next_id));
        self.next_id = self.next_id.max(id.0 + 1);
        self.postings.add(series, &labels);
        self.ids.push(id);
        self.labels.push(Arc::new(labels));
        self.by_labels.insert(identity, series);
        series
    }

    fn visible(&self, matchers: &[Matcher], len: usize) -> roaring::RoaringBitmap {
        let mut selected = self.postings.select(matchers);
        selected.remove_range(u32::try_from(len).unwrap_or(u32::MAX)..);
        selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(metric: &str, job: &str) -> Labels {
        Labels::from_pairs([("__name__", metric), ("job", job)]).unwrap()
    }

    #[test]
    fn two_spellings_are_one_series() {
        let registry = Registry::new(1);
        let mut asked = 0;
        let fingerprints = [
            registry.fingerprint(b"spelling one"),
            registry.fingerprint(b"spelling two"),
        ];
        for _ in 0..2 {
            let found = registry.resolve(&fingerprints, &mut |_| {
                asked += 1;
                Some(labels("up", "node"))
            });
            assert_eq!(found, [Some(SeriesRef(0)), Some(SeriesRef(0))]);
        }
        assert_eq!((asked, registry.len(), registry.next_id()), (2, 1, 2));
    }

    #[test]
    fn what_is_not_defined_is_left_out_and_asked_again() {
        let registry = Registry::new(1);
        let fingerprint = registry.fingerprint(b"bad");
        for _ in 0..2 {
            assert_eq!(registry.resolve(&[fingerprint], &mut |_| None), [None]);
        }
        assert_eq!(registry.len(), 0);
    }

    #[test]
    fn restored_ids_are_never_given_again() {
        let registry = Registry::new(1);
        registry.restore(SeriesId(41), labels("up", "a"));
        let series = registry.by_labels(&labels("up", "b"));
        assert_eq!(registry.id(series), SeriesId(42));
    }

    #[test]
    fn a_length_is_a_view() {
        let registry = Registry::new(1);
        registry.by_labels(&labels("up", "a"));
        let len = registry.len();
        registry.by_labels(&labels("up", "b"));
        assert_eq!(registry.label_values("job", &[], len), ["a"]);
        assert_eq!(
            registry.select(&[Matcher::equal("__name__", "up")], len),
            [SeriesRef(0)]
        );
        assert_eq!(registry.label_names(&[], 2), ["__name__", "job"]);
    }
}

//! Labels that queries have read from files, so that the next query of a dashboard need not.
//!
//! Two generations: what is asked for goes into the young one, which becomes the old one when it has filled its half; what was
//! not asked for meanwhile goes with the old one before it. An id is of one series in all files of a store, so nothing
//! here ever becomes wrong.

use std::sync::{Arc, Mutex, PoisonError};

use barograph_model::{Labels, MemoryBudget, MemoryShare, SeriesId};
use hashbrown::HashTable;

/// What a label set takes beside its text: its place in a table, its counters, its allocations.
const ENTRY_BYTES: usize = 112;

/// What a label set is taken to be while nobody has seen it.
const LABELS_BYTES: usize = ENTRY_BYTES + 200;

/// Label sets by id, bounded by [`MemoryShare::Labels`]. Cheap to share; a lock is held for as long as a portion takes.
#[derive(Debug)]
pub(crate) struct LabelCache {
    memory: Arc<MemoryBudget>,
    generations: Mutex<[Generation; 2]>,
}

#[derive(Debug, Default)]
struct Generation {
    labels: HashTable<(SeriesId, Arc<Labels>)>,
    bytes: usize,
}

impl LabelCache {
    /// An empty cache, which draws from a budget.
    pub(crate) fn new(memory: &Arc<MemoryBudget>) -> Self {
        Self {
            memory: Arc::clone(memory),
            generations: Mutex::default(),
        }
    }

    /// Whether so many series leave room for others: a query about more is better off without.
    pub(crate) fn has_room_for(&self, series: usize) -> bool {
        series.saturating_mul(LABELS_BYTES) <= self.generation_bytes_max()
    }

    /// The labels of some series, where they are there.
    pub(crate) fn get(&self, ids: impl Iterator<Item = SeriesId>) -> Vec<Option<Arc<Labels>>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        ids.map(|id| {
            let [young, old] = &mut *generations;
            if let Some(labels) = young.get(id) {
                return Some(Arc::clone(labels));
            }
            let (_, labels) = old.take(id)?;
            self.enter(&mut generations, id, Arc::clone(&labels));
            Some(labels)
        })
        .collect()
    }

    /// Keeps the labels of some series.
    pub(crate) fn insert<'a>(&self, read: impl Iterator<Item = (SeriesId, &'a Arc<Labels>)>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, labels) in read {
            if generations.iter().any(|generation| generation.get(id).is_some()) {
                continue;
            }
            if self
                .memory
                .try_grow(MemoryShare::Labels, bytes_of(labels))
                .is_err()
            {
                // Others hold what is missing, another store's cache or the process as a whole.
                self.memory.shrink(MemoryShare::Labels, generations[1].bytes);
                generations[1] = Generation::default();
                return;
            }
            self.enter(&mut generations, id, Arc::clone(labels));
        }
    }

    /// Puts into the young generation what is counted already.
    fn enter(&self, generations: &mut [Generation; 2], id: SeriesId, labels: Arc<Labels>) {
        let [young, old] = generations;
        let bytes = bytes_of(&labels);
        if young.bytes + bytes > self.generation_bytes_max() {
            self.memory.shrink(MemoryShare::Labels, old.bytes);
            *old = std::mem::take(young);
        }
        young.bytes += bytes;
        young
            .labels
            .insert_unique(hash(id), (id, labels), |(id, _)| hash(*id));
    }

    fn generation_bytes_max(&self) -> usize {
        self.memory.max_bytes(MemoryShare::Labels) / 2
    }
}

impl Drop for LabelCache {
    fn drop(&mut self) {
        let generations = self.generations.get_mut().unwrap_or_else(PoisonError::into_inner);
        let bytes = generations.iter().map(|generation| generation.bytes).sum();
        self.memory.shrink(MemoryShare::Labels, bytes);
    }
}

impl Generation {
    fn get(&self, id: SeriesId) -> Option<&Arc<Labels>> {
        let found = self.labels.find(hash(id), |(known, _)| *known == id);
        found.map(|(_, labels)| labels)
    }

    fn take(&mut self, id: SeriesId) -> Option<(SeriesId, Arc<Labels>)> {
        let entry = self.labels.find_entry(hash(id), |(known, _)| *known == id);
        let (taken, _) = entry.ok()?.remove();
        self.bytes -= bytes_of(&taken.1);
        Some(taken)
    }
}

/// Ids are hashes already.
fn hash(id: SeriesId) -> u64 {
    id.0 as u64
}

fn bytes_of(labels: &Labels) -> usize {
    ENTRY_BYTES + labels.heap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(i: i64) -> Arc<Labels> {
        Arc::new(Labels::from_pairs([("__name__", "m"), ("i", &format!("{i:05}"))]).unwrap())
    }

    fn cache(series: usize) -> LabelCache {
        let bytes = 2 * series * bytes_of(&labels(0));
        LabelCache::new(&Arc::new(
            MemoryBudget::unlimited().with_max(MemoryShare::Labels, bytes),
        ))
    }

    fn insert(cache: &LabelCache, ids: std::ops::Range<i64>) {
        let sets: Vec<_> = ids.map(|i| (SeriesId(i), labels(i))).collect();
        cache.insert(sets.iter().map(|(id, set)| (*id, set)));
    }

    fn found(cache: &LabelCache, ids: std::ops::Range<i64>) -> Vec<i64> {
        let found = cache.get(ids.clone().map(SeriesId));
        ids.zip(found)
            .filter_map(|(i, set)| {
                assert!(set.as_ref().is_none_or(|set| *set == labels(i)));
                set.map(|_| i)
            })
            .collect()
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let cache = cache(10);
        insert(&cache, 0..10);
        assert_eq!(found(&cache, 0..12), (0..10).collect::<Vec<_>>());
        // Eight more make the first ten old; of those two are asked for, and outlive the others.
        insert(&cache, 10..18);
        assert_eq!(found(&cache, 3..5), [3, 4]);
        insert(&cache, 20..28);
        assert_eq!(found(&cache, 0..10), [3, 4]);
        assert_eq!(cache.memory.used_bytes(MemoryShare::Labels), {
            let generations = cache.generations.lock().unwrap();
            generations
                .iter()
                .map(|generation| generation.bytes)
                .sum::<usize>()
        });
    }

    #[test]
    fn it_never_holds_more_than_its_share_and_gives_all_of_it_back() {
        let cache = cache(10);
        let memory = Arc::clone(&cache.memory);
        for i in 0..1000 {
            insert(&cache, i * 7 % 100..i * 7 % 100 + 5);
            found(&cache, i * 3 % 100..i * 3 % 100 + 9);
            assert!(memory.used_bytes(MemoryShare::Labels) <= memory.max_bytes(MemoryShare::Labels));
        }
        assert!(memory.used_bytes(MemoryShare::Labels) > 0);
        drop(cache);
        assert_eq!(memory.used_bytes(MemoryShare::Labels), 0);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let cache = cache(0);
        insert(&cache, 0..3);
        assert!(found(&cache, 0..3).is_empty());
        assert!(!cache.has_room_for(1) && cache.has_room_for(0));
    }
}

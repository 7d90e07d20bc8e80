//! The series that a query means, gathered from memory and files, in storage order.

mod found;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use barograph_model::{Labels, Matcher, SeriesId};

use self::found::{Known, merge, of_head, of_segment, places};
use crate::index::{Head, StorageKey};
use crate::label_cache::LabelCache;
use crate::segment::Segment;
use crate::{Result, SeriesRef};

/// Series whose labels are read together where one is asked for.
const LABELS_PER_READ: usize = 4096;

/// How many times that is read at once from the second time on: then all are asked for, most likely, and metrics of the same
/// targets share label sets.
const READS_AT_ONCE: usize = 16;

/// Places that a set of several segments keeps, so that whoever reads a part of it need not search the indexes again.
const PLACES_MAX: usize = 1 << 21;

/// Where a segment does not have a series, among places.
const NOWHERE: u32 = u32::MAX;

/// Series in storage order (metric, job, instance, id), each once. Cheap to clone.
///
/// A series is named by its position, from 0. Labels are read when they are first asked for, and kept.
#[derive(Clone)]
pub struct SeriesSet(Arc<Inner>);

struct Inner {
    /// the keys of `entries`, ascending, each once
    groups: Vec<StorageKey>,
    entries: Vec<Entry>,
    sources: Vec<Source>,
    /// by source: where each series is in that segment or [`NOWHERE`], where that is kept
    places: Vec<Option<Vec<u32>>>,
    labels: Vec<OnceLock<Vec<Arc<Labels>>>>,
    /// of those that were read before, where the set is not too large for it
    cache: Option<Arc<LabelCache>>,
}

/// A series, and where its labels are.
#[derive(Debug, Clone, Copy)]
struct Entry {
    id: SeriesId,
    group: u32,
    source: u32,
    /// a place in a segment, or a series of a head
    place: u32,
}

#[derive(Clone)]
enum Source {
    Head(Head),
    Segment(Arc<Segment>),
}

impl fmt::Debug for SeriesSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Default for SeriesSet {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new(), Vec::new(), Vec::new(), None)
    }
}

impl SeriesSet {
    fn new(
        groups: Vec<StorageKey>,
        entries: Vec<Entry>,
        sources: Vec<Source>,
        places: Vec<Option<Vec<u32>>>,
        cache: Option<Arc<LabelCache>>,
    ) -> Self {
        let cache = cache.filter(|cache| cache.has_room_for(entries.len()));
        let labels = (0..entries.len().div_ceil(LABELS_PER_READ))
            .map(|_| OnceLock::new())
            .collect();
        Self(Arc::new(Inner {
            groups,
            entries,
            sources,
            places,
            labels,
            cache,
        }))
    }

    /// What passes every matcher, in segments and among the first so many series of heads. Labels come from the cache where
    /// they are there, and go into it.
    pub(crate) fn select(
        heads: &[(Head, usize)],
        segments: &[Arc<Segment>],
        matchers: &[Matcher],
        cache: Option<&Arc<LabelCache>>,
    ) -> Result<Self> {
        let (mut groups, mut entries, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        // By source; nothing of heads, and nothing once there is too much of it.
        let mut found_in: Vec<Vec<(SeriesId, u32)>> = Vec::new();
        let mut count = 0;
        // Heads first: their labels are at hand.
        for (head, len) in heads {
            let found = of_head(head, *len, matchers, sources.len() as u32);
            sources.push(Source::Head(head.clone()));
            found_in.push(Vec::new());
            (groups, entries) = merge((groups, entries), found);
        }
        let mut known = Known::default();
        for segment in segments {
            let found = of_segment(segment, matchers, sources.len() as u32, &entries, &mut known)?;
            if !found.places.is_empty() {
                sources.push(Source::Segment(Arc::clone(segment)));
                count += found.places.len();
                let is_kept = count <= PLACES_MAX;
                found_in.push(if is_kept { found.places } else { Vec::new() });
                known.enter(&found.new.1);
                (groups, entries) = merge((groups, entries), found.new);
            }
        }
        // Of one source alone each entry knows its place.
        let is_kept = sources.len() > 1 && entries.len() * sources.len() <= PLACES_MAX;
        let places = found_in
            .iter()
            .map(|found| (is_kept && !found.is_empty()).then(|| places(&entries, found)));
        let places = places.collect();
        Ok(Self::new(groups, entries, sources, places, cache.cloned()))
    }

    /// How many series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The id of the series at a position.
    #[must_use]
    pub fn id(&self, position: usize) -> SeriesId {
        self.0.entries[position].id
    }

    /// The labels of the series at a position.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] and others for a damaged segment.
    pub fn labels(&self, position: usize) -> Result<Arc<Labels>> {
        let chunk = position / LABELS_PER_READ;
        let slot = &self.0.labels[chunk];
        let labels = match slot.get() {
            Some(labels) => labels,
            None => {
                let is_first = self.0.labels.iter().all(|slot| slot.get().is_none());
                let chunks = if is_first { 1 } else { READS_AT_ONCE };
                let start = chunk * LABELS_PER_READ;
                let read = self.read_labels(start..self.len().min(start + chunks * LABELS_PER_READ))?;
                let of_chunks = read.chunks(LABELS_PER_READ);
                for (slot, labels) in self.0.labels[chunk..].iter().zip(of_chunks) {
                    slot.get_or_init(|| labels.to_vec());
                }
                slot.get_or_init(|| read)
            }
        };
        Ok(Arc::clone(&labels[position % LABELS_PER_READ]))
    }

    /// Reads the labels of all series, so that several threads that ask for them next do not all read them.
    ///
    /// # Errors
    /// As [`SeriesSet::labels`].
    pub fn read_all_labels(&self) -> Result<()> {
        (0..self.len())
            .step_by(LABELS_PER_READ)
            .try_for_each(|position| self.labels(position).map(drop))
    }

    /// What a label of the series at a position is, `""` where it is absent; `None` where that cannot be said without
    /// reading its labels. It can of `__name__`, `job` and `instance`.
    #[must_use]
    pub fn known_label(&self, position: usize, name: &str) -> Option<&str> {
        self.0.groups[self.0.entries[position].group as usize].label(name)
    }

    /// The series at some positions, which ascend.
    #[must_use]
    pub fn at(&self, positions: &[usize]) -> Self {
        let mut groups: Vec<StorageKey> = Vec::new();
        let mut last = None;
        let mut entries = Vec::with_capacity(positions.len());
        for position in positions {
            let mut entry = self.0.entries[*position];
            if last != Some(entry.group) {
                groups.push(self.0.groups[entry.group as usize].clone());
                last = Some(entry.group);
            }
            entry.group = groups.len() as u32 - 1;
            entries.push(entry);
        }
        let places = self.0.places.iter().map(|places| {
            let places = places.as_ref()?;
            Some(positions.iter().map(|position| places[*position]).collect())
        });
        let places = places.collect();
        Self::new(
            groups,
            entries,
            self.0.sources.clone(),
            places,
            self.0.cache.clone(),
        )
    }

    /// The first series, at most so many.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        if count >= self.len() {
            return self.clone();
        }
        self.at(&(0..count).collect::<Vec<_>>())
    }

    /// The series for which `keep` says so of their labels.
    ///
    /// # Errors
    /// As [`SeriesSet::labels`].
    pub fn filter(&self, mut keep: impl FnMut(&Labels) -> bool) -> Result<Self> {
        let mut positions = Vec::new();
        for position in 0..self.len() {
            if keep(self.labels(position)?.as_ref()) {
                positions.push(position);
            }
        }
        Ok(if positions.len() == self.len() {
            self.clone()
        } else {
            self.at(&positions)
        })
    }

    fn read_labels(&self, positions: Range<usize>) -> Result<Vec<Arc<Labels>>> {
        let entries = &self.0.entries[positions];
        let mut labels: Vec<Option<Arc<Labels>>> = match &self.0.cache {
            Some(cache) => cache.get(entries.iter().map(|entry| entry.id)),
            None => vec![None; entries.len()],
        };
        let missing: Vec<usize> = (0..entries.len()).filter(|i| labels[*i].is_none()).collect();
        for (number, source) in self.0.sources.iter().enumerate() {
            let of_source = || {
                let missing = missing.iter().map(|i| (*i, &entries[*i]));
                missing.filter(|(_, e)| e.source as usize == number)
            };
            match source {
                Source::Head(head) => {
                    let mut slots = of_source();
                    head.for_each(of_source().map(|(_, e)| SeriesRef(e.place)), |_, _, set| {
                        if let Some((i, _)) = slots.next() {
                            labels[i] = Some(Arc::new(set));
                        }
                    });
                }
                Source::Segment(segment) => {
                    let places: Vec<u32> = of_source().map(|(_, e)| e.place).collect();
                    if places.is_empty() {
                        continue;
                    }
                    for ((i, _), set) in of_source().zip(segment.labels(&places)?) {
                        labels[i] = Some(set);
                    }
                }
            }
        }
        if let Some(cache) = self.0.cache.as_ref().filter(|_| !missing.is_empty()) {
            cache.insert(
                missing
                    .iter()
                    .filter_map(|i| Some((entries[*i].id, labels[*i].as_ref()?))),
            );
        }
        // Every entry has a source, so none is left without labels.
        Ok(labels.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Where each series of some positions is in a segment.
    pub(crate) fn places_in(&self, segment: &Segment, positions: Range<usize>) -> Vec<Option<u32>> {
        let entries = &self.0.entries[positions.clone()];
        let is_source =
            |source: &Source| matches!(source, Source::Segment(known) if std::ptr::eq(&**known, segment));
        if let Some(source) = self.0.sources.iter().position(is_source) {
            if entries.iter().all(|e| e.source as usize == source) {
                return entries.iter().map(|e| Some(e.place)).collect();
            }
            if let Some(places) = &self.0.places[source] {
                let places = places[positions].iter();
                return places
                    .map(|place| Some(*place).filter(|place| *place != NOWHERE))
                    .collect();
            }
        }
        let mut places = vec![None; entries.len()];
        let Some((first, last)) = entries.first().zip(entries.last()) else {
            return places;
        };
        let wanted = &self.0.groups[first.group as usize..=last.group as usize];
        let walked = (wanted.len() * 8 >= segment.groups()).then(|| groups_of(segment, wanted));
        let (mut at, mut before) = (0, None);
        while at < entries.len() {
            let group = entries[at].group;
            let end = at + entries[at..].partition_point(|e| e.group == group);
            let found = match &walked {
                Some(walked) => walked[(group - first.group) as usize],
                // Groups that follow each other here mostly do so there, and an id is of one group.
                None => before
                    .map(|before: usize| before + 1)
                    .filter(|next| *next < segment.groups() && segment.find(*next, entries[at].id).is_some())
                    .or_else(|| segment.find_group(&self.0.groups[group as usize])),
            };
            if let Some(found) = found {
                join(&entries[at..end], segment, found, &mut places[at..end]);
                before = Some(found);
            }
            at = end;
        }
        places
    }

    /// Which series of a head each of some positions is.
    pub(crate) fn refs_in(&self, head: &Head, positions: Range<usize>) -> Vec<Option<SeriesRef>> {
        let entries = &self.0.entries[positions];
        let is_of_head = |source: &Source| matches!(source, Source::Head(known) if known.is(head));
        match self.0.sources.iter().position(is_of_head) {
            // Found there, so the number is at hand; the others may be in several places.
            Some(source) if entries.iter().all(|e| e.source as usize == source) => {
                entries.iter().map(|e| Some(SeriesRef(e.place))).collect()
            }
            _ => head.find(&entries.iter().map(|e| e.id).collect::<Vec<_>>()),
        }
    }
}

/// Which groups of a segment have some keys, which ascend.
fn groups_of(segment: &Segment, wanted: &[StorageKey]) -> Vec<Option<usize>> {
    let mut groups = vec![None; wanted.len()];
    let mut next = 0;
    segment.for_each_group(|key, group| {
        while next < wanted.len() && wanted[next].as_bytes() < key {
            next += 1;
        }
        if next < wanted.len() && wanted[next].as_bytes() == key {
            groups[next] = Some(group);
        }
    });
    groups
}

/// Finds the series of one group among the places of that group in a segment; both ascend by id.
fn join(entries: &[Entry], segment: &Segment, group: usize, places: &mut [Option<u32>]) {
    let Range { start, end } = segment.places_of_group(group);
    if entries.len() * 8 < (end - start) as usize {
        for (entry, place) in entries.iter().zip(places) {
            *place = segment.find(group, entry.id);
        }
        return;
    }
    let mut theirs = start;
    for (entry, place) in entries.iter().zip(places) {
        while theirs < end && segment.id(theirs) < entry.id {
            theirs += 1;
        }
        if theirs < end && segment.id(theirs) == entry.id {
            *place = Some(theirs);
        }
    }
}

#[cfg(test)]
mod tests;

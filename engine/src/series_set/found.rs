//! What one source has of the series that are asked for, and how sources are put together.

use std::cmp::Ordering;

use barograph_model::{Matcher, SeriesId};
use hashbrown::HashTable;

use super::{Entry, NOWHERE};
use crate::Result;
use crate::index::{Head, StorageKey};
use crate::segment::Segment;

/// The keys of groups, ascending, and series by group and id, each once.
pub(super) type Found = (Vec<StorageKey>, Vec<Entry>);

pub(super) fn of_head(head: &Head, len: usize, matchers: &[Matcher], source: u32) -> Found {
    let selected = head.select(matchers, len);
    let entries = selected.series.into_iter().map(|(series, id, group)| Entry {
        id,
        group,
        source,
        place: series.0,
    });
    (selected.keys, entries.collect())
}

/// Which series were found before a segment is asked: mostly all that it has, so that nothing but their places is of
/// interest.
#[derive(Default)]
pub(super) struct Known(Option<HashTable<SeriesId>>);

impl Known {
    /// Whether a series is among entries, which are the same as before but for those entered.
    fn has(&mut self, entries: &[Entry], id: SeriesId) -> bool {
        if entries.is_empty() {
            return false;
        }
        let ids = self.0.get_or_insert_with(|| {
            let mut ids = HashTable::with_capacity(entries.len());
            entries.iter().for_each(|entry| enter(&mut ids, entry.id));
            ids
        });
        ids.find(id.0 as u64, |known| *known == id).is_some()
    }

    /// Adds series that are new.
    pub(super) fn enter(&mut self, entries: &[Entry]) {
        if let Some(ids) = &mut self.0 {
            entries.iter().for_each(|entry| enter(ids, entry.id));
        }
    }
}

/// Ids are hashes already.
fn enter(ids: &mut HashTable<SeriesId>, id: SeriesId) {
    ids.insert_unique(id.0 as u64, id, |id| id.0 as u64);
}

/// What passes every matcher in a segment, in storage order.
pub(super) struct OfSegment {
    /// all of it
    pub(super) places: Vec<(SeriesId, u32)>,
    /// what was not found before
    pub(super) new: Found,
}

/// Entries that are looked at for one that was found before.
const AHEAD: usize = 8;

pub(super) fn of_segment(
    segment: &Segment,
    matchers: &[Matcher],
    source: u32,
    before: &[Entry],
    known: &mut Known,
) -> Result<OfSegment> {
    let mut places = Vec::new();
    let (mut groups, mut entries): (Vec<usize>, Vec<Entry>) = Default::default();
    let (mut next, mut end) = (0, 0);
    for place in segment.select(matchers)? {
        let id = segment.id(place);
        places.push((id, place));
        // Both are in storage order, and mostly of the same series.
        let ahead = before[next..].iter().take(AHEAD).position(|entry| entry.id == id);
        if let Some(ahead) = ahead {
            next += ahead + 1;
            continue;
        }
        if known.has(before, id) {
            continue;
        }
        if place >= end {
            let follows = groups.last().map(|group| group + 1);
            let follows = follows.filter(|group| *group < segment.groups());
            let group = follows.filter(|group| segment.places_of_group(*group).contains(&place));
            let group = group.unwrap_or_else(|| segment.group_of(place));
            end = segment.places_of_group(group).end;
            groups.push(group);
        }
        entries.push(Entry {
            id,
            group: groups.len() as u32 - 1,
            source,
            place,
        });
    }
    Ok(OfSegment {
        places,
        new: (segment.group_keys(&groups), entries),
    })
}

/// Both together, in order; a series that both have is taken from `a`.
pub(super) fn merge(a: Found, b: Found) -> Found {
    if a.1.is_empty() {
        return b;
    }
    if b.1.is_empty() {
        return a;
    }
    let (mut groups, mut entries) = (
        Vec::with_capacity(a.0.len()),
        Vec::with_capacity(a.1.len().max(b.1.len())),
    );
    let (mut a_keys, mut b_keys) = (a.0.into_iter().peekable(), b.0.into_iter().peekable());
    let (mut a_group, mut b_group) = (0, 0);
    let (mut a, mut b) = (a.1.into_iter().peekable(), b.1.into_iter().peekable());
    loop {
        let (from_a, from_b) = match (a_keys.peek(), b_keys.peek()) {
            (Some(x), Some(y)) => match x.cmp(y) {
                Ordering::Less => (true, false),
                Ordering::Equal => (true, true),
                Ordering::Greater => (false, true),
            },
            (Some(_), None) => (true, false),
            (None, Some(_)) => (false, true),
            (None, None) => return (groups, entries),
        };
        let group = groups.len() as u32;
        let key_of_b = if from_b { b_keys.next() } else { None };
        groups.extend(if from_a { a_keys.next() } else { key_of_b });
        loop {
            let x = a.peek().filter(|e| from_a && e.group == a_group).map(|e| e.id);
            let y = b.peek().filter(|e| from_b && e.group == b_group).map(|e| e.id);
            let next = match (x, y) {
                (None, None) => break,
                (Some(x), Some(y)) if y < x => b.next(),
                (Some(x), Some(y)) => {
                    if x == y {
                        b.next();
                    }
                    a.next()
                }
                (Some(_), None) => a.next(),
                (None, Some(_)) => b.next(),
            };
            entries.extend(next.map(|e| Entry { group, ..e }));
        }
        a_group += u32::from(from_a);
        b_group += u32::from(from_b);
    }
}

/// Where each series is, given those that a segment has in the order of the set: all of them are in the set, and an id is
/// of one series.
pub(super) fn places(entries: &[Entry], found: &[(SeriesId, u32)]) -> Vec<u32> {
    let mut found = found.iter().peekable();
    let place_of = |entry: &Entry| {
        let here = found.next_if(|(id, _)| *id == entry.id);
        here.map_or(NOWHERE, |(_, place)| *place)
    };
    entries.iter().map(place_of).collect()
}

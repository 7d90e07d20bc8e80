//! Deletes: at once invisible, later gone from the files.
//!
//! A [`Tombstone`] stands in the manifest and says which series lose which instants, in segments that are older than it.
//! Samples that are written after it have a higher number and are seen. A merge carries deletes out and notes in the
//! segment it writes up to which number ([`SegmentMeta::purged`]); a tombstone that no segment needs any more goes.
//!
//! In memory each tombstone knows the ids of its series and the segments that have one of them, both found in the indexes
//! of those segments: so a reader asks with an id and nothing else. [`Tombstones::mask`] is the whole of the reading
//! side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use barograph_model::{MatchOp, Matcher, SeriesId, TimeRange, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::segment::{Segment, SegmentMeta};
use crate::{EngineError, Result};

/// One delete, as the manifest keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    /// Counts together with the segments.
    pub(crate) sequence: u64,
    /// A series must pass all of them.
    pub(crate) matchers: Vec<StoredMatcher>,
    /// The first instant that is deleted.
    pub(crate) start: i64,
    /// The last one.
    pub(crate) end: i64,
    /// When it was asked for, in milliseconds since the epoch.
    pub(crate) asked_ms: i64,
}

/// A matcher as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredMatcher {
    name: String,
    /// `=`, `!=`, `=~` or `!~`
    op: String,
    value: String,
}

impl From<&Matcher> for StoredMatcher {
    fn from(matcher: &Matcher) -> Self {
        Self {
            name: matcher.name().to_owned(),
            op: matcher.op().to_string(),
            value: matcher.value().to_owned(),
        }
    }
}

impl StoredMatcher {
    /// The condition, or why it is none.
    fn compile(&self) -> std::result::Result<Matcher, String> {
        let ops = [
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ];
        let op = ops.into_iter().find(|op| op.to_string() == self.op);
        let op = op.ok_or_else(|| format!("the operator {:?}", self.op))?;
        Matcher::new(&self.name, op, &self.value).map_err(|e| e.to_string())
    }
}

impl Tombstone {
    pub(crate) fn range(&self) -> TimeRange {
        TimeRange::new(self.start, self.end)
    }

    /// Whether it holds for a segment, as far as number and time can say.
    fn holds_for(&self, segment: &SegmentMeta) -> bool {
        self.sequence > segment.sequence.max(segment.purged) && self.range().overlaps(&segment.bounds())
    }

    fn compile(&self) -> Result<Vec<Matcher>> {
        let compiled: std::result::Result<_, String> =
            self.matchers.iter().map(StoredMatcher::compile).collect();
        // Leaving it out would bring back what was deleted.
        compiled.map_err(|found| EngineError::Corrupt {
            path: PathBuf::from("MANIFEST"),
            offset: 0,
            expected: format!("matchers of delete {} that this version knows", self.sequence),
            found,
        })
    }
}

/// A tombstone with what it hides.
#[derive(Debug)]
pub(crate) struct ActiveTombstone {
    pub(crate) tombstone: Tombstone,
    /// sorted
    ids: Arc<[SeriesId]>,
    /// names of the segments that have rows in the range, or near it, and such a series
    segments: BTreeSet<String>,
}

impl ActiveTombstone {
    fn hides(&self, id: SeriesId) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// How many series lose samples.
    pub(crate) fn series_len(&self) -> usize {
        self.ids.len()
    }

    /// In how many segments.
    pub(crate) fn segments_len(&self) -> usize {
        self.segments.len()
    }
}

/// Finds out what tombstones hide, segment by segment.
pub(crate) struct Search {
    found: Vec<Found>,
}

struct Found {
    tombstone: Tombstone,
    matchers: Vec<Matcher>,
    ids: BTreeSet<SeriesId>,
    /// with the rows of such series
    segments: BTreeMap<String, u64>,
}

impl Search {
    pub(crate) fn new(tombstones: Vec<Tombstone>) -> Result<Self> {
        let found = tombstones.into_iter().map(|tombstone| {
            Ok(Found {
                matchers: tombstone.compile()?,
                tombstone,
                ids: BTreeSet::new(),
                segments: BTreeMap::new(),
            })
        });
        Ok(Self {
            found: found.collect::<Result<_>>()?,
        })
    }

    /// Looks for series in a segment. O(1) where no tombstone can hold for it.
    pub(crate) fn look_into(&mut self, segment: &Segment) -> Result<()> {
        for found in &mut self.found {
            if !found.tombstone.holds_for(&segment.meta) {
                continue;
            }
            let places = segment.select(&found.matchers)?;
            if places.is_empty() {
                continue;
            }
            found.ids.extend(places.iter().map(|place| segment.id(place)));
            let rows = match segment.meta.kind.width() {
                Some(_) => 0, // buckets are no samples
                None => places
                    .iter()
                    .map(|place| segment.rows_of(place).len() as u64)
                    .sum(),
            };
            found.segments.insert(segment.meta.name.clone(), rows);
        }
        Ok(())
    }

    /// Forgets what was found in segments that are gone, and gives the rest a number.
    pub(crate) fn settle(&mut self, sequence: u64, current: &[Arc<Segment>]) {
        for found in &mut self.found {
            found.tombstone.sequence = sequence;
            found
                .segments
                .retain(|name, _| current.iter().any(|segment| segment.meta.name == *name));
        }
    }

    /// Rows of series that lose some, in the segments that were looked into: none of them loses more.
    pub(crate) fn rows_max(&self) -> u64 {
        self.found.iter().flat_map(|found| found.segments.values()).sum()
    }

    /// Those tombstones that hide something.
    pub(crate) fn finish(self) -> Vec<Arc<ActiveTombstone>> {
        let active = self.found.into_iter().map(|found| ActiveTombstone {
            tombstone: found.tombstone,
            ids: found.ids.into_iter().collect(),
            segments: found.segments.into_keys().collect(),
        });
        active.filter(|a| !a.segments.is_empty()).map(Arc::new).collect()
    }
}

/// The deletes that are not carried out everywhere. Never changes: a change is a new value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tombstones {
    active: Vec<Arc<ActiveTombstone>>,
}

impl Tombstones {
    /// What the manifest holds, with what is hidden in the segments.
    pub(crate) fn load(tombstones: Vec<Tombstone>, segments: &[Arc<Segment>]) -> Result<Self> {
        let mut search = Search::new(tombstones)?;
        for segment in segments {
            search.look_into(segment)?;
        }
        Ok(Self {
            active: search.finish(),
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.active.len()
    }

    /// What is hidden in a segment.
    pub(crate) fn mask(&self, segment: &SegmentMeta) -> Mask {
        let holds = |a: &&Arc<ActiveTombstone>| a.segments.contains(&segment.name);
        Mask {
            active: self.active.iter().filter(holds).cloned().collect(),
        }
    }

    /// What the manifest is to hold.
    pub(crate) fn to_stored(&self) -> Vec<Tombstone> {
        self.active.iter().map(|a| a.tombstone.clone()).collect()
    }

    pub(crate) fn with(&self, added: Vec<Arc<ActiveTombstone>>) -> Self {
        let mut active = self.active.clone();
        active.extend(added);
        Self { active }
    }

    /// After some segments were replaced by others, perhaps by none. Tombstones that hide nothing any more are left
    /// out; those that came while the merge was running hide in its result what they hid in its inputs. `sources` are
    /// segments that were read for the result and stay: what is hidden in them is hidden in it.
    pub(crate) fn after<'a>(
        &self,
        gone: impl IntoIterator<Item = &'a SegmentMeta>,
        sources: &[SegmentMeta],
        come: &[SegmentMeta],
    ) -> Self {
        let gone: BTreeSet<&str> = gone.into_iter().map(|meta| meta.name.as_str()).collect();
        let active = self.active.iter().filter_map(|active| {
            let is_gone = |name: &String| gone.contains(name.as_str());
            let is_read = sources.iter().any(|meta| active.segments.contains(&meta.name));
            if !is_read && !active.segments.iter().any(is_gone) {
                return Some(Arc::clone(active));
            }
            let mut segments = active.segments.clone();
            segments.retain(|name| !is_gone(name));
            let still = come.iter().filter(|meta| active.tombstone.holds_for(meta));
            segments.extend(still.map(|meta| meta.name.clone()));
            (!segments.is_empty()).then(|| {
                Arc::new(ActiveTombstone {
                    tombstone: active.tombstone.clone(),
                    ids: Arc::clone(&active.ids),
                    segments,
                })
            })
        });
        Self {
            active: active.collect(),
        }
    }
}

/// What deletes hide in one segment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask {
    active: Vec<Arc<ActiveTombstone>>,
}

impl Mask {
    /// How many deletes hide something.
    pub(crate) fn len(&self) -> usize {
        self.active.len()
    }

    /// When the first of them was asked for, in milliseconds since the epoch.
    pub(crate) fn first_asked_ms(&self) -> Option<i64> {
        self.active.iter().map(|a| a.tombstone.asked_ms).min()
    }

    /// Takes what is hidden out of the rows of one series, which begin at `from` and ascend in time.
    pub(crate) fn filter(&self, id: SeriesId, from: usize, ts: &mut Vec<i64>, values: &mut Vec<f64>) {
        for active in self.active.iter().filter(|active| active.hides(id)) {
            let TimeRange {
                start: TimestampMs(start),
                end: TimestampMs(end),
            } = active.tombstone.range();
            let low = from + ts[from..].partition_point(|t| *t < start);
            let high = low + ts[low..].partition_point(|t| *t <= end);
            ts.drain(low..high);
            values.drain(low..high);
        }
    }

    /// Calls `f` with the ranges that are hidden of a series, in the order in which the deletes came.
    pub(crate) fn for_each_range(&self, id: SeriesId, mut f: impl FnMut(TimeRange)) {
        let hiding = self.active.iter().filter(|active| active.hides(id));
        hiding.for_each(|active| f(active.tombstone.range()));
    }

    /// As [`Mask::filter`], for rows that carry their instant.
    pub(crate) fn filter_rows<V>(&self, id: SeriesId, from: usize, rows: &mut Vec<(i64, V)>) {
        for active in self.active.iter().filter(|active| active.hides(id)) {
            let range = active.tombstone.range();
            let low = from + rows[from..].partition_point(|(ts, _)| *ts < range.start.0);
            let high = low + rows[low..].partition_point(|(ts, _)| *ts <= range.end.0);
            rows.drain(low..high);
        }
    }
}

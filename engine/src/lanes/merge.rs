//! Merges segments of one lane into one.
//!
//! Memory: a row group, the series of the inputs with their labels, and the rows of one series.

use std::sync::Arc;

use barograph_model::Labels;

use super::{Lane, settle};
use crate::segment::{LaneCursor, LaneWriter, Segment, SegmentMeta};
use crate::tombstone::Tombstones;
use crate::vfs::Vfs;
use crate::{EngineError, Result, SeriesSet};

/// Series between two looks at whether the store closes.
const SERIES_PER_LOOK: usize = 256;

/// Writes the rows of some segments, oldest first, as the segment that `begin` describes: of rows that are the same the
/// newest, none that a delete hides, none before the instant that `oldest` gives for a series. `None` where nothing is left.
///
/// # Errors
/// [`EngineError::Closing`] where `is_stopping` says so; others name the segment that could not be read, or what the disk
/// said. The caller removes what was begun.
pub(crate) fn merge<V: Lane>(
    vfs: &Arc<dyn Vfs>,
    inputs: &[SegmentMeta],
    begin: SegmentMeta,
    tombstones: &Tombstones,
    oldest: &dyn Fn(&Labels) -> i64,
    is_stopping: &dyn Fn() -> bool,
) -> Result<Option<SegmentMeta>> {
    let segments = inputs
        .iter()
        .map(|meta| Segment::open(vfs, meta.clone()).map(Arc::new))
        .collect::<Result<Vec<_>>>()?;
    let set = SeriesSet::select(&[], &segments, &[], None)?;
    let mut sources = Vec::with_capacity(segments.len());
    for segment in &segments {
        let places = set.places_in(segment, 0..set.len());
        if let Some(cursor) = LaneCursor::<V>::open(segment, places.iter().flatten().copied())? {
            sources.push((cursor, places, tombstones.mask(&segment.meta)));
        }
    }
    let mut writer = LaneWriter::<V>::create(vfs, begin)?;
    for position in 0..set.len() {
        if position % SERIES_PER_LOOK == 0 && is_stopping() {
            return Err(EngineError::Closing);
        }
        let (id, mut rows) = (set.id(position), Vec::new());
        for (cursor, places, mask) in &mut sources {
            if let Some(place) = places[position] {
                let from = rows.len();
                cursor.take(place, &mut rows)?;
                mask.filter_rows(id, from, &mut rows);
            }
        }
        let labels = set.labels(position)?;
        let oldest = oldest(&labels);
        rows.retain(|(ts, _)| *ts >= oldest);
        settle(&mut rows);
        writer.push(id, labels, rows)?;
    }
    writer.finish()
}

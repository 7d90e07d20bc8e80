//! From memory to segments of the lanes.

use std::collections::HashMap;
use std::sync::Arc;

use barograph_model::{Exemplar, Histogram};

use super::{Lane, settle};
use crate::engine::Shared;
use crate::files::{Files, SEGMENTS};
use crate::memtable::Memtable;
use crate::segment::{LaneWriter, SegmentMeta};
use crate::{Result, SeriesRef};

/// Series whose labels are fetched at a time.
const SERIES_PER_PORTION: usize = 4096;

/// Writes what a memtable has of both lanes, a segment for each lane and window. `begun` gets all that was begun, also
/// when it fails.
pub(crate) fn write_memory(
    shared: &Shared,
    files: &mut Files,
    memtable: &Memtable,
    begun: &mut Vec<SegmentMeta>,
    written: &mut Vec<SegmentMeta>,
) -> Result<()> {
    write_lane::<Histogram>(shared, files, memtable, begun, written)?;
    write_lane::<Exemplar>(shared, files, memtable, begun, written)
}

fn write_lane<V: Lane>(
    shared: &Shared,
    files: &mut Files,
    memtable: &Memtable,
    begun: &mut Vec<SegmentMeta>,
    written: &mut Vec<SegmentMeta>,
) -> Result<()> {
    if memtable.lanes().rows::<V>() == 0 {
        return Ok(());
    }
    for (start, by_series) in memtable.lanes().by_window::<V>() {
        let sequence = files.next_sequence();
        let name = format!("{SEGMENTS}/{start}-{sequence:08}");
        let mut meta = SegmentMeta::begin(name, start, sequence, shared.clock.now());
        meta.kind = V::KIND;
        meta.store_key = memtable.head().key();
        begun.push(meta.clone());
        let mut writer = LaneWriter::<V>::create(&shared.vfs, meta)?;
        write_series(memtable, by_series, &mut writer)?;
        written.extend(writer.finish()?);
    }
    Ok(())
}

fn write_series<V: Lane>(
    memtable: &Memtable,
    mut by_series: HashMap<SeriesRef, Vec<(i64, V)>>,
    writer: &mut LaneWriter<V>,
) -> Result<()> {
    let order = memtable.head().order();
    let in_order: Vec<SeriesRef> = order
        .sorted()
        .iter()
        .copied()
        .filter(|series| by_series.contains_key(series))
        .collect();
    for portion in in_order.chunks(SERIES_PER_PORTION) {
        let mut labels = Vec::with_capacity(portion.len());
        memtable
            .head()
            .for_each(portion.iter().copied(), |series, id, set| {
                labels.push((series, id, Arc::new(set)))
            });
        for (series, id, set) in labels {
            let mut rows = by_series.remove(&series).unwrap_or_default();
            settle(&mut rows);
            writer.push(id, set, rows)?;
        }
    }
    Ok(())
}

//! The rollup that a new one takes the place of, read series by series: what it has of rows that are gone is carried over.

use std::path::PathBuf;
use std::sync::Arc;

use barograph_model::SeriesId;

use super::{Bucket, RollupWidth};
use crate::index::StorageKey;
use crate::segment::{RollupStream, SegmentMeta, SeriesRow, SeriesTable};
use crate::tombstone::{Mask, Tombstones};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Where a series stands in the order of all.
pub(crate) type Place = (StorageKey, SeriesId);

/// Files of one age, which share no series, one after the other. At any time one series is at hand.
pub(crate) struct Carried {
    vfs: Arc<dyn Vfs>,
    width: RollupWidth,
    /// those not opened yet, the last one first
    rest: Vec<(SegmentMeta, Mask)>,
    stream: Option<(RollupStream, Mask, String)>,
    series: Option<(Place, SeriesRow)>,
    buckets: Vec<Bucket>,
}

impl Carried {
    pub(crate) fn open(
        vfs: &Arc<dyn Vfs>,
        width: RollupWidth,
        segments: &[SegmentMeta],
        tombstones: &Tombstones,
    ) -> Result<Self> {
        let mut rest = Vec::with_capacity(segments.len());
        for meta in segments {
            let first = match segments.len() {
                1 => None,
                _ => SeriesTable::open(vfs, meta)?.next().transpose()?,
            };
            let place = first.map(|series| (StorageKey::of(&series.labels), series.id));
            rest.push((place, meta.clone(), tombstones.mask(meta)));
        }
        rest.sort_by(|a, b| b.0.cmp(&a.0));
        let mut carried = Self {
            vfs: Arc::clone(vfs),
            width,
            rest: rest.into_iter().map(|(_, meta, mask)| (meta, mask)).collect(),
            stream: None,
            series: None,
            buckets: Vec::new(),
        };
        carried.advance()?;
        Ok(carried)
    }

    /// Where the series at hand stands; `None` behind the last.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.series.as_ref().map(|(place, _)| place)
    }

    /// The series at hand with its buckets, but for those that overlap a delete. Goes to the next one.
    pub(crate) fn take(&mut self) -> Result<Option<(SeriesRow, Vec<Bucket>)>> {
        let Some((_, series)) = self.series.take() else {
            return Ok(None);
        };
        let buckets = std::mem::take(&mut self.buckets);
        self.advance()?;
        Ok(Some((series, buckets)))
    }

    fn advance(&mut self) -> Result<()> {
        let before = self.series.take().map(|(place, _)| place);
        loop {
            if let Some((stream, mask, name)) = &mut self.stream
                && let Some(series) = stream.next_series(&mut self.buckets)?
            {
                let place = (StorageKey::of(&series.labels), series.id);
                // What is written relies on it, and would be a file that readers cannot use.
                if before.as_ref().is_some_and(|before| *before >= place) {
                    return Err(EngineError::Corrupt {
                        path: PathBuf::from(format!("{name}.series.parquet")),
                        offset: 0,
                        expected: "series in storage order, each once".to_owned(),
                        found: format!("{} too late", series.id),
                    });
                }
                drop_deleted(mask, self.width, series.id, &mut self.buckets);
                self.series = Some((place, series));
                return Ok(());
            }
            let Some((meta, mask)) = self.rest.pop() else {
                self.stream = None;
                return Ok(());
            };
            self.stream = Some((RollupStream::open(&self.vfs, &meta)?, mask, meta.name));
        }
    }
}

/// Takes out the buckets of a series that overlap a delete: what of their rows is left nobody knows.
fn drop_deleted(mask: &Mask, width: RollupWidth, id: SeriesId, buckets: &mut Vec<Bucket>) {
    mask.for_each_range(id, |range| {
        let deleted = width.end_of(range.start.0)..=width.end_of(range.end.0);
        buckets.retain(|bucket| !deleted.contains(&bucket.end));
    });
}

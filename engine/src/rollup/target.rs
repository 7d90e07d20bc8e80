//! One rollup of a day on its way to files: buckets are made of the rows as these come by, and put together with what is
//! carried over.
//!
//! Of each series there is an instant from which on all rows are there. A bucket that begins there or later is made of
//! the rows; an earlier one comes from the rollup before, or is left out when there was none.
//!
//! Memory: the buckets of one series, a row group, and the table of series of one file.

use std::sync::Arc;

use barograph_model::{Labels, SeriesId};

use super::carried::{Carried, Place};
use super::{Accumulator, Bucket, RollupWidth};
use crate::compaction::Budget;
use crate::index::StorageKey;
use crate::segment::{RollupWriter, SegmentMeta};
use crate::vfs::Vfs;
use crate::{EngineError, Result, files};

/// Bytes after which the system is asked to have written them: a sync of the log then never waits for a whole segment.
const SYNC_EVERY_BYTES: u64 = 16 << 20;

/// Series between two looks at whether the store closes.
const SERIES_PER_LOOK: usize = 256;

/// From which instant on something is kept of a series.
pub(super) type OldestOf<'a> = dyn Fn(&Labels) -> i64 + 'a;

/// How the files of a rollup begin, and when one is full.
pub(super) struct Shape {
    /// what all files have in common; the name is that of the first
    pub(super) begin: SegmentMeta,
    pub(super) budget: Budget,
    pub(super) rows_max: u64,
}

/// One rollup that is being made.
pub(super) struct Target<'a> {
    vfs: Arc<dyn Vfs>,
    width: RollupWidth,
    carried: Carried,
    /// the first instant of which all rows of a series are among those that come by
    rows_from: &'a OldestOf<'a>,
    /// the first instant of which buckets of a series are kept
    kept_from: Box<OldestOf<'a>>,
    current: Option<Current>,
    accumulator: Accumulator,
    buckets: Vec<Bucket>,
    shape: Shape,
    writer: Option<RollupWriter>,
    parts: usize,
    done: Vec<SegmentMeta>,
}

/// The series whose rows come by.
struct Current {
    place: Place,
    labels: Arc<Labels>,
}

impl<'a> Target<'a> {
    pub(super) fn new(
        vfs: &Arc<dyn Vfs>,
        width: RollupWidth,
        carried: Carried,
        rows_from: &'a OldestOf<'a>,
        kept_from: Box<OldestOf<'a>>,
        shape: Shape,
    ) -> Self {
        Self {
            vfs: Arc::clone(vfs),
            width,
            carried,
            rows_from,
            kept_from,
            current: None,
            accumulator: Accumulator::new(width),
            buckets: Vec::new(),
            shape,
            writer: None,
            parts: 0,
            done: Vec::new(),
        }
    }

    /// Adds rows of a series, which is the one before or comes behind it in storage order.
    pub(super) fn push(
        &mut self,
        id: SeriesId,
        labels: &Arc<Labels>,
        ts: &[i64],
        values: &[f64],
    ) -> Result<()> {
        if self.current.as_ref().is_none_or(|current| current.place.1 != id) {
            self.end_series()?;
            self.current = Some(Current {
                place: (StorageKey::of(labels), id),
                labels: Arc::clone(labels),
            });
        }
        self.accumulator.push(ts, values, &mut self.buckets);
        Ok(())
    }

    /// Writes the series at hand, and those that are only carried over and stand before it.
    fn end_series(&mut self) -> Result<()> {
        let Some(Current { place, labels }) = self.current.take() else {
            return Ok(());
        };
        self.accumulator.finish(&mut self.buckets);
        let made = std::mem::take(&mut self.buckets);
        while self.carried.place().is_some_and(|carried| *carried < place) {
            self.carry_series()?;
        }
        let mut buckets = match self.carried.place() == Some(&place) {
            true => self.carried.take()?.map_or_else(Vec::new, |(_, buckets)| buckets),
            false => Vec::new(),
        };
        let rows_from = (self.rows_from)(&labels);
        let is_made = |bucket: &Bucket| self.width.first_of(bucket.end) >= rows_from;
        buckets.retain(|bucket| !is_made(bucket));
        buckets.extend(made.into_iter().filter(is_made));
        self.write(place.1, &labels, buckets)
    }

    /// Writes a series of which no rows are left.
    fn carry_series(&mut self) -> Result<()> {
        let Some((series, mut buckets)) = self.carried.take()? else {
            return Ok(());
        };
        let rows_from = (self.rows_from)(&series.labels);
        buckets.retain(|bucket| self.width.first_of(bucket.end) < rows_from);
        self.write(series.id, &series.labels, buckets)
    }

    fn write(&mut self, id: SeriesId, labels: &Arc<Labels>, mut buckets: Vec<Bucket>) -> Result<()> {
        let kept_from = (self.kept_from)(labels);
        buckets.retain(|bucket| self.width.first_of(bucket.end) >= kept_from);
        if buckets.is_empty() {
            return Ok(());
        }
        let (rows_max, heap_max) = (self.shape.rows_max, self.shape.budget.series_heap_bytes_max);
        let is_full =
            |writer: &mut RollupWriter| writer.rows() >= rows_max || writer.series_heap_bytes() >= heap_max;
        if let Some(full) = self.writer.take_if(is_full) {
            self.done.extend(full.finish()?);
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.next_file()?,
        };
        let result = writer.push(id, labels, &buckets);
        self.writer = Some(writer);
        result
    }

    fn next_file(&mut self) -> Result<RollupWriter> {
        let meta = self.part(self.parts);
        self.parts += 1;
        let mut writer = RollupWriter::create(&self.vfs, meta, self.shape.budget.row_group_rows)?;
        writer.sync_every(SYNC_EVERY_BYTES);
        Ok(writer)
    }

    /// Writes the rest and syncs the last file; gives all of them. The names of the files are not synced. `stop` is asked
    /// now and then whether to call it off.
    pub(super) fn finish(&mut self, stop: &dyn Fn() -> bool) -> Result<Vec<SegmentMeta>> {
        self.end_series()?;
        let mut series = 0;
        while self.carried.place().is_some() {
            if series % SERIES_PER_LOOK == 0 && stop() {
                return Err(EngineError::Closing);
            }
            series += 1;
            self.carry_series()?;
        }
        if let Some(writer) = self.writer.take() {
            self.done.extend(writer.finish()?);
        }
        Ok(self.done.clone())
    }

    /// Removes what was written.
    pub(super) fn abandon(mut self) {
        drop(self.writer.take());
        for part in 0..self.parts {
            files::remove(&self.vfs, self.part(part).paths());
        }
    }

    /// The first file has the name as it was given, the others a number behind it.
    fn part(&self, part: usize) -> SegmentMeta {
        let mut meta = self.shape.begin.clone();
        if part > 0 {
            meta.name = format!("{}-{part}", meta.name);
        }
        meta
    }
}

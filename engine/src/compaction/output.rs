//! The result of a merge: one segment, or several that share no series when it is large.

use std::sync::Arc;

use barograph_model::{Labels, SeriesId};

use super::budget::Budget;
use crate::segment::{SegmentMeta, SegmentWriter};
use crate::vfs::Vfs;
use crate::{Result, files};

/// Bytes after which the system is asked to have written them: a sync of the log then never waits for a whole segment.
const SYNC_EVERY_BYTES: u64 = 16 << 20;

/// Writes the files of one merge.
pub(super) struct Output {
    vfs: Arc<dyn Vfs>,
    /// what all files have in common; the name is that of the first
    begin: SegmentMeta,
    budget: Budget,
    rows_max: u64,
    writer: Option<SegmentWriter>,
    series: Option<SeriesId>,
    parts: usize,
    done: Vec<SegmentMeta>,
}

impl Output {
    /// A result without rows. Files are cut between two series when they have `rows_max` rows, or when their table of
    /// series has filled its share of memory.
    pub(super) fn new(vfs: &Arc<dyn Vfs>, begin: SegmentMeta, budget: Budget, rows_max: u64) -> Self {
        Self {
            vfs: Arc::clone(vfs),
            begin,
            budget,
            rows_max,
            writer: None,
            series: None,
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
        if ts.is_empty() {
            return Ok(());
        }
        let is_full = |writer: &mut SegmentWriter| {
            writer.rows() >= self.rows_max || writer.series_heap_bytes() >= self.budget.series_heap_bytes_max
        };
        if self.series != Some(id) {
            if let Some(full) = self.writer.take_if(is_full) {
                self.done.extend(full.finish()?);
            }
            self.series = Some(id);
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.next_file()?,
        };
        let result = writer.push(id, labels, ts, values);
        self.writer = Some(writer);
        result
    }

    fn next_file(&mut self) -> Result<SegmentWriter> {
        let meta = self.part(self.parts);
        self.parts += 1;
        let mut writer = SegmentWriter::new(&self.vfs, meta, self.budget.row_group_rows);
        writer.sync_every(SYNC_EVERY_BYTES);
        Ok(writer)
    }

    /// Syncs the last file; gives all of them. The names of the files are not synced.
    pub(super) fn finish(&mut self) -> Result<Vec<SegmentMeta>> {
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
        let mut meta = self.begin.clone();
        if part > 0 {
            meta.name = format!("{}-{part}", meta.name);
        }
        meta
    }
}

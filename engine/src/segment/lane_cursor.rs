//! Reads chosen series out of a segment of a lane, in the order they lie there.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection};

use super::Segment;
use super::file_writer::at;
use crate::lanes::Lane;
use crate::{EngineError, Result};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1 << 10;

/// A reader that moves forward through a segment of a lane. Places must be asked for ascending, each at most once.
pub(crate) struct LaneCursor<V: Lane> {
    segment: Arc<Segment>,
    reader: ParquetRecordBatchReader,
    batch: Option<(V::Columns, usize)>,
    row: usize,
}

impl<V: Lane> LaneCursor<V> {
    /// A cursor over some places, given ascending; `None` where there are none.
    pub(crate) fn open(
        segment: &Arc<Segment>,
        places: impl IntoIterator<Item = u32>,
    ) -> Result<Option<Self>> {
        debug_assert_eq!(segment.meta.kind, V::KIND);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for range in places.into_iter().map(|place| segment.rows_of(place)) {
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        if ranges.is_empty() {
            return Ok(None);
        }
        let (rows, path) = (segment.meta.rows as usize, segment.meta.samples_path());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            segment.samples.clone(),
            segment.samples_footer.clone(),
        )
        .with_batch_size(BATCH_ROWS);
        if ranges[0] != (0..rows) {
            let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), rows);
            builder = builder.with_row_selection(selection);
        }
        let reader = builder.build().map_err(at(&path))?;
        Ok(Some(Self {
            segment: Arc::clone(segment),
            reader,
            batch: None,
            row: 0,
        }))
    }

    /// Appends the rows of a place.
    pub(crate) fn take(&mut self, place: u32, rows: &mut Vec<(i64, V)>) -> Result<()> {
        let mut wanted = self.segment.rows_of(place).len();
        while wanted > 0 {
            let Some((columns, len)) = self.batch.as_ref().filter(|(_, len)| self.row < *len) else {
                self.next_batch()?;
                continue;
            };
            let end = (self.row + wanted).min(*len);
            wanted -= end - self.row;
            for row in self.row..end {
                rows.push(V::row(columns, row).map_err(|found| self.corrupt(found))?);
            }
            self.row = end;
        }
        Ok(())
    }

    fn next_batch(&mut self) -> Result<()> {
        let path = self.segment.meta.samples_path();
        let batch = match self.reader.next() {
            Some(batch) => batch.map_err(|error| at(&path)(error.into()))?,
            None => return Err(self.corrupt("the end of the file before the last row".to_owned())),
        };
        let columns = V::columns(&batch).ok_or_else(|| self.corrupt("columns of other types".to_owned()))?;
        self.batch = Some((columns, batch.num_rows()));
        self.row = 0;
        Ok(())
    }

    fn corrupt(&self, found: String) -> EngineError {
        EngineError::Corrupt {
            path: PathBuf::from(self.segment.meta.samples_path()),
            offset: 0,
            expected: format!("{} sound rows", self.segment.meta.rows),
            found,
        }
    }
}

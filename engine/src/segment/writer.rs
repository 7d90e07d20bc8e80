//! Writes a segment, series by series.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampMillisecondArray};
use barograph_model::{Labels, SeriesId, is_stale};

use super::SegmentMeta;
use super::decimal::DecimalColumns;
use super::file_writer::{FileWriter, at};
use super::schema::{FLAG_STALE, samples_properties, samples_schema};
use super::seal::seal;
use super::series_file::SeriesRow;
use crate::Result;
use crate::vfs::Vfs;

/// Rows gathered before they are encoded.
const BATCH_ROWS: usize = 1 << 16;

/// Takes series in storage order and leaves three synced files. Memory: one row group and the series table.
pub(crate) struct SegmentWriter {
    vfs: Arc<dyn Vfs>,
    meta: SegmentMeta,
    samples: FileWriter,
    series: Vec<SeriesRow>,
    series_heap_bytes: usize,
    ids: Vec<i64>,
    ts: Vec<i64>,
    values: DecimalColumns,
    flags: Vec<i32>,
}

impl SegmentWriter {
    /// Begins the segment that `meta` describes: its rows and files are filled in.
    pub(crate) fn create(vfs: &Arc<dyn Vfs>, meta: SegmentMeta, row_group_rows: usize) -> Result<Self> {
        let properties = samples_properties(row_group_rows, &meta);
        let samples = FileWriter::create(vfs, meta.samples_path(), samples_schema(), properties)?;
        Ok(Self {
            vfs: Arc::clone(vfs),
            meta,
            samples,
            series: Vec::new(),
            series_heap_bytes: 0,
            ids: Vec::new(),
            ts: Vec::new(),
            values: DecimalColumns::default(),
            flags: Vec::new(),
        })
    }

    /// Lets the system write in steps instead of all at once at the end, which would make the log's syncs wait.
    pub(crate) fn sync_every(&mut self, bytes: u64) {
        self.samples.sync_every(bytes);
    }

    /// Adds rows of a series, ascending in time without repeats. A long series may come in parts, one directly after
    /// the other. Nothing happens where there is no row.
    pub(crate) fn push(
        &mut self,
        id: SeriesId,
        labels: &Arc<Labels>,
        ts: &[i64],
        values: &[f64],
    ) -> Result<()> {
        let (Some(first), Some(last)) = (ts.first(), ts.last()) else {
            return Ok(());
        };
        debug_assert!(ts.len() == values.len() && ts.windows(2).all(|w| w[0] < w[1]));
        match self.series.last_mut().filter(|row| row.id == id) {
            Some(row) => {
                debug_assert!(row.ts_max < *first);
                row.rows += ts.len() as u64;
                row.ts_max = *last;
            }
            None => {
                self.series_heap_bytes += size_of::<SeriesRow>() + size_of::<Labels>() + labels.heap_bytes();
                self.series.push(SeriesRow {
                    id,
                    labels: Arc::clone(labels),
                    first_row: self.meta.rows,
                    rows: ts.len() as u64,
                    ts_min: *first,
                    ts_max: *last,
                });
            }
        }
        self.meta.rows += ts.len() as u64;
        self.meta.ts_min = self.meta.ts_min.min(*first);
        self.meta.ts_max = self.meta.ts_max.max(*last);
        self.ids.resize(self.ids.len() + ts.len(), id.0);
        self.ts.extend_from_slice(ts);
        self.values.push_series(values);
        self.flags
            .extend(values.iter().map(|v| if is_stale(*v) { FLAG_STALE } else { 0 }));
        if self.ts.len() >= BATCH_ROWS {
            self.write_batch()
        } else {
            Ok(())
        }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.meta.rows
    }

    /// Memory that the table of series takes so far.
    pub(crate) fn series_heap_bytes(&self) -> usize {
        self.series_heap_bytes
    }

    /// Writes the series file and the sidecar and syncs all; the folder's names are left to the caller. `None` without rows: the
    /// empty file is removed.
    pub(crate) fn finish(mut self) -> Result<Option<SegmentMeta>> {
        self.write_batch()?;
        seal(&self.vfs, self.meta, self.samples, &self.series)
    }

    fn write_batch(&mut self) -> Result<()> {
        if self.ts.is_empty() {
            return Ok(());
        }
        let values = std::mem::take(&mut self.values);
        let ts = TimestampMillisecondArray::from(std::mem::take(&mut self.ts)).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(std::mem::take(&mut self.ids))),
            Arc::new(ts),
            Arc::new(Int64Array::from(values.mantissas)),
            Arc::new(Int32Array::from(values.exponents)),
            Arc::new(Float64Array::from(values.floats)),
            Arc::new(Int32Array::from(std::mem::take(&mut self.flags))),
        ];
        let path = self.meta.samples_path();
        let batch = RecordBatch::try_new(samples_schema(), columns).map_err(|e| at(&path)(e.into()))?;
        self.samples.write(&batch)
    }
}

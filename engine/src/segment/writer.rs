//! Writes a segment, series by series.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampMillisecondArray};
use barograph_model::{Labels, SeriesId, is_stale};

use super::SegmentMeta;
use super::decimal::DecimalColumns;
use super::file_writer::{FileWriter, at};
use super::instants::InstantEncoding;
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
    row_group_rows: usize,
    sync_every_bytes: u64,
    /// none until the first rows have told how their instants are best kept
    samples: Option<FileWriter>,
    series: Vec<SeriesRow>,
    series_heap_bytes: usize,
    ids: Vec<i64>,
    ts: Vec<i64>,
    values: DecimalColumns,
    flags: Vec<i32>,
}

impl SegmentWriter {
    /// Begins the segment that `meta` describes: its rows and files are filled in. There is no file before there are rows.
    pub(crate) fn new(vfs: &Arc<dyn Vfs>, meta: SegmentMeta, row_group_rows: usize) -> Self {
        Self {
            vfs: Arc::clone(vfs),
            meta,
            row_group_rows,
            sync_every_bytes: u64::MAX,
            samples: None,
            series: Vec::new(),
            series_heap_bytes: 0,
            ids: Vec::new(),
            ts: Vec::new(),
            values: DecimalColumns::default(),
            flags: Vec::new(),
        }
    }

    /// Lets the system write in steps instead of all at once at the end, which would make the log's syncs wait.
    pub(crate) fn sync_every(&mut self, bytes: u64) {
        self.sync_every_bytes = bytes;
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

    /// Writes the series file and the sidecar and syncs all; the folder's names are left to the caller. `None` without rows.
    pub(crate) fn finish(mut self) -> Result<Option<SegmentMeta>> {
        self.write_batch()?;
        match self.samples {
            Some(samples) => seal(&self.vfs, self.meta, samples, &self.series),
            None => Ok(None),
        }
    }

    fn write_batch(&mut self) -> Result<()> {
        if self.ts.is_empty() {
            return Ok(());
        }
        let values = std::mem::take(&mut self.values);
        let ts = TimestampMillisecondArray::from(std::mem::take(&mut self.ts)).with_timezone("UTC");
        let mut samples = match self.samples.take() {
            Some(samples) => samples,
            None => self.create(&ts)?,
        };
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
        let written = samples.write(&batch);
        self.samples = Some(samples);
        written
    }

    /// Makes the file, whose first instants are these.
    fn create(&self, instants: &TimestampMillisecondArray) -> Result<FileWriter> {
        let path = self.meta.samples_path();
        let encoding = InstantEncoding::of(instants).map_err(at(&path))?;
        let properties = samples_properties(self.row_group_rows, &self.meta, encoding);
        let mut samples = FileWriter::create(&self.vfs, path, samples_schema(), properties)?;
        samples.sync_every(self.sync_every_bytes);
        Ok(samples)
    }
}

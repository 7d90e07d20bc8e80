//! Reads a whole segment from its first row to its last, series by series, in little memory: what merges are made of.
//!
//! Knows nothing of open segments, of the head or of indexes: only of the two files. Both are summed before anything is
//! read from them, so that a merge never gives damaged rows a new and valid checksum.

use std::sync::Arc;

use barograph_model::TimeRange;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::PageIndexPolicy;

use super::SegmentMeta;
use super::file_writer::at;
use super::label_sets::read_sets;
use super::pages::SamplePages;
use super::schema::PAGE_SERIES;
use super::sealed::check;
use super::series_file::{SeriesRow, read_batch};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Rows given at a time.
const BATCH_ROWS: usize = 1 << 12;

/// Series decoded at a time: a page. The label sets that they name lie close together, and are read once a batch.
const BATCH_SERIES: usize = PAGE_SERIES;

/// The rows of a series file, one after the other. Memory: a page of each column, twice of labels, and its rows.
pub(crate) struct SeriesTable {
    path: String,
    bytes: Bytes,
    footer: ArrowReaderMetadata,
    reader: ParquetRecordBatchReader,
    /// rows of the batch at hand
    rows: Vec<SeriesRow>,
    next: usize,
    /// which row of the file the first of `rows` is
    start: u64,
}

impl SeriesTable {
    /// Opens the series file of a segment and checks its length and sum.
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta) -> Result<Self> {
        let path = meta.series_path();
        let bytes = read_checked(vfs, &path, meta.series_bytes, meta.series_crc32c)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let footer = ArrowReaderMetadata::load(&bytes, options).map_err(at(&path))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), footer.clone())
            .with_batch_size(BATCH_SERIES)
            .build()
            .map_err(at(&path))?;
        Ok(Self {
            path,
            bytes,
            footer,
            reader,
            rows: Vec::new(),
            next: 0,
            start: 0,
        })
    }

    fn next_row(&mut self) -> Result<Option<SeriesRow>> {
        while self.next >= self.rows.len() {
            let Some(batch) = self.reader.next() else {
                return Ok(None);
            };
            let batch = batch.map_err(|e| at(&self.path)(e.into()))?;
            self.start += self.rows.len() as u64;
            let sets = |places: &[u32]| read_sets(&self.path, &self.bytes, &self.footer, places);
            self.rows = read_batch(&self.path, &batch, self.start, self.rows.last(), sets)?;
            self.next = 0;
        }
        self.next += 1;
        Ok(Some(self.rows[self.next - 1].clone()))
    }
}

impl Iterator for SeriesTable {
    type Item = Result<SeriesRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

/// A segment that is read in storage order. At any time it stands at a series, some of whose rows were taken.
pub(crate) struct SegmentStream {
    table: SeriesTable,
    samples: SamplePages<Bytes>,
    series: Option<SeriesRow>,
    /// rows of the series that were not taken
    left: u64,
    /// the first of them
    row: usize,
}

impl SegmentStream {
    /// Opens both files, checks their lengths and sums, and stands at the first series.
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta) -> Result<Self> {
        let table = SeriesTable::open(vfs, meta)?;
        let path = meta.samples_path();
        let bytes = read_checked(vfs, &path, meta.samples_bytes, meta.samples_crc32c)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let footer = ArrowReaderMetadata::load(&bytes, options).map_err(at(&path))?;
        check(
            &path,
            footer.metadata().file_metadata().num_rows() as u64,
            meta.rows,
            "rows",
        )?;
        let mut stream = Self {
            samples: SamplePages::open(&path, &bytes, &footer)?,
            table,
            series: None,
            left: 0,
            row: 0,
        };
        stream.advance()?;
        Ok(stream)
    }

    /// The series at hand; `None` behind the last one.
    pub(crate) fn series(&self) -> Option<&SeriesRow> {
        self.series.as_ref()
    }

    /// Goes to the next series, past rows of this one that were not taken.
    pub(crate) fn advance(&mut self) -> Result<()> {
        self.row += usize::try_from(self.left).unwrap_or(usize::MAX);
        self.series = self.table.next().transpose()?;
        self.left = self.series.as_ref().map_or(0, |series| series.rows);
        Ok(())
    }

    /// Appends some of the rows of the series at hand to `ts` and `values`, in order of time; `false` when there are
    /// no more.
    pub(crate) fn take(&mut self, ts: &mut Vec<i64>, values: &mut Vec<f64>) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(BATCH_ROWS);
        let rows = self.row..self.row + count;
        self.samples.read(rows, TimeRange::ALL, ts, values)?;
        self.row += count;
        self.left -= count as u64;
        Ok(true)
    }
}

/// The bytes of a file, which are what the manifest says.
pub(super) fn read_checked(vfs: &Arc<dyn Vfs>, path: &str, len: u64, crc32c: u32) -> Result<Bytes> {
    let bytes = vfs.read(path).map_err(EngineError::io("read", path))?;
    check(path, bytes.len() as u64, len, "bytes")?;
    let found = crc32c::crc32c(&bytes);
    check(path, u64::from(found), u64::from(crc32c), "as its CRC-32C")?;
    Ok(bytes)
}

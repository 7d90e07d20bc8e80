//! Reads a whole segment from its first row to its last, series by series, in little memory: what merges are made of.
//!
//! Knows nothing of open segments, of the head or of indexes: only of the two files. Both are summed before anything is
//! read from them, so that a merge never gives damaged rows a new and valid checksum.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::PageIndexPolicy;

use super::SegmentMeta;
use super::file_writer::at;
use super::label_sets::read_sets;
use super::reader::Decoded;
use super::schema::PAGE_SERIES;
use super::sealed::check;
use super::series_file::{SeriesRow, read_batch};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Rows decoded at a time.
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
    path: String,
    rows: u64,
    table: SeriesTable,
    samples: ParquetRecordBatchReader,
    series: Option<SeriesRow>,
    /// rows of the series that were not taken
    left: u64,
    batch: Option<Decoded>,
    row: usize,
}

impl SegmentStream {
    /// Opens both files, checks their lengths and sums, and stands at the first series.
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta) -> Result<Self> {
        let table = SeriesTable::open(vfs, meta)?;
        let path = meta.samples_path();
        let bytes = read_checked(vfs, &path, meta.samples_bytes, meta.samples_crc32c)?;
        let footer = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).map_err(at(&path))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, footer);
        let columns = ProjectionMask::columns(builder.parquet_schema(), ["ts", "vm", "ve", "vf"]);
        let samples = builder
            .with_projection(columns)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(at(&path))?;
        let mut stream = Self {
            path,
            rows: meta.rows,
            table,
            samples,
            series: None,
            left: 0,
            batch: None,
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
        while self.left > 0 {
            let rows = self.batch_rows()?;
            self.row += rows;
            self.left -= rows as u64;
        }
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
        let rows = self.batch_rows()?;
        let range = self.row..self.row + rows;
        let found = self.batch.as_ref().and_then(|batch| {
            ts.extend_from_slice(&batch.ts.values()[range.clone()]);
            batch.append_values(range, values)
        });
        found.ok_or_else(|| self.corrupt("an exponent above 22"))?;
        self.row += rows;
        self.left -= rows as u64;
        Ok(true)
    }

    /// Sees to it that rows are decoded; gives how many of them belong to the series at hand, at least one.
    fn batch_rows(&mut self) -> Result<usize> {
        loop {
            let decoded = self.batch.as_ref().map_or(0, |batch| batch.ts.len());
            if self.row < decoded {
                let left = usize::try_from(self.left).unwrap_or(usize::MAX);
                return Ok(left.min(decoded - self.row));
            }
            let batch = match self.samples.next() {
                Some(batch) => batch.map_err(|e| at(&self.path)(e.into()))?,
                None => return Err(self.corrupt("the end of the file before the last row")),
            };
            self.batch = Some(Decoded::new(&batch).ok_or_else(|| self.corrupt("columns of other types"))?);
            self.row = 0;
        }
    }

    fn corrupt(&self, found: &str) -> EngineError {
        EngineError::Corrupt {
            path: PathBuf::from(&self.path),
            offset: 0,
            expected: format!("{} rows of samples", self.rows),
            found: found.to_owned(),
        }
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

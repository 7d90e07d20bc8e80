//! Reads the buckets of a segment: those of chosen series for a scan, or all of them to make a rollup anew.

use std::path::PathBuf;
use std::sync::Arc;

use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::file_writer::at;
use super::pages::BucketPages;
use super::series_file::SeriesRow;
use super::stream::{SeriesTable, read_checked};
use super::verified::VerifiedBytes;
use super::{Segment, SegmentMeta};
use crate::rollup::{Bucket, BucketColumns, BucketParts};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1 << 12;

/// Buckets one after the other.
struct Rows {
    path: String,
    reader: ParquetRecordBatchReader,
    batch: Option<BucketColumns>,
    row: usize,
}

impl Rows {
    /// Appends the next so many buckets.
    fn take(&mut self, mut wanted: usize, buckets: &mut Vec<Bucket>) -> Result<()> {
        while wanted > 0 {
            let Some(columns) = self.batch.as_ref().filter(|columns| self.row < columns.len()) else {
                self.next_batch()?;
                continue;
            };
            let end = (self.row + wanted).min(columns.len());
            wanted -= end - self.row;
            for row in self.row..end {
                buckets.push(columns.row(row).map_err(|found| self.corrupt(found))?);
            }
            self.row = end;
        }
        Ok(())
    }

    fn next_batch(&mut self) -> Result<()> {
        let batch = match self.reader.next() {
            Some(batch) => batch.map_err(|error| at(&self.path)(error.into()))?,
            None => return Err(self.corrupt("the end of the file before the last row".to_owned())),
        };
        let columns = BucketColumns::new(&batch);
        self.batch = Some(columns.ok_or_else(|| self.corrupt("columns of other types".to_owned()))?);
        self.row = 0;
        Ok(())
    }

    fn corrupt(&self, found: String) -> EngineError {
        EngineError::Corrupt {
            path: PathBuf::from(&self.path),
            offset: 0,
            expected: "sound rows, as many as the manifest says".to_owned(),
            found,
        }
    }
}

/// A reader that moves forward through an open segment of buckets. Places must be asked for ascending, each at most once.
/// Pages are read when rows of them are asked for.
pub(crate) struct RollupCursor {
    segment: Arc<Segment>,
    pages: BucketPages<VerifiedBytes>,
}

impl RollupCursor {
    /// A cursor before the first row.
    pub(crate) fn open(segment: &Arc<Segment>, parts: BucketParts) -> Result<Self> {
        debug_assert!(segment.meta.kind.width().is_some());
        let path = segment.meta.samples_path();
        let pages = BucketPages::open(&path, &segment.samples, &segment.samples_footer, parts)?;
        Ok(Self {
            segment: Arc::clone(segment),
            pages,
        })
    }

    /// Appends the buckets of a place.
    pub(crate) fn take(&mut self, place: u32, buckets: &mut Vec<Bucket>) -> Result<()> {
        self.pages.read(self.segment.rows_of(place), buckets)
    }
}

/// A whole segment of buckets, series by series, in little memory. As [`SegmentStream`](super::SegmentStream) it sums
/// both files before anything is read from them.
pub(crate) struct RollupStream {
    table: SeriesTable,
    rows: Rows,
}

impl RollupStream {
    /// Opens both files and checks their lengths and sums.
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta) -> Result<Self> {
        let table = SeriesTable::open(vfs, meta)?;
        let path = meta.samples_path();
        let bytes = read_checked(vfs, &path, meta.samples_bytes, meta.samples_crc32c)?;
        let footer = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).map_err(at(&path))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, footer)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(at(&path))?;
        Ok(Self {
            table,
            rows: Rows {
                path,
                reader,
                batch: None,
                row: 0,
            },
        })
    }

    /// The next series with its buckets, which replace those in `buckets`.
    pub(crate) fn next_series(&mut self, buckets: &mut Vec<Bucket>) -> Result<Option<SeriesRow>> {
        buckets.clear();
        let Some(series) = self.table.next().transpose()? else {
            return Ok(None);
        };
        let wanted = usize::try_from(series.rows).unwrap_or(usize::MAX);
        self.rows.take(wanted, buckets)?;
        Ok(Some(series))
    }
}

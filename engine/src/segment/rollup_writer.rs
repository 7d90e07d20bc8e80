//! Writes a segment of buckets, series by series.

use std::sync::Arc;

use barograph_model::{Labels, SeriesId};
use parquet::basic::Encoding;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::SegmentMeta;
use super::file_writer::{FileWriter, at};
use super::schema::{metadata, zstd};
use super::seal::seal;
use super::series_file::SeriesRow;
use crate::Result;
use crate::rollup::{Bucket, NUMBERS, PendingBuckets, schema};
use crate::vfs::Vfs;

/// Rows gathered before they are encoded.
const BATCH_ROWS: usize = 1 << 13;

/// Rows of a data page: a day has 288 buckets of five minutes of a series.
const PAGE_ROWS: usize = 4096;

/// Takes series in storage order and leaves three synced files. Memory: one row group and the series table.
pub(crate) struct RollupWriter {
    vfs: Arc<dyn Vfs>,
    meta: SegmentMeta,
    file: FileWriter,
    series: Vec<SeriesRow>,
    series_heap_bytes: usize,
    pending: PendingBuckets,
}

impl RollupWriter {
    /// Begins the segment that `meta` describes: its rows and files are filled in.
    pub(crate) fn create(vfs: &Arc<dyn Vfs>, meta: SegmentMeta, row_group_rows: usize) -> Result<Self> {
        debug_assert!(meta.kind.width().is_some() && meta.rows == 0);
        let properties = properties(row_group_rows, &meta);
        let file = FileWriter::create(vfs, meta.samples_path(), schema(), properties)?;
        Ok(Self {
            vfs: Arc::clone(vfs),
            meta,
            file,
            series: Vec::new(),
            series_heap_bytes: 0,
            pending: PendingBuckets::default(),
        })
    }

    /// Lets the system write in steps instead of all at once at the end, which would make the log's syncs wait.
    pub(crate) fn sync_every(&mut self, bytes: u64) {
        self.file.sync_every(bytes);
    }

    /// Adds all buckets of a series, their ends ascending. Nothing happens where there is none.
    pub(crate) fn push(&mut self, id: SeriesId, labels: &Arc<Labels>, buckets: &[Bucket]) -> Result<()> {
        debug_assert!(buckets.windows(2).all(|pair| pair[0].end < pair[1].end));
        let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else {
            return Ok(());
        };
        let (ts_min, ts_max) = (first.first_ts, last.stale_ts.unwrap_or(last.last_ts));
        self.series_heap_bytes += size_of::<SeriesRow>() + size_of::<Labels>() + labels.heap_bytes();
        self.series.push(SeriesRow {
            id,
            labels: Arc::clone(labels),
            first_row: self.meta.rows,
            rows: buckets.len() as u64,
            ts_min,
            ts_max,
        });
        self.meta.rows += buckets.len() as u64;
        self.meta.ts_min = self.meta.ts_min.min(ts_min);
        self.meta.ts_max = self.meta.ts_max.max(ts_max);
        self.pending.push_series(id, buckets);
        if self.pending.len() >= BATCH_ROWS {
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

    /// Writes the series file and the sidecar and syncs all; the folder's names are left to the caller. `None` without
    /// rows: the empty file is removed.
    pub(crate) fn finish(mut self) -> Result<Option<SegmentMeta>> {
        self.write_batch()?;
        seal(&self.vfs, self.meta, self.file, &self.series)
    }

    fn write_batch(&mut self) -> Result<()> {
        if self.pending.len() == 0 {
            return Ok(());
        }
        let path = self.meta.samples_path();
        let batch = self
            .pending
            .take_batch()
            .map_err(|error| at(&path)(error.into()))?;
        self.file.write(&batch)
    }
}

/// As the samples file is written: differences for what moves by similar steps, dictionaries for what hardly changes.
pub(super) fn properties(row_group_rows: usize, meta: &SegmentMeta) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(zstd())
        .set_max_row_group_row_count(Some(row_group_rows.max(1)))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(metadata(meta)));
    for column in ["series_id", "count", "resets", "changes", "ve"] {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(column), true);
    }
    for column in ["ts", "first_ts", "last_ts", "stale_ts"] {
        builder = builder.set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    for number in NUMBERS {
        let (mantissa, float) = (format!("{number}_m"), format!("{number}_f"));
        builder = builder
            .set_column_encoding(ColumnPath::from(mantissa), Encoding::DELTA_BINARY_PACKED)
            .set_column_encoding(ColumnPath::from(float), Encoding::BYTE_STREAM_SPLIT);
    }
    builder.build()
}

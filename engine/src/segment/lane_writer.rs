//! Writes a segment of a lane, series by series.

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
use crate::lanes::Lane;
use crate::vfs::Vfs;

/// Rows gathered before they are encoded.
const BATCH_ROWS: usize = 1 << 12;

/// Rows of a row group and of a data page: a row may be as large as hundreds of samples.
const GROUP_ROWS: usize = 1 << 16;
const PAGE_ROWS: usize = 1 << 10;

/// Takes series in storage order and leaves three synced files. Memory: one row group and the series table.
pub(crate) struct LaneWriter<V> {
    vfs: Arc<dyn Vfs>,
    meta: SegmentMeta,
    file: FileWriter,
    series: Vec<SeriesRow>,
    rows: Vec<(SeriesId, i64, V)>,
}

impl<V: Lane> LaneWriter<V> {
    /// Begins a segment of the lane's kind, which has no rows yet.
    pub(crate) fn create(vfs: &Arc<dyn Vfs>, meta: SegmentMeta) -> Result<Self> {
        debug_assert!(meta.kind == V::KIND && meta.rows == 0);
        let file = FileWriter::create(vfs, meta.samples_path(), V::schema(), properties(&meta))?;
        Ok(Self {
            vfs: Arc::clone(vfs),
            meta,
            file,
            series: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// Adds all rows of a series, ascending in time, none of them twice. Nothing happens where there is none.
    pub(crate) fn push(&mut self, id: SeriesId, labels: Arc<Labels>, rows: Vec<(i64, V)>) -> Result<()> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(());
        };
        let (ts_min, ts_max) = (first.0, last.0);
        self.series.push(SeriesRow {
            id,
            labels,
            first_row: self.meta.rows,
            rows: rows.len() as u64,
            ts_min,
            ts_max,
        });
        self.meta.rows += rows.len() as u64;
        self.meta.ts_min = self.meta.ts_min.min(ts_min);
        self.meta.ts_max = self.meta.ts_max.max(ts_max);
        self.rows
            .extend(rows.into_iter().map(|(ts, value)| (id, ts, value)));
        if self.rows.len() >= BATCH_ROWS {
            self.write_batch()
        } else {
            Ok(())
        }
    }

    /// Writes the series file and the sidecar and syncs all; the folder's names are left to the caller. `None` without
    /// rows: the empty file is removed.
    pub(crate) fn finish(mut self) -> Result<Option<SegmentMeta>> {
        self.write_batch()?;
        seal(&self.vfs, self.meta, self.file, &self.series)
    }

    fn write_batch(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let batch = V::to_batch(&rows).map_err(|error| at(&self.meta.samples_path())(error.into()))?;
        self.file.write(&batch)
    }
}

/// Dictionaries for what repeats, differences for what moves by similar steps. None for floats: a dictionary compares them
/// as numbers, and they are kept by their bits.
fn properties(meta: &SegmentMeta) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(zstd())
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(metadata(meta)));
    let spans = ["positive_spans", "negative_spans"];
    for column in ["series_id", "schema", "reset_hint", "flags"] {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(column), true);
    }
    for (column, field) in spans
        .iter()
        .flat_map(|column| [(column, "offset"), (column, "length")])
    {
        builder = builder.set_column_dictionary_enabled(path(&[column, "list", "item", field]), true);
    }
    for part in ["key", "value"] {
        builder = builder.set_column_dictionary_enabled(path(&["labels", "key_value", part]), true);
    }
    for column in ["ts", "created", "count", "zero_count"] {
        builder = builder.set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    for column in ["positive", "negative"] {
        builder = builder.set_column_encoding(path(&[column, "list", "item"]), Encoding::DELTA_BINARY_PACKED);
    }
    for column in ["sum", "zero_threshold", "count_float", "zero_count_float"] {
        builder = builder.set_column_encoding(ColumnPath::from(column), Encoding::BYTE_STREAM_SPLIT);
    }
    builder.build()
}

fn path(parts: &[&str]) -> ColumnPath {
    ColumnPath::new(parts.iter().map(|part| (*part).to_owned()).collect())
}

//! The labels of a series file, each set of them once.
//!
//! What is scraped has many metrics with the same labels: a pod has a dozen, each of which says anew which container,
//! image and node it is. Series are sorted by metric, so those repeats lie far apart, where no compression finds them.
//! So the metric has a column of its own, and of the series that differ in nothing else the first row has the labels.
//! The others name it in `target`; a row that has labels names itself.
//!
//! Until format 2 each row had all of its labels, the metric among them, and there was no `target`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, MapArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use barograph_model::{Labels, METRIC_NAME};
use hashbrown::HashTable;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::reader::ChunkReader;

use super::file_writer::at;
use super::series_file::SeriesRow;
use crate::{EngineError, Result};

/// Rows of a batch while reading.
const BATCH_ROWS: usize = 8192;

/// For each row the first one that differs from it in its metric at most.
pub(super) fn targets(rows: &[SeriesRow]) -> Vec<u32> {
    // Keyed anew each time, so that no sender can choose labels that collide.
    let state = RandomState::new();
    let others = |row: u32| {
        let labels = rows[row as usize].labels.iter();
        labels.filter(|(name, _)| *name != METRIC_NAME)
    };
    let hash = |row: u32| {
        let mut hasher = state.build_hasher();
        for (name, value) in others(row) {
            hasher.write(name.as_bytes());
            hasher.write_u8(0xff);
            hasher.write(value.as_bytes());
            hasher.write_u8(0xff);
        }
        hasher.finish()
    };
    let mut firsts: HashTable<(u64, u32)> = HashTable::new();
    (0..rows.len() as u32)
        .map(|row| {
            let of_row = hash(row);
            let is_same = |(hash, first): &(u64, u32)| *hash == of_row && others(*first).eq(others(row));
            if let Some((_, first)) = firsts.find(of_row, is_same) {
                return *first;
            }
            firsts.insert_unique(of_row, (of_row, row), |(hash, _)| *hash);
            row
        })
        .collect()
}

/// Whose labels a row has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LabelSet {
    /// All of them, the metric included.
    Here(Labels),
    /// Those of another row, but for the metric.
    Of(u32),
}

/// The columns of a batch that say which labels its rows have.
pub(super) struct LabelColumns<'a> {
    metrics: &'a StringArray,
    /// `None` in files of format 2
    targets: Option<&'a Int64Array>,
    maps: LabelMaps<'a>,
}

impl<'a> LabelColumns<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> std::result::Result<Self, String> {
        let targets = match batch.column_by_name("target") {
            None => None,
            Some(column) => Some(
                column
                    .as_primitive_opt::<Int64Type>()
                    .ok_or("targets are not whole numbers")?,
            ),
        };
        Ok(Self {
            metrics: metrics(batch)?,
            targets,
            maps: LabelMaps::of(batch)?,
        })
    }

    /// Whether rows name others' labels.
    pub(super) fn are_shared(&self) -> bool {
        self.targets.is_some()
    }

    /// The metric of a row of the batch.
    pub(super) fn metric(&self, row: usize) -> &'a str {
        self.metrics.value(row)
    }

    /// What row `row` of the batch, which is row `place` of the file, says.
    pub(super) fn set(&self, row: usize, place: u64) -> std::result::Result<LabelSet, String> {
        let Some(targets) = self.targets else {
            let set = self.maps.set(row)?.ok_or("a row without labels")?;
            return Ok(LabelSet::Here(set));
        };
        match (targets.value(row), self.maps.set(row)?) {
            (target, Some(set)) if target as u64 == place => {
                Ok(LabelSet::Here(set.with_metric(self.metric(row))))
            }
            (target, None) if (target as u64) < place => {
                u32::try_from(target).map(LabelSet::Of).map_err(|e| e.to_string())
            }
            (target, set) => {
                let has = if set.is_some() { "has" } else { "lacks" };
                Err(format!("row {place} {has} labels, and its target is {target}"))
            }
        }
    }
}

/// Reads the labels of some places, given ascending; nothing but the pages they lie in is decoded.
pub(super) fn read_labels<T: ChunkReader + Clone + 'static>(
    path: &str,
    bytes: &T,
    footer: &ArrowReaderMetadata,
    places: &[u32],
) -> Result<Vec<Arc<Labels>>> {
    let has_targets = footer.schema().column_with_name("target").is_some();
    if !has_targets {
        return read_sets(path, bytes, footer, places);
    }
    let batches = reader(path, bytes, footer, &["metric", "target"], places)?;
    let batches: Vec<RecordBatch> = batches
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| at(path)(e.into()))?;
    let mut targets = Vec::with_capacity(places.len());
    for batch in &batches {
        let of_batch = batch
            .column_by_name("target")
            .and_then(|c| c.as_primitive_opt::<Int64Type>());
        let of_batch = of_batch.ok_or_else(|| corrupt(path, "targets", "another type".to_owned()))?;
        for target in of_batch.values() {
            let place =
                u32::try_from(*target).map_err(|e| corrupt(path, "a row of the file", e.to_string()))?;
            targets.push(place);
        }
    }
    let mut wanted = targets.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let sets = read_sets(path, bytes, footer, &wanted)?;
    let mut found = Vec::with_capacity(places.len());
    let mut targets = targets.iter();
    for batch in &batches {
        let metrics = metrics(batch).map_err(|found| corrupt(path, "metrics", found))?;
        let of_batch = metrics.iter().zip(&mut targets).filter_map(|(metric, target)| {
            let set = sets.get(wanted.binary_search(target).ok()?)?;
            Some(Arc::new(set.with_metric(metric.unwrap_or_default())))
        });
        found.extend(of_batch);
    }
    all_of(path, places, found)
}

/// Reads the labels that stand in some rows, given ascending: without the metric where the format says so.
pub(super) fn read_sets<T: ChunkReader + Clone + 'static>(
    path: &str,
    bytes: &T,
    footer: &ArrowReaderMetadata,
    rows: &[u32],
) -> Result<Vec<Arc<Labels>>> {
    let mut sets = Vec::with_capacity(rows.len());
    let columns = ["labels.key_value.key", "labels.key_value.value"];
    for batch in reader(path, bytes, footer, &columns, rows)? {
        let batch = batch.map_err(|e| at(path)(e.into()))?;
        let maps = LabelMaps::of(&batch).map_err(|found| corrupt(path, "a map of labels", found))?;
        for i in 0..batch.num_rows() {
            let set = maps
                .set(i)
                .and_then(|set| set.ok_or_else(|| "nothing".to_owned()));
            let set = set.map_err(|found| corrupt(path, "a label set", found))?;
            sets.push(Arc::new(set));
        }
    }
    all_of(path, rows, sets)
}

/// A reader of some columns of some rows.
fn reader<T: ChunkReader + Clone + 'static>(
    path: &str,
    bytes: &T,
    footer: &ArrowReaderMetadata,
    columns: &[&str],
    rows: &[u32],
) -> Result<ParquetRecordBatchReader> {
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), footer.clone());
    let columns = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let total = footer.metadata().file_metadata().num_rows() as usize;
    if let Some(last) = rows.last().filter(|last| **last as usize >= total) {
        return Err(corrupt(
            path,
            &format!("{total} rows"),
            format!("a target of {last}"),
        ));
    }
    let ranges = rows.chunk_by(|a, b| a + 1 == *b).map(|run| {
        let start = run[0] as usize;
        start..start + run.len()
    });
    builder
        .with_projection(columns)
        .with_batch_size(BATCH_ROWS.min(rows.len().max(1)))
        .with_row_selection(RowSelection::from_consecutive_ranges(ranges, total))
        .build()
        .map_err(at(path))
}

fn metrics(batch: &RecordBatch) -> std::result::Result<&StringArray, String> {
    let column = batch
        .column_by_name("metric")
        .and_then(|c| c.as_string_opt::<i32>());
    column.ok_or_else(|| "metrics are not text".to_owned())
}

fn all_of(path: &str, asked: &[u32], found: Vec<Arc<Labels>>) -> Result<Vec<Arc<Labels>>> {
    if found.len() == asked.len() {
        return Ok(found);
    }
    let expected = format!("labels of {} series", asked.len());
    Err(corrupt(path, &expected, format!("{} of them", found.len())))
}

pub(super) fn corrupt(path: &str, expected: &str, found: String) -> EngineError {
    EngineError::Corrupt {
        path: PathBuf::from(path),
        offset: 0,
        expected: expected.to_owned(),
        found,
    }
}

/// The map column of a batch.
struct LabelMaps<'a> {
    maps: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
}

impl<'a> LabelMaps<'a> {
    fn of(batch: &'a RecordBatch) -> std::result::Result<Self, String> {
        let maps = batch
            .column_by_name("labels")
            .and_then(|c| c.as_map_opt())
            .ok_or("labels are not a map")?;
        Ok(Self {
            maps,
            keys: maps
                .keys()
                .as_string_opt::<i32>()
                .ok_or("label names are not text")?,
            values: maps
                .values()
                .as_string_opt::<i32>()
                .ok_or("label values are not text")?,
        })
    }

    /// The set of a row; `None` where it has none of its own.
    fn set(&self, row: usize) -> std::result::Result<Option<Labels>, String> {
        if self.maps.is_null(row) {
            return Ok(None);
        }
        let offsets = self.maps.value_offsets();
        let entries = offsets[row] as usize..offsets[row + 1] as usize;
        Labels::from_pairs(entries.map(|i| (self.keys.value(i), self.values.value(i))))
            .map(Some)
            .map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests;

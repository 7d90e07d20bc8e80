//! Walks over whole segment files, every page of every column, for those who judge a file instead of trusting it.
//!
//! Readers of the store trust what the manifest's checksum has vouched for. Here the bytes may be anything:
//! - Arrow's own copy of the schema is not looked at, since reading a damaged one panics; the types come from Parquet;
//! - the Parquet library asserts much that only a damaged file violates, so each call into it is guarded: its panic
//!   becomes an error that names the file;
//! - memory is one batch of rows and the pages under it, however long the file is; of a series file each label set once
//!   beside that.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{Array, AsArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use barograph_model::{Labels, SeriesId};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use super::SegmentMeta;
use super::decimal::power_of_ten;
use super::file_writer::{at, block_sums};
use super::label_sets::{LabelColumns, LabelSet, corrupt};
use super::pages::{BucketPages, SamplePages};
use super::sidecar::{BLOCK_BYTES, Sidecar};
use crate::index::StorageKey;
use crate::rollup::{BucketColumns, BucketParts};
use crate::{EngineError, Result};

/// Rows of samples decoded at a time.
const SAMPLES_BATCH_ROWS: usize = 1 << 15;

/// Rows of histograms or exemplars decoded at a time: one may be as large as hundreds of samples.
const LANE_BATCH_ROWS: usize = 1 << 10;

/// Buckets decoded at a time.
const BUCKETS_BATCH_ROWS: usize = 1 << 13;

/// Rows of series decoded at a time.
const SERIES_BATCH_ROWS: usize = 1 << 12;

/// The columns of a samples file that every reader needs.
const SAMPLES_COLUMNS: [&str; 6] = ["series_id", "ts", "vm", "ve", "vf", "flags"];

/// A Parquet file whose footer has been read.
pub(crate) struct Walk {
    path: String,
    bytes: Bytes,
    footer: ArrowReaderMetadata,
}

impl Walk {
    /// Reads the footer with the page index, where there is one.
    ///
    /// # Errors
    /// [`EngineError::Parquet`] and [`EngineError::Corrupt`] name the file.
    pub(crate) fn open(path: &str, bytes: Bytes) -> Result<Self> {
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_page_index_policy(PageIndexPolicy::Optional);
        let footer = guarded(path, || ArrowReaderMetadata::load(&bytes, options))?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            footer,
        })
    }

    /// What the footer says.
    pub(crate) fn footer(&self) -> &ArrowReaderMetadata {
        &self.footer
    }

    /// A value of the file's key-value metadata.
    pub(crate) fn key(&self, key: &str) -> Option<&str> {
        let pairs = self.footer.metadata().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// The rows of a samples file, in the order they lie there.
    pub(crate) fn samples(&self) -> Result<SamplesWalk> {
        Ok(SamplesWalk(
            self.reader(Some(&SAMPLES_COLUMNS), SAMPLES_BATCH_ROWS)?,
        ))
    }

    /// The same rows as queries read them.
    pub(crate) fn pages(&self) -> Result<SamplePages<Bytes>> {
        SamplePages::open(&self.path, &self.bytes, &self.footer)
    }

    /// The buckets of a file of those as queries read them.
    pub(crate) fn bucket_pages(&self) -> Result<BucketPages<Bytes>> {
        BucketPages::open(&self.path, &self.bytes, &self.footer, BucketParts::ALL)
    }

    /// The rows of a file of histograms or exemplars: every column is decoded, and whose and when they are is given.
    pub(crate) fn lane(&self) -> Result<LaneWalk> {
        Ok(LaneWalk(self.reader(None, LANE_BATCH_ROWS)?))
    }

    /// The rows of a file of buckets, in the order they lie there.
    pub(crate) fn buckets(&self) -> Result<RollupWalk> {
        Ok(RollupWalk(self.reader(None, BUCKETS_BATCH_ROWS)?))
    }

    /// The rows of a series file, in the order they lie there.
    pub(crate) fn series(&self) -> Result<SeriesWalk> {
        Ok(SeriesWalk {
            batches: self.reader(None, SERIES_BATCH_ROWS)?,
            sets: HashMap::new(),
            place: 0,
        })
    }

    fn reader(&self, columns: Option<&[&str]>, batch_rows: usize) -> Result<Batches> {
        let reader = guarded(&self.path, || {
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.footer.clone());
            let mask = match columns {
                Some(columns) => ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied()),
                None => ProjectionMask::all(),
            };
            builder.with_projection(mask).with_batch_size(batch_rows).build()
        })?;
        Ok(Batches {
            path: self.path.clone(),
            reader: Some(reader),
        })
    }
}

/// Batches of a file until its end or its first error.
struct Batches {
    path: String,
    reader: Option<ParquetRecordBatchReader>,
}

impl Batches {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let batch = guarded(&self.path, || {
            reader.next().transpose().map_err(ParquetError::from)
        });
        if !matches!(batch, Ok(Some(_))) {
            // A reader that has failed may be in any state.
            self.reader = None;
        }
        batch
    }

    fn wrong(&self, expected: &str) -> EngineError {
        corrupt(&self.path, expected, "another type, or no such column".to_owned())
    }

    fn integers<T: ArrowPrimitiveType>(&self, batch: &RecordBatch, name: &str) -> Result<PrimitiveArray<T>> {
        batch
            .column_by_name(name)
            .and_then(|column| column.as_primitive_opt::<T>())
            .cloned()
            .ok_or_else(|| self.wrong(&format!("a column {name} of {:?}", T::DATA_TYPE)))
    }
}

/// The rows of a samples file.
pub(crate) struct SamplesWalk(Batches);

/// Some rows of a samples file, as columns of one length.
pub(crate) struct SamplesBatch {
    pub(crate) ids: Int64Array,
    pub(crate) ts: PrimitiveArray<TimestampMillisecondType>,
    pub(crate) mantissas: Int64Array,
    pub(crate) exponents: Int32Array,
    pub(crate) floats: Float64Array,
    pub(crate) flags: Int32Array,
}

impl SamplesBatch {
    /// The value of a row; `None` for an exponent that no writer makes.
    pub(crate) fn value(&self, row: usize) -> Option<f64> {
        if self.floats.is_valid(row) {
            return Some(self.floats.value(row));
        }
        let power = power_of_ten(i64::from(self.exponents.value(row)))?;
        Some(self.mantissas.value(row) as f64 / power)
    }
}

impl SamplesWalk {
    /// The next rows; `None` behind the last.
    ///
    /// # Errors
    /// [`EngineError::Parquet`] and [`EngineError::Corrupt`] name the file; there is nothing behind an error.
    pub(crate) fn next(&mut self) -> Result<Option<SamplesBatch>> {
        let Some(batch) = self.0.next()? else {
            return Ok(None);
        };
        Ok(Some(SamplesBatch {
            ids: self.0.integers::<Int64Type>(&batch, "series_id")?,
            ts: self.0.integers::<TimestampMillisecondType>(&batch, "ts")?,
            mantissas: self.0.integers::<Int64Type>(&batch, "vm")?,
            exponents: self.0.integers::<Int32Type>(&batch, "ve")?,
            floats: self.0.integers::<Float64Type>(&batch, "vf")?,
            flags: self.0.integers::<Int32Type>(&batch, "flags")?,
        }))
    }
}

/// The rows of a file of histograms or exemplars.
pub(crate) struct LaneWalk(Batches);

impl LaneWalk {
    /// Ids and instants of the next rows; `None` behind the last.
    ///
    /// # Errors
    /// [`EngineError::Parquet`] and [`EngineError::Corrupt`] name the file; there is nothing behind an error.
    pub(crate) fn next(&mut self) -> Result<Option<(Int64Array, PrimitiveArray<TimestampMillisecondType>)>> {
        let Some(batch) = self.0.next()? else {
            return Ok(None);
        };
        let ids = self.0.integers::<Int64Type>(&batch, "series_id")?;
        let ts = self.0.integers::<TimestampMillisecondType>(&batch, "ts")?;
        Ok(Some((ids, ts)))
    }
}

/// The rows of a file of buckets.
pub(crate) struct RollupWalk(Batches);

impl RollupWalk {
    /// The next buckets; `None` behind the last.
    ///
    /// # Errors
    /// [`EngineError::Parquet`] and [`EngineError::Corrupt`] name the file; there is nothing behind an error.
    pub(crate) fn next(&mut self) -> Result<Option<BucketColumns>> {
        let Some(batch) = self.0.next()? else {
            return Ok(None);
        };
        let columns = BucketColumns::new(&batch);
        columns
            .map(Some)
            .ok_or_else(|| self.0.wrong("the columns of a file of buckets"))
    }
}

/// The rows of a series file.
pub(crate) struct SeriesWalk {
    batches: Batches,
    /// the label sets so far, by their row
    sets: HashMap<u32, Labels>,
    /// the row of the file that comes next
    place: u64,
}

/// One row of a series file, as it is: nothing about it has been checked but its types.
#[derive(Debug, Clone)]
pub(crate) struct SeriesEntry {
    pub(crate) id: SeriesId,
    pub(crate) metric: String,
    pub(crate) labels: Labels,
    pub(crate) first_row: i64,
    pub(crate) rows: i64,
    pub(crate) ts_min: i64,
    pub(crate) ts_max: i64,
}

impl SeriesWalk {
    /// The next rows; `None` behind the last.
    ///
    /// # Errors
    /// [`EngineError::Parquet`] and [`EngineError::Corrupt`] name the file; there is nothing behind an error.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<SeriesEntry>>> {
        let Some(batch) = self.batches.next()? else {
            return Ok(None);
        };
        let ids = self.batches.integers::<Int64Type>(&batch, "series_id")?;
        let first_rows = self.batches.integers::<Int64Type>(&batch, "first_row")?;
        let rows = self.batches.integers::<Int64Type>(&batch, "rows")?;
        let ts_min = self
            .batches
            .integers::<TimestampMillisecondType>(&batch, "ts_min")?;
        let ts_max = self
            .batches
            .integers::<TimestampMillisecondType>(&batch, "ts_max")?;
        let path = &self.batches.path;
        let columns = LabelColumns::of(&batch)
            .map_err(|found| corrupt(path, "metrics, targets and labels of series", found))?;
        let mut entries = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let wrong = |found| corrupt(path, "labels with distinct names, or a row that has them", found);
            let labels = match columns.set(row, self.place).map_err(wrong)? {
                LabelSet::Here(labels) => {
                    if columns.are_shared() {
                        let place = u32::try_from(self.place).map_err(|e| wrong(e.to_string()))?;
                        self.sets.insert(place, labels.clone());
                    }
                    labels
                }
                LabelSet::Of(target) => {
                    let set = self.sets.get(&target);
                    let set = set.ok_or_else(|| wrong(format!("no labels in row {target}")))?;
                    set.with_metric(columns.metric(row))
                }
            };
            self.place += 1;
            entries.push(SeriesEntry {
                id: SeriesId(ids.value(row)),
                metric: columns.metric(row).to_owned(),
                labels,
                first_row: first_rows.value(row),
                rows: rows.value(row),
                ts_min: ts_min.value(row),
                ts_max: ts_max.value(row),
            });
        }
        Ok(Some(entries))
    }
}

/// The index of a segment, for those who hold it against what it indexes.
pub(crate) struct IndexWalk(Sidecar);

impl IndexWalk {
    /// Checks its checksums and that it belongs to the segment, and reads all of it.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] names the file.
    pub(crate) fn open(meta: &SegmentMeta, bytes: &Bytes) -> Result<Self> {
        // A transducer trusts its bytes, and panics at others.
        caught(
            &meta.sidecar_path(),
            "a whole index",
            "the library of transducers",
            || {
                let sidecar = Sidecar::open(meta, bytes)?;
                sidecar.read_all()?;
                Ok(Self(sidecar))
            },
        )
    }

    /// As [`IndexWalk::open`]; whose index it is, it says itself.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] names the file.
    pub(crate) fn of_any_segment(path: &str, bytes: &Bytes) -> Result<Self> {
        Self::open(&Sidecar::described(path, bytes)?, bytes)
    }

    /// Series, rows, groups, and pairs of a label and a value.
    pub(crate) fn counts(&self) -> (u64, u64, u64, u64) {
        self.0.counts()
    }

    /// The parts with their bytes.
    pub(crate) fn sections(&self) -> Vec<(&'static str, u64)> {
        self.0.sections()
    }

    /// What it says of a place below the number of series: id, rows, and the key of its group.
    pub(crate) fn entry(&self, place: u32) -> (SeriesId, Range<usize>, StorageKey) {
        let key = self.0.group_key(self.0.group_of(place));
        (self.0.id(place), self.0.rows(place), key)
    }

    /// The first byte of the first block that is not what was written, of the samples file and of the series file.
    pub(crate) fn first_damage(&self, samples: &[u8], series: &[u8]) -> [Option<u64>; 2] {
        let (of_samples, of_series) = self.0.block_sums();
        let first = |bytes: &[u8], sums: &[u32]| {
            let found = block_sums(bytes);
            let wrong = found.iter().zip(sums).position(|(found, sum)| found != sum);
            wrong.map(|block| (block * BLOCK_BYTES) as u64)
        };
        [first(samples, &of_samples), first(series, &of_series)]
    }
}

/// Calls the Parquet library; an error and a panic both become an error that names the file.
fn guarded<T>(path: &str, call: impl FnOnce() -> std::result::Result<T, ParquetError>) -> Result<T> {
    caught(path, "a whole Parquet file", "the Parquet library", || {
        call().map_err(at(path))
    })
}

/// Calls a library; a panic becomes an error that names the file.
fn caught<T>(path: &str, expected: &str, library: &str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    // Nothing of ours is changed inside, and a reader that has panicked is dropped by its owner.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        let found = format!("bytes that {library} cannot decode ({text})");
        Err(corrupt(path, expected, found))
    })
}

//! Reads chosen series out of a segment, in the order they lie there.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection};

use super::Segment;
use super::decimal::POW10;
use super::file_writer::at;
use crate::{EngineError, Result};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1 << 15;

/// A reader that moves forward through a segment. Places must be asked for ascending, each at most once.
pub(crate) struct SegmentCursor {
    segment: Arc<Segment>,
    reader: ParquetRecordBatchReader,
    batch: Option<Decoded>,
    row: usize,
}

/// The columns of a batch.
pub(super) struct Decoded {
    pub(super) ts: arrow::array::TimestampMillisecondArray,
    mantissas: arrow::array::Int64Array,
    exponents: arrow::array::Int32Array,
    floats: arrow::array::Float64Array,
}

impl SegmentCursor {
    /// A cursor over some places, given ascending; `None` where there are none.
    pub(crate) fn open(
        segment: &Arc<Segment>,
        places: impl IntoIterator<Item = u32>,
    ) -> Result<Option<Self>> {
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for range in places.into_iter().map(|place| segment.rows_of(place)) {
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        if ranges.is_empty() {
            return Ok(None);
        }
        let rows = segment.meta.rows as usize;
        let path = segment.meta.samples_path();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            segment.samples.clone(),
            segment.samples_footer.clone(),
        );
        let columns = ProjectionMask::columns(builder.parquet_schema(), ["ts", "vm", "ve", "vf"]);
        // The reader takes memory for a whole batch at once, however few rows are wanted.
        let wanted: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        let mut builder = builder
            .with_projection(columns)
            .with_batch_size(BATCH_ROWS.min(wanted.max(1)));
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

    /// Appends the rows of a place to `ts` and `values`.
    pub(crate) fn take(&mut self, place: u32, ts: &mut Vec<i64>, values: &mut Vec<f64>) -> Result<()> {
        let mut wanted = self.segment.rows_of(place).len();
        while wanted > 0 {
            let batch = match &self.batch {
                Some(batch) if self.row < batch.ts.len() => batch,
                _ => {
                    self.next_batch()?;
                    continue;
                }
            };
            let end = (self.row + wanted).min(batch.ts.len());
            wanted -= end - self.row;
            ts.extend_from_slice(&batch.ts.values()[self.row..end]);
            batch
                .append_values(self.row..end, values)
                .ok_or_else(|| self.corrupt("an exponent above 22"))?;
            self.row = end;
        }
        Ok(())
    }

    fn next_batch(&mut self) -> Result<()> {
        let path = self.segment.meta.samples_path();
        let batch = match self.reader.next() {
            Some(batch) => batch.map_err(|e| at(&path)(e.into()))?,
            None => return Err(self.corrupt("the end of the file before the last row")),
        };
        self.batch = Some(Decoded::new(&batch).ok_or_else(|| self.corrupt("columns of other types"))?);
        self.row = 0;
        Ok(())
    }

    fn corrupt(&self, found: &str) -> EngineError {
        EngineError::Corrupt {
            path: PathBuf::from(self.segment.meta.samples_path()),
            offset: 0,
            expected: format!("{} rows of samples", self.segment.meta.rows),
            found: found.to_owned(),
        }
    }
}

impl Decoded {
    pub(super) fn new(batch: &RecordBatch) -> Option<Self> {
        Some(Self {
            ts: batch
                .column_by_name("ts")?
                .as_primitive_opt::<TimestampMillisecondType>()?
                .clone(),
            mantissas: batch
                .column_by_name("vm")?
                .as_primitive_opt::<Int64Type>()?
                .clone(),
            exponents: batch
                .column_by_name("ve")?
                .as_primitive_opt::<Int32Type>()?
                .clone(),
            floats: batch
                .column_by_name("vf")?
                .as_primitive_opt::<Float64Type>()?
                .clone(),
        })
    }

    /// Appends the values of some rows; `None` for an exponent that no writer makes.
    pub(super) fn append_values(&self, rows: std::ops::Range<usize>, values: &mut Vec<f64>) -> Option<()> {
        let mantissas = &self.mantissas.values()[rows.clone()];
        let exponents = &self.exponents.values()[rows.clone()];
        let start = values.len();
        // One exponent for all rows is the ordinary case: a loop the compiler can turn into vector instructions.
        let first = *exponents.first()?;
        let divisor = *POW10.get(usize::try_from(first).ok()?)?;
        values.extend(mantissas.iter().map(|m| *m as f64 / divisor));
        if exponents.iter().any(|e| *e != first) {
            for (i, exponent) in exponents.iter().enumerate() {
                values[start + i] = mantissas[i] as f64 / POW10.get(usize::try_from(*exponent).ok()?)?;
            }
        }
        if self.floats.null_count() < self.floats.len() {
            for (i, row) in rows.enumerate() {
                if self.floats.is_valid(row) {
                    values[start + i] = self.floats.value(row);
                }
            }
        }
        Some(())
    }
}

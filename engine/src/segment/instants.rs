//! How a samples file keeps its instants: tried out on the first of them.
//!
//! Scrapes at even steps make differences that vanish. Where each scrape is late by a little, the differences are noise,
//! the same for all series of a target; as bytes of their own in pages that hold several series of a target, the next
//! series' are found again by the compression. Which of the two is smaller hangs on the jitter, and on how many rows lie
//! between two series of a target. Measured in `docs/adr/0019-instants-by-trial.md`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::types::ColumnPath;

use super::schema::{PAGE_ROWS, samples_base, timestamp};

/// The name of the column.
const COLUMN: &str = "ts";

/// Rows of a page of split instants: several series of a target, and a megabyte for whoever wants one of them.
pub(super) const SPLIT_PAGE_ROWS: usize = 1 << 17;

/// Bytes of a page of steps, packed and not yet compressed, of which there are many wherever a series ends.
const STEPS_PAGE_BYTES: usize = 32 << 10;

/// The encoding of instants in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstantEncoding {
    /// `DELTA_BINARY_PACKED`: their differences, in as few bits as they need.
    Steps,
    /// `BYTE_STREAM_SPLIT`: their first bytes, their second bytes and so on, in pages of more rows.
    Split,
}

impl InstantEncoding {
    /// Steps, unless the first instants of a file take a quarter and a tenth of a byte each less when they are split: who wants few
    /// rows of a page then decompresses ten times as much. The whole file saves more, since later pages hold more series of a
    /// target than the first rows.
    ///
    /// # Errors
    /// Of the Parquet library, which has none for such a column.
    pub(super) fn of(first: &TimestampMillisecondArray) -> Result<Self, ParquetError> {
        // With fewer there is nothing to save, and pages of both are one page.
        if first.len() <= PAGE_ROWS {
            return Ok(Self::Steps);
        }
        let [steps, split] = [Self::Steps.bytes(first)?, Self::Split.bytes(first)?];
        let saved = steps.saturating_sub(split);
        Ok(match saved > steps / 4 && saved > first.len() / 10 {
            true => Self::Split,
            false => Self::Steps,
        })
    }

    /// Sets the encoding of the column, and the rows of pages.
    pub(super) fn apply(self, builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
        let column = ColumnPath::from(COLUMN);
        match self {
            Self::Steps => builder
                .set_data_page_row_count_limit(PAGE_ROWS)
                .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_data_page_size_limit(column, STEPS_PAGE_BYTES),
            Self::Split => builder
                .set_data_page_row_count_limit(SPLIT_PAGE_ROWS)
                .set_column_encoding(column.clone(), Encoding::BYTE_STREAM_SPLIT)
                .set_column_data_page_size_limit(column, SPLIT_PAGE_ROWS * size_of::<i64>()),
        }
    }

    /// Bytes of a file of these instants and nothing else.
    fn bytes(self, instants: &TimestampMillisecondArray) -> Result<usize, ParquetError> {
        let schema = Arc::new(Schema::new(vec![Field::new(COLUMN, timestamp(), false)]));
        let properties = self.apply(samples_base()).build();
        let column: ArrayRef = Arc::new(instants.clone());
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column])?;
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, schema, Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(file.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64: no differences that repeat, as there are between multiples of a number.
    fn noise(number: u64) -> u64 {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// The instants of a metric, which each target has some series of, one behind the other: 15 s apart, each scrape up to
    /// `late` ms late. As many as a writer tries out.
    fn instants(targets: i64, series: i64, scrapes: i64, late: u64) -> TimestampMillisecondArray {
        let of_target = |target: i64| {
            let instant = move |scrape: i64| {
                let late = noise((scrape * targets + target) as u64) % (late + 1);
                scrape * 15_000 + target * 97 + late as i64
            };
            (0..series).flat_map(move |_| (0..scrapes).map(instant))
        };
        let ts: Vec<i64> = (0..targets).cycle().flat_map(of_target).take(1 << 16).collect();
        TimestampMillisecondArray::from(ts).with_timezone("UTC")
    }

    #[test]
    fn late_scrapes_of_some_hours_are_split_and_even_ones_are_not() {
        let of = |targets, series, scrapes, late| {
            let instants = instants(targets, series, scrapes, late);
            InstantEncoding::of(&instants).unwrap()
        };
        assert_eq!(of(50, 1, 300, 4), InstantEncoding::Split);
        assert_eq!(of(50, 5, 300, 4), InstantEncoding::Split, "close to each other");
        assert_eq!(of(50, 5, 40, 4), InstantEncoding::Split, "a short file");
        for scrapes in [20, 100, 252, 480] {
            assert_eq!(
                of(4000, 1, scrapes, 0),
                InstantEncoding::Steps,
                "{scrapes} even scrapes"
            );
        }
        // A day: the next series of the target is behind the page.
        assert_eq!(of(50, 1, 5760, 4), InstantEncoding::Steps);
        let few = instants(1, 1, 1000, 4).slice(0, 1000);
        assert_eq!(
            InstantEncoding::of(&few).unwrap(),
            InstantEncoding::Steps,
            "few rows"
        );
    }
}

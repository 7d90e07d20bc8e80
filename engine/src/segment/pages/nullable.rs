//! A column that not every row has a number in: values that are no decimals, extremes of buckets.

use std::ops::Range;

use parquet::basic::Encoding;
use parquet::file::reader::ChunkReader;

use super::numbers::Numbers;
use super::page::{Page, PageError, Pages};
use super::runs::Runs;

/// Numbers of eight bytes, null where a row has none.
#[derive(Debug)]
pub(super) struct Nullable<R> {
    pages: Pages<R>,
    /// what its pages are written in
    encoding: Encoding,
    page: Page,
    /// whether rows have a number
    runs: Option<Runs>,
    numbers: Numbers,
    /// which row of the page comes next
    row: usize,
    /// numbers on their way out
    scratch: Vec<i64>,
}

impl<R: ChunkReader> Nullable<R> {
    /// Whole numbers, packed as steps.
    pub(super) fn integers(pages: Pages<R>) -> Self {
        Self::new(pages, Encoding::DELTA_BINARY_PACKED)
    }

    /// Floats, split into streams of bytes.
    pub(super) fn floats(pages: Pages<R>) -> Self {
        Self::new(pages, Encoding::BYTE_STREAM_SPLIT)
    }

    fn new(pages: Pages<R>, encoding: Encoding) -> Self {
        Self {
            pages,
            encoding,
            page: Page::default(),
            runs: None,
            numbers: Numbers::default(),
            row: 0,
            scratch: Vec::new(),
        }
    }

    /// Calls `f` for those of some rows that have a number, with the place among them and the number, floats as their bits.
    pub(super) fn for_each(
        &mut self,
        rows: Range<usize>,
        mut f: impl FnMut(usize, i64),
    ) -> Result<(), PageError> {
        let mut from = rows.start;
        while from < rows.end {
            let page = self.pages.seek(from)?;
            let end = page.end.min(rows.end);
            if self.pages.is_null() {
                from = end;
                continue;
            }
            self.load()?;
            let runs = self.runs.as_mut().ok_or("a page that was not loaded")?;
            if self.row > from {
                return Err("rows out of order".into());
            }
            while self.row < end {
                let max = if self.row < from { from } else { end } - self.row;
                let (is_there, count) = runs.next(&self.page.bytes, max)?;
                if is_there != 0 {
                    if self.row < from {
                        self.numbers.skip(&self.page, count)?;
                    } else {
                        self.scratch.clear();
                        self.numbers.read(&self.page, count, &mut self.scratch)?;
                        let first = self.row - rows.start;
                        (first..)
                            .zip(&self.scratch)
                            .for_each(|(place, number)| f(place, *number));
                    }
                }
                self.row += count;
            }
            from = end;
        }
        Ok(())
    }

    /// Writes the floats that there are over those of some rows.
    pub(super) fn overwrite(&mut self, rows: Range<usize>, floats: &mut [f64]) -> Result<(), PageError> {
        self.for_each(rows, |place, bits| {
            if let Some(float) = floats.get_mut(place) {
                *float = f64::from_bits(bits.cast_unsigned());
            }
        })
    }

    /// Loads the page that `pages` stands at, where it is not yet.
    fn load(&mut self) -> Result<(), PageError> {
        if !self.pages.load(&mut self.page)? {
            return Ok(());
        }
        if self.page.encoding != Some(self.encoding) {
            return Err("numbers in another encoding than their column's".into());
        }
        let levels = self.page.levels()?;
        self.runs = Some(Runs::new(levels.start, 1)?);
        if self.numbers.begin_at(&self.page, levels.end)? > self.page.values {
            return Err("more numbers than the page has rows".into());
        }
        self.row = self.page.rows.start;
        Ok(())
    }
}

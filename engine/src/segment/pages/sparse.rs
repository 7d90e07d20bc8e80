//! A column of whole numbers that not every row has.

use std::ops::Range;

use parquet::basic::Encoding;
use parquet::file::reader::ChunkReader;

use super::delta::Delta;
use super::page::{Page, PageError, Pages};
use super::runs::Runs;

/// Whole numbers in `DELTA_BINARY_PACKED`, null where a row has none.
#[derive(Debug)]
pub(super) struct Sparse<R> {
    pages: Pages<R>,
    page: Page,
    /// whether rows have a number
    runs: Option<Runs>,
    delta: Delta,
    /// which row of the page comes next
    row: usize,
    /// numbers on their way out
    scratch: Vec<i64>,
}

impl<R: ChunkReader> Sparse<R> {
    pub(super) fn new(pages: Pages<R>) -> Self {
        Self {
            pages,
            page: Page::default(),
            runs: None,
            delta: Delta::default(),
            row: 0,
            scratch: Vec::new(),
        }
    }

    /// Calls `f` for those of some rows that have a number, with the place among them and the number.
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
                        self.delta.skip(&self.page.bytes, count)?;
                    } else {
                        self.scratch.clear();
                        self.delta.read(&self.page.bytes, count, &mut self.scratch)?;
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

    /// Loads the page that `pages` stands at, where it is not yet.
    fn load(&mut self) -> Result<(), PageError> {
        if !self.pages.load(&mut self.page)? {
            return Ok(());
        }
        if self.page.encoding != Some(Encoding::DELTA_BINARY_PACKED) {
            return Err("numbers that are not packed as steps".into());
        }
        let levels = self.page.levels()?;
        self.runs = Some(Runs::new(levels.start, 1)?);
        if self.delta.begin_at(&self.page.bytes, levels.end)? > self.page.values {
            return Err("more numbers than the page has rows".into());
        }
        self.row = self.page.rows.start;
        Ok(())
    }
}

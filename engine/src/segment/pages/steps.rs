//! A column of whole numbers: instants and mantissas.

use std::ops::Range;

use barograph_model::TimeRange;
use parquet::file::reader::ChunkReader;

use super::numbers::Numbers;
use super::page::{Page, PageError, Pages};

/// Instants decoded at a time, before it is looked whether they are behind the range.
const INSTANTS: usize = 512;

/// A column of whole numbers that every row has, in `DELTA_BINARY_PACKED` or `BYTE_STREAM_SPLIT`.
#[derive(Debug)]
pub(super) struct Steps<R> {
    pages: Pages<R>,
    page: Page,
    numbers: Numbers,
    /// which row of the page comes next
    row: usize,
}

impl<R: ChunkReader> Steps<R> {
    pub(super) fn new(pages: Pages<R>) -> Self {
        Self {
            pages,
            page: Page::default(),
            numbers: Numbers::default(),
            row: 0,
        }
    }

    /// Appends the numbers of some rows.
    pub(super) fn read(&mut self, mut rows: Range<usize>, out: &mut Vec<i64>) -> Result<(), PageError> {
        while !rows.is_empty() {
            let page = self.pages.seek(rows.start)?;
            self.load(rows.start)?;
            let count = page.end.min(rows.end) - rows.start;
            self.numbers.read(&self.page, count, out)?;
            rows.start += count;
            self.row = rows.start;
        }
        Ok(())
    }

    /// Appends those of some rows, which ascend, that are instants of a range; gives the rows.
    pub(super) fn read_between(
        &mut self,
        mut rows: Range<usize>,
        range: TimeRange,
        out: &mut Vec<i64>,
    ) -> Result<Range<usize>, PageError> {
        let (first, last) = (range.start.0, range.end.0);
        let from = out.len();
        // Behind all rows that were passed over or decoded.
        let mut end = rows.start;
        while !rows.is_empty() {
            let page = self.pages.seek(rows.start)?;
            let count = page.end.min(rows.end) - rows.start;
            // Whoever else has rows of the page: with nothing in the range there is nothing of these.
            let is_outside = self
                .pages
                .bounds()
                .is_some_and(|(min, max)| max < first || min > last);
            if is_outside {
                if out.len() > from {
                    break;
                }
                rows.start += count;
                end = rows.start;
                continue;
            }
            self.load(rows.start)?;
            let stop = rows.start + count;
            while rows.start < stop {
                let count = INSTANTS.min(stop - rows.start);
                self.numbers.read(&self.page, count, out)?;
                rows.start += count;
                self.row = rows.start;
                end = rows.start;
                // What is before the range is not kept, so that it needs no room.
                if out[out.len() - 1] < first {
                    out.truncate(from);
                } else if out[out.len() - 1] > last {
                    rows.end = rows.start;
                    break;
                }
            }
        }
        let decoded = &out[from..];
        let before = decoded.partition_point(|t| *t < first);
        let within = decoded.partition_point(|t| *t <= last).max(before);
        let begin = end - (decoded.len() - before);
        out.truncate(from + within);
        out.drain(from..from + before);
        Ok(begin..begin + (within - before))
    }

    /// Loads the page that `pages` stands at, where it is not yet, and goes to a row.
    fn load(&mut self, row: usize) -> Result<(), PageError> {
        if self.pages.load(&mut self.page)? {
            if self.numbers.begin_at(&self.page, 0)? != self.page.values {
                return Err("another count of numbers than the page has".into());
            }
            self.row = self.page.rows.start;
        }
        let count = row.checked_sub(self.row).ok_or("rows out of order")?;
        self.numbers.skip(&self.page, count)?;
        self.row = row;
        Ok(())
    }
}

//! The column of values that are no decimals.

use std::ops::Range;

use parquet::basic::Encoding;
use parquet::file::reader::ChunkReader;

use super::delta::PADDING;
use super::page::{Page, PageError, Pages};
use super::runs::Runs;

/// The values that are no decimals, as they are; null everywhere else.
#[derive(Debug)]
pub(super) struct Floats<R> {
    pages: Pages<R>,
    page: Page,
    /// whether rows have a value, and where the values begin
    runs: Option<Runs>,
    values_at: usize,
    values: usize,
    /// values of the rows before
    next: usize,
    /// which row of the page comes next
    row: usize,
}

impl<R: ChunkReader> Floats<R> {
    pub(super) fn new(pages: Pages<R>) -> Self {
        Self {
            pages,
            page: Page::default(),
            runs: None,
            values_at: 0,
            values: 0,
            next: 0,
            row: 0,
        }
    }

    /// Writes the values that there are over those of some rows.
    pub(super) fn overwrite(&mut self, rows: Range<usize>, values: &mut [f64]) -> Result<(), PageError> {
        let start = rows.start;
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
            let streams = self.page.bytes.get(self.values_at..).unwrap_or_default();
            if self.row > from {
                return Err("rows out of order".into());
            }
            while self.row < end {
                let max = if self.row < from { from } else { end } - self.row;
                let (is_there, count) = runs.next(&self.page.bytes, max)?;
                if is_there != 0 {
                    for row in self.row.max(from)..self.row + count {
                        let index = self.next + (row - self.row);
                        values[row - start] =
                            float(streams, self.values, index).ok_or("fewer floats than there should be")?;
                    }
                    self.next += count;
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
        if self.page.encoding != Some(Encoding::BYTE_STREAM_SPLIT) {
            return Err("floats that are not split into streams".into());
        }
        let levels = self.page.levels()?;
        self.values_at = levels.end;
        self.values = (self.page.bytes.len() - PADDING - levels.end) / 8;
        self.runs = Some(Runs::new(levels.start, 1)?);
        self.next = 0;
        self.row = self.page.rows.start;
        Ok(())
    }
}

/// One of some floats whose bytes lie apart, one in each of eight streams.
fn float(streams: &[u8], floats: usize, index: usize) -> Option<f64> {
    let mut bytes = [0; 8];
    for (stream, byte) in bytes.iter_mut().enumerate() {
        *byte = *streams.get(stream * floats + index).filter(|_| index < floats)?;
    }
    Some(f64::from_le_bytes(bytes))
}

//! A column of whole numbers that are few and come many times in a row: exponents, counts.

use std::ops::Range;

use parquet::basic::Encoding;
use parquet::file::reader::ChunkReader;

use super::Malformed;
use super::page::{Page, PageError, Pages};
use super::runs::Runs;

/// Numbers of 32 bits: a dictionary and runs, or plain where a row group had too many for a dictionary.
#[derive(Debug)]
pub(super) struct Repeated<R> {
    pages: Pages<R>,
    page: Page,
    /// of the row group at hand
    dictionary: Vec<i32>,
    dictionary_of: Option<usize>,
    /// none of a plain page
    runs: Option<Runs>,
    /// which row of the page comes next
    row: usize,
}

impl<R: ChunkReader> Repeated<R> {
    pub(super) fn new(pages: Pages<R>) -> Self {
        Self {
            pages,
            page: Page::default(),
            dictionary: Vec::new(),
            dictionary_of: None,
            runs: None,
            row: 0,
        }
    }

    /// Calls `f` with the number of some rows and how many in a row have it, until it has been called for all rows.
    pub(super) fn for_each_run(
        &mut self,
        mut rows: Range<usize>,
        mut f: impl FnMut(i32, usize) -> Result<(), Malformed>,
    ) -> Result<(), PageError> {
        while !rows.is_empty() {
            let page = self.pages.seek(rows.start)?;
            let end = page.end.min(rows.end);
            if let Some((min, max)) = self.pages.bounds()
                && min == max
            {
                f(
                    i32::try_from(min).map_err(|_| "a number of more than 32 bits")?,
                    end - rows.start,
                )?;
                rows.start = end;
                continue;
            }
            self.load()?;
            if self.row > rows.start {
                return Err("rows out of order".into());
            }
            if let Some(runs) = &mut self.runs {
                runs.skip(&self.page.bytes, rows.start - self.row)?;
            }
            self.row = rows.start;
            while self.row < end {
                let (number, count) = self.next(end - self.row)?;
                f(number, count)?;
                self.row += count;
            }
            rows.start = end;
        }
        Ok(())
    }

    /// The number of the next row, and how many at most have it.
    fn next(&mut self, max: usize) -> Result<(i32, usize), Malformed> {
        if let Some(runs) = &mut self.runs {
            let (index, count) = runs.next(&self.page.bytes, max)?;
            let number = self.dictionary.get(index as usize);
            return Ok((*number.ok_or("a number that is not in the dictionary")?, count));
        }
        let at = (self.row - self.page.rows.start) * size_of::<i32>();
        let number = self.page.bytes.get(at..).and_then(<[u8]>::first_chunk);
        Ok((
            i32::from_le_bytes(*number.ok_or("the end of a page of numbers")?),
            1,
        ))
    }

    /// Loads the page that `pages` stands at, where it is not yet.
    fn load(&mut self) -> Result<(), PageError> {
        if !self.pages.load(&mut self.page)? {
            return Ok(());
        }
        self.row = self.page.rows.start;
        self.runs = match self.page.encoding {
            Some(Encoding::PLAIN) => None,
            Some(Encoding::RLE_DICTIONARY) => {
                if self.dictionary_of != Some(self.pages.group()) {
                    let mut page = Page::default();
                    self.pages.load_dictionary(&mut page)?;
                    self.dictionary = numbers(&page);
                    self.dictionary_of = Some(self.pages.group());
                }
                let width = self.page.bytes.first().copied().unwrap_or(0);
                Some(Runs::new(1, usize::from(width))?)
            }
            _ => return Err("numbers without a dictionary".into()),
        };
        Ok(())
    }
}

/// The numbers of a plain page.
fn numbers(page: &Page) -> Vec<i32> {
    let numbers = page.bytes.chunks_exact(size_of::<i32>()).take(page.values);
    numbers
        .filter_map(|number| number.first_chunk())
        .map(|number| i32::from_le_bytes(*number))
        .collect()
}

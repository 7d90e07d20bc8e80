//! The column of exponents.

use std::ops::Range;

use parquet::basic::Encoding;
use parquet::file::reader::ChunkReader;

use super::Malformed;
use super::page::{Page, PageError, Pages};
use super::runs::Runs;
use crate::segment::decimal::power_of_ten;

/// The exponents: a dictionary of a few numbers, and mostly one run of one of them.
#[derive(Debug)]
pub(super) struct Exponents<R> {
    pages: Pages<R>,
    page: Page,
    /// powers of ten of the row group at hand
    dictionary: Vec<f64>,
    dictionary_of: Option<usize>,
    runs: Option<Runs>,
    /// which row of the page comes next
    row: usize,
}

impl<R: ChunkReader> Exponents<R> {
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

    /// Appends the values of some rows, given their mantissas.
    pub(super) fn divide(
        &mut self,
        mut rows: Range<usize>,
        mut mantissas: &[i64],
        values: &mut Vec<f64>,
    ) -> Result<(), PageError> {
        values.reserve(mantissas.len());
        while !rows.is_empty() {
            let page = self.pages.seek(rows.start)?;
            let end = page.end.min(rows.end);
            if let Some((min, max)) = self.pages.bounds()
                && min == max
            {
                let (now, later) = mantissas.split_at(end - rows.start);
                mantissas = later;
                append_quotients(now, power(min)?, values);
                rows.start = end;
                continue;
            }
            self.load()?;
            let runs = self.runs.as_mut().ok_or("a page that was not loaded")?;
            if self.row > rows.start {
                return Err("rows out of order".into());
            }
            while self.row < end {
                let max = if self.row < rows.start { rows.start } else { end } - self.row;
                let (index, count) = runs.next(&self.page.bytes, max)?;
                let power = self
                    .dictionary
                    .get(index as usize)
                    .ok_or("a number that is not in the dictionary")?;
                if self.row >= rows.start {
                    let (now, later) = mantissas.split_at(count);
                    mantissas = later;
                    append_quotients(now, *power, values);
                    rows.start += count;
                }
                self.row += count;
            }
        }
        Ok(())
    }

    /// Loads the page that `pages` stands at, where it is not yet.
    fn load(&mut self) -> Result<(), PageError> {
        if self.dictionary_of != Some(self.pages.group()) {
            self.pages.load_dictionary(&mut self.page)?;
            self.dictionary = dictionary(&self.page)?;
            self.dictionary_of = Some(self.pages.group());
        }
        if !self.pages.load(&mut self.page)? {
            return Ok(());
        }
        if self.page.encoding != Some(Encoding::RLE_DICTIONARY) {
            return Err("exponents without a dictionary".into());
        }
        let width = self.page.bytes.first().copied().unwrap_or(0);
        self.runs = Some(Runs::new(1, usize::from(width))?);
        self.row = self.page.rows.start;
        Ok(())
    }
}

/// The powers of ten that a dictionary of exponents stands for.
fn dictionary(page: &Page) -> Result<Vec<f64>, Malformed> {
    let numbers = page.bytes.chunks_exact(4).take(page.values);
    numbers
        .map(|number| {
            let exponent = number
                .first_chunk()
                .map_or(-1, |number| i32::from_le_bytes(*number));
            power(i64::from(exponent))
        })
        .collect()
}

/// The power of ten that an exponent stands for.
fn power(exponent: i64) -> Result<f64, Malformed> {
    power_of_ten(exponent).ok_or("an exponent that is not 0 to 22")
}

fn append_quotients(mantissas: &[i64], power: f64, values: &mut Vec<f64>) {
    if power == 1.0 {
        values.extend(mantissas.iter().map(|mantissa| *mantissa as f64));
    } else {
        values.extend(mantissas.iter().map(|mantissa| *mantissa as f64 / power));
    }
}

//! A second look at rows that were read: by the decoder that queries have.

use std::ops::Range;

use crate::Result;

/// Reads everything again, as queries do, until something differs.
pub(super) struct Again<P> {
    pages: Option<P>,
    row: usize,
    found: Option<String>,
}

impl<P> Again<P> {
    /// Stands before the first row.
    pub(super) fn new(opened: Result<P>) -> Self {
        let found = opened.as_ref().err().map(ToString::to_string);
        Self {
            pages: opened.ok(),
            row: 0,
            found,
        }
    }

    /// Goes over the next `count` rows: `differing` reads them and gives the first that is something else, counted from the
    /// first of these.
    pub(super) fn next(
        &mut self,
        count: usize,
        differing: impl FnOnce(&mut P, Range<usize>) -> Result<Option<usize>>,
    ) {
        let rows = self.row..self.row + count;
        self.row = rows.end;
        let Some(pages) = &mut self.pages else {
            return;
        };
        self.found = match differing(pages, rows.clone()) {
            Err(error) => Some(error.to_string()),
            Ok(row) => row.map(|row| format!("row {} is something else to queries", rows.start + row)),
        };
        if self.found.is_some() {
            self.pages = None;
        }
    }

    /// Where queries read something else or cannot read on.
    pub(super) fn found(self) -> Option<String> {
        self.found
    }
}

//! The four columns of a samples file that say what a sample is.

use std::ops::Range;

use barograph_model::TimeRange;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::reader::ChunkReader;

use super::exponents::Exponents;
use super::nullable::Nullable;
use super::page::{PageError, Pages};
use super::steps::Steps;
use crate::Result;
use crate::segment::file_writer::at;
use crate::segment::label_sets::corrupt;

/// What is expected of a file.
const PAGES: &str = "pages of samples";

/// Reads rows of a samples file, forward. Memory: a page of each column.
#[derive(Debug)]
pub(crate) struct SamplePages<R> {
    path: String,
    instants: Steps<R>,
    mantissas: Steps<R>,
    exponents: Exponents<R>,
    floats: Nullable<R>,
    /// mantissas on their way to values
    scratch: Vec<i64>,
}

impl<R: ChunkReader + Clone> SamplePages<R> {
    /// Stands before the first row. The footer has the page index.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`](crate::EngineError) for a file with other columns.
    pub(crate) fn open(path: &str, file: &R, footer: &ArrowReaderMetadata) -> Result<Self> {
        let schema = footer.metadata().file_metadata().schema_descr();
        let pages = |name: &str| -> Result<Pages<R>> {
            let column = schema
                .columns()
                .iter()
                .position(|column| column.path().parts() == [name]);
            let column = column.ok_or_else(|| corrupt(path, PAGES, format!("no column {name}")))?;
            Ok(Pages::new(file.clone(), footer.clone(), column))
        };
        Ok(Self {
            path: path.to_owned(),
            instants: Steps::new(pages("ts")?),
            mantissas: Steps::new(pages("vm")?),
            exponents: Exponents::new(pages("ve")?),
            floats: Nullable::floats(pages("vf")?),
            scratch: Vec::new(),
        })
    }

    /// Appends those of some rows whose instants are in a range. The rows are one series', ascending in time; they are not
    /// before rows that were read.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`](crate::EngineError) and [`EngineError::Parquet`](crate::EngineError) name the file.
    pub(crate) fn read(
        &mut self,
        rows: Range<usize>,
        range: TimeRange,
        ts: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) -> Result<()> {
        let read = || {
            let rows = self.instants.read_between(rows, range, ts)?;
            if rows.is_empty() {
                return Ok(());
            }
            self.scratch.clear();
            self.mantissas.read(rows.clone(), &mut self.scratch)?;
            let from = values.len();
            self.exponents.divide(rows.clone(), &self.scratch, values)?;
            self.floats.overwrite(rows, &mut values[from..])
        };
        read().map_err(|error| match error {
            PageError::Malformed(found) => corrupt(&self.path, PAGES, found.to_owned()),
            PageError::File(error) => at(&self.path)(error),
        })
    }
}

//! The columns of a file of buckets.

use std::ops::Range;

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::reader::ChunkReader;

use super::exponents::Exponents;
use super::nullable::Nullable;
use super::page::{PageError, Pages};
use super::repeated::Repeated;
use super::steps::Steps;
use crate::EngineError;
use crate::rollup::{Bucket, BucketParts};
use crate::segment::file_writer::at;
use crate::segment::label_sets::corrupt;

/// What is expected of a file.
const PAGES: &str = "pages of buckets";

/// Reads rows of a file of buckets, forward, and of its columns those that are wanted. Memory: a page of each.
#[derive(Debug)]
pub(crate) struct BucketPages<R> {
    path: String,
    ends: Steps<R>,
    stale_ts: Nullable<R>,
    count: Repeated<R>,
    /// the first and the last
    instants: Option<[Steps<R>; 2]>,
    resets: Option<Repeated<R>>,
    changes: Option<Repeated<R>>,
    /// of all numbers
    exponents: Option<Exponents<R>>,
    sum: Option<Number<R>>,
    first: Option<Number<R>>,
    last: Option<Number<R>>,
    before_resets: Option<Number<R>>,
    min: Option<Extreme<R>>,
    max: Option<Extreme<R>>,
    /// instants and mantissas on their way into buckets
    scratch: Vec<i64>,
    /// of the rows at hand
    powers: Vec<f64>,
    numbers: Vec<f64>,
}

/// A number that every row has: a mantissa, and a float where it is no decimal.
#[derive(Debug)]
struct Number<R> {
    mantissas: Steps<R>,
    floats: Nullable<R>,
}

/// A number that has neither in rows where it is another number of the bucket.
#[derive(Debug)]
struct Extreme<R> {
    mantissas: Nullable<R>,
    floats: Nullable<R>,
}

impl<R: ChunkReader + Clone> BucketPages<R> {
    /// Stands before the first row. The footer has the page index.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for a file with other columns.
    pub(crate) fn open(
        path: &str,
        file: &R,
        footer: &ArrowReaderMetadata,
        parts: BucketParts,
    ) -> Result<Self, EngineError> {
        let schema = footer.metadata().file_metadata().schema_descr();
        let pages = |name: &str| -> Result<Pages<R>, EngineError> {
            let mut columns = schema.columns().iter();
            let column = columns.position(|column| column.path().parts() == [name]);
            let column = column.ok_or_else(|| corrupt(path, PAGES, format!("no column {name}")))?;
            Ok(Pages::new(file.clone(), footer.clone(), column))
        };
        let floats = |name: &str| pages(&format!("{name}_f")).map(Nullable::floats);
        let number = |part, name: &str| -> Result<Option<Number<R>>, EngineError> {
            if !parts.has(part) {
                return Ok(None);
            }
            let mantissas = Steps::new(pages(&format!("{name}_m"))?);
            let floats = floats(name)?;
            Ok(Some(Number { mantissas, floats }))
        };
        let extreme = |part, name: &str| -> Result<Option<Extreme<R>>, EngineError> {
            if !parts.has(part) {
                return Ok(None);
            }
            let mantissas = Nullable::integers(pages(&format!("{name}_m"))?);
            let floats = floats(name)?;
            Ok(Some(Extreme { mantissas, floats }))
        };
        let counts = |part, name: &str| match parts.has(part) {
            true => pages(name).map(|pages| Some(Repeated::new(pages))),
            false => Ok(None),
        };
        let instants = match parts.has(BucketParts::INSTANTS) {
            true => Some([Steps::new(pages("first_ts")?), Steps::new(pages("last_ts")?)]),
            false => None,
        };
        let exponents = match parts.has_number() {
            true => Some(Exponents::new(pages("ve")?)),
            false => None,
        };
        Ok(Self {
            path: path.to_owned(),
            ends: Steps::new(pages("ts")?),
            stale_ts: Nullable::integers(pages("stale_ts")?),
            count: Repeated::new(pages("count")?),
            instants,
            resets: counts(BucketParts::RESETS, "resets")?,
            changes: counts(BucketParts::CHANGES, "changes")?,
            exponents,
            sum: number(BucketParts::SUM, "sum")?,
            first: number(BucketParts::FIRST, "first")?,
            last: number(BucketParts::LAST, "last")?,
            before_resets: number(BucketParts::INCREASE, "before_resets")?,
            min: extreme(BucketParts::MIN, "min")?,
            max: extreme(BucketParts::MAX, "max")?,
            scratch: Vec::new(),
            powers: Vec::new(),
            numbers: Vec::new(),
        })
    }

    /// Appends the buckets of some rows, which are not before rows that were read. Parts that are not wanted are 0.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] and [`EngineError::Parquet`] name the file.
    pub(crate) fn read(&mut self, rows: Range<usize>, buckets: &mut Vec<Bucket>) -> Result<(), EngineError> {
        let from = buckets.len();
        self.append(rows, buckets).map_err(|error| {
            buckets.truncate(from);
            match error {
                PageError::Malformed(found) => corrupt(&self.path, PAGES, found.to_owned()),
                PageError::File(error) => at(&self.path)(error),
            }
        })
    }

    fn append(&mut self, rows: Range<usize>, buckets: &mut Vec<Bucket>) -> Result<(), PageError> {
        let from = buckets.len();
        self.scratch.clear();
        self.ends.read(rows.clone(), &mut self.scratch)?;
        buckets.extend(self.scratch.iter().map(|end| Bucket::empty(*end)));
        let buckets = &mut buckets[from..];
        self.stale_ts
            .for_each(rows.clone(), |row, ts| buckets[row].stale_ts = Some(ts))?;
        counts(&mut self.count, rows.clone(), buckets, |bucket| &mut bucket.count)?;
        if let Some([first, last]) = &mut self.instants {
            let scratch = &mut self.scratch;
            instants(first, rows.clone(), scratch, buckets, |bucket| {
                &mut bucket.first_ts
            })?;
            instants(last, rows.clone(), scratch, buckets, |bucket| &mut bucket.last_ts)?;
        }
        if let Some(resets) = &mut self.resets {
            counts(resets, rows.clone(), buckets, |bucket| &mut bucket.resets)?;
        }
        if let Some(changes) = &mut self.changes {
            counts(changes, rows.clone(), buckets, |bucket| &mut bucket.changes)?;
        }
        if let Some(exponents) = &mut self.exponents {
            self.powers.clear();
            exponents.powers(rows.clone(), &mut self.powers)?;
            self.numbers(rows, buckets)?;
        }
        Ok(())
    }

    /// Fills in the numbers that are wanted.
    fn numbers(&mut self, rows: Range<usize>, buckets: &mut [Bucket]) -> Result<(), PageError> {
        let (scratch, powers, numbers) = (&mut self.scratch, &self.powers, &mut self.numbers);
        let mut fill = |number: &mut Option<Number<R>>, of: fn(&mut Bucket) -> &mut f64| {
            let Some(number) = number else {
                return Ok::<_, PageError>(());
            };
            scratch.clear();
            number.mantissas.read(rows.clone(), scratch)?;
            numbers.clear();
            let mantissas = scratch.iter().zip(powers);
            numbers.extend(mantissas.map(|(mantissa, power)| *mantissa as f64 / power));
            number.floats.overwrite(rows.clone(), numbers)?;
            let each = buckets.iter_mut().zip(numbers.iter());
            each.for_each(|(bucket, number)| *of(bucket) = *number);
            Ok(())
        };
        fill(&mut self.sum, |bucket| &mut bucket.sum)?;
        fill(&mut self.first, |bucket| &mut bucket.first)?;
        fill(&mut self.last, |bucket| &mut bucket.last)?;
        fill(&mut self.before_resets, |bucket| &mut bucket.before_resets)?;
        // What they are where they are not kept has been read.
        let mut fill =
            |extreme: &mut Option<Extreme<R>>, same: fn(&Bucket) -> f64, of: fn(&mut Bucket) -> &mut f64| {
                let Some(extreme) = extreme else {
                    return Ok::<_, PageError>(());
                };
                numbers.clear();
                numbers.extend(buckets.iter().map(same));
                extreme.mantissas.for_each(rows.clone(), |row, mantissa| {
                    numbers[row] = mantissa as f64 / powers[row];
                })?;
                extreme.floats.overwrite(rows.clone(), numbers)?;
                let each = buckets.iter_mut().zip(numbers.iter());
                each.for_each(|(bucket, number)| *of(bucket) = *number);
                Ok(())
            };
        fill(&mut self.min, |bucket| bucket.first, |bucket| &mut bucket.min)?;
        fill(&mut self.max, |bucket| bucket.last, |bucket| &mut bucket.max)
    }
}

/// Reads a column of instants into buckets.
fn instants<R: ChunkReader>(
    column: &mut Steps<R>,
    rows: Range<usize>,
    scratch: &mut Vec<i64>,
    buckets: &mut [Bucket],
    of: fn(&mut Bucket) -> &mut i64,
) -> Result<(), PageError> {
    scratch.clear();
    column.read(rows, scratch)?;
    let each = buckets.iter_mut().zip(scratch);
    each.for_each(|(bucket, instant)| *of(bucket) = *instant);
    Ok(())
}

/// Reads a column of counts into buckets.
fn counts<R: ChunkReader>(
    column: &mut Repeated<R>,
    rows: Range<usize>,
    buckets: &mut [Bucket],
    of: fn(&mut Bucket) -> &mut u32,
) -> Result<(), PageError> {
    let mut next = buckets.iter_mut();
    column.for_each_run(rows, |number, count| {
        let number = u32::try_from(number).map_err(|_| "a count below 0")?;
        let those = next.by_ref().take(count);
        those.for_each(|bucket| *of(bucket) = number);
        Ok(())
    })
}

//! The column of exponents.

use std::ops::Range;

use parquet::file::reader::ChunkReader;

use super::Malformed;
use super::page::{PageError, Pages};
use super::repeated::Repeated;
use crate::segment::decimal::power_of_ten;

/// The exponents: a dictionary of a few numbers, and mostly one run of one of them.
#[derive(Debug)]
pub(super) struct Exponents<R>(Repeated<R>);

impl<R: ChunkReader> Exponents<R> {
    pub(super) fn new(pages: Pages<R>) -> Self {
        Self(Repeated::new(pages))
    }

    /// Appends the values of some rows, given their mantissas.
    pub(super) fn divide(
        &mut self,
        rows: Range<usize>,
        mut mantissas: &[i64],
        values: &mut Vec<f64>,
    ) -> Result<(), PageError> {
        debug_assert_eq!(rows.len(), mantissas.len());
        values.reserve(mantissas.len());
        self.0.for_each_run(rows, |exponent, count| {
            let (now, later) = mantissas.split_at(count);
            mantissas = later;
            append_quotients(now, power(exponent)?, values);
            Ok(())
        })
    }

    /// Appends the power of ten of each of some rows.
    pub(super) fn powers(&mut self, rows: Range<usize>, powers: &mut Vec<f64>) -> Result<(), PageError> {
        self.0.for_each_run(rows, |exponent, count| {
            powers.resize(powers.len() + count, power(exponent)?);
            Ok(())
        })
    }
}

/// The power of ten that an exponent stands for.
fn power(exponent: i32) -> Result<f64, Malformed> {
    power_of_ten(i64::from(exponent)).ok_or("an exponent that is not 0 to 22")
}

fn append_quotients(mantissas: &[i64], power: f64, values: &mut Vec<f64>) {
    if power == 1.0 {
        values.extend(mantissas.iter().map(|mantissa| *mantissa as f64));
    } else {
        values.extend(mantissas.iter().map(|mantissa| *mantissa as f64 / power));
    }
}

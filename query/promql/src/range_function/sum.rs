//! `sum_over_time`, and the compensated sum that everything which adds floats uses.

use super::blocks::Blocks;
use super::{Samples, each};
use crate::eval::Windows;

/// A sum and what rounding took from it. Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation
/// endlicher Summen", ZAMM 54 (1974).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    pub(crate) sum: f64,
    pub(crate) lost: f64,
}

impl Sum {
    /// Adds a value.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if sum.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - sum) + value;
        } else {
            self.lost += (value - sum) + self.sum;
        }
        self.sum = sum;
    }

    /// The sum of all values.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sum = Self::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    /// Both sums together.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.add(other.sum);
        self.lost += other.lost;
        self
    }

    /// The value. What was lost is of no meaning beside infinity.
    pub(crate) fn value(self) -> f64 {
        if self.sum.is_infinite() {
            self.sum
        } else {
            self.sum + self.lost
        }
    }
}

pub(super) fn sum_over_time(samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64]) {
    let mut blocks = Blocks::new(samples.values, Sum::of, Sum::merge);
    each(windows, out, |_, places| blocks.summary(places).value());
}

//! `avg_over_time`, `stdvar_over_time` and `stddev_over_time`.

use super::blocks::Blocks;
use super::sum::Sum;
use super::{Samples, each};
use crate::eval::Windows;

pub(super) fn avg_over_time(samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64]) {
    let mut blocks = Blocks::new(samples.values, Sum::of, Sum::merge);
    each(windows, out, |_, places| {
        let count = places.len() as f64;
        let sum = blocks.summary(places.clone());
        if sum.sum.is_infinite() {
            return mean(&samples.values[places]);
        }
        sum.sum / count + sum.lost / count
    });
}

/// The mean of values whose sum leaves the range of floats, unless one of them is infinite itself: each is divided before
/// it is added.
pub(crate) fn mean(values: &[f64]) -> f64 {
    let (mut mean, mut count) = (Sum::default(), 0.0);
    for value in values {
        count += 1.0;
        let before = mean.value();
        if before.is_infinite() {
            // An infinite value was met: it stays, and with NaN or its opposite becomes NaN.
            if value.is_nan() || (value.is_infinite() && before != *value) {
                return f64::NAN;
            }
            continue;
        }
        let kept = (count - 1.0) / count;
        mean.sum *= kept;
        mean.lost *= kept;
        mean.add(value / count);
    }
    mean.value()
}

pub(super) fn stdvar_over_time(samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64]) {
    each(windows, out, |_, places| {
        let mut spread = Spread::default();
        samples.values[places].iter().for_each(|value| spread.add(*value));
        spread.variance()
    });
}

/// Mean and squared distances from it, updated value by value. Source: B. P. Welford, "Note on a method for calculating
/// corrected sums of squares and products", Technometrics 4 (1962).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spread {
    pub(crate) count: f64,
    mean: Sum,
    squares: Sum,
}

impl Spread {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - (self.mean.sum + self.mean.lost);
        self.mean.add(distance / self.count);
        self.squares
            .add(distance * (value - (self.mean.sum + self.mean.lost)));
    }

    /// Both together. Source: T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for
    /// computing sample variances" (1979).
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = *other;
            return;
        }
        let count = self.count + other.count;
        let distance = (other.mean.sum + other.mean.lost) - (self.mean.sum + self.mean.lost);
        self.mean.add(distance * (other.count / count));
        self.squares = self.squares.merge(other.squares);
        self.squares
            .add(distance * distance * (self.count * other.count / count));
        self.count = count;
    }

    /// The variance of all values, not of a sample of them.
    pub(crate) fn variance(&self) -> f64 {
        (self.squares.sum + self.squares.lost) / self.count
    }
}

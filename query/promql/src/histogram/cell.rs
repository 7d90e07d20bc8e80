//! What one count is kept in: a float, or a float beside the rounding error that it has gathered.
//!
//! The arithmetic of histograms is written once over [`Cell`]; sums of many histograms run over [`Compensated`], all
//! else over floats.

/// Something that can be added to a cell.
pub(super) trait Addend<C>: Copy {
    /// A new cell that holds this alone.
    fn into_cell(self) -> C;

    /// Adds this to a cell.
    fn add_to(self, cell: &mut C);

    /// This, times a factor.
    fn times(self, factor: f64) -> Self;
}

/// A count, or a sum of observations.
pub(super) trait Cell: Addend<Self> + Default + std::fmt::Debug {
    /// A cell that holds this alone.
    fn of(value: f64) -> Self;

    /// Adds a float.
    fn add(&mut self, value: f64);

    /// The value, without the rounding error.
    fn value(self) -> f64;

    /// The value, the rounding error made good.
    fn total(self) -> f64;

    /// Whether there is nothing in it.
    fn is_empty(self) -> bool;

    /// This, divided.
    fn divided(self, divisor: f64) -> Self;
}

impl<C: Cell> Addend<C> for f64 {
    fn into_cell(self) -> C {
        C::of(self)
    }

    fn add_to(self, cell: &mut C) {
        cell.add(self);
    }

    fn times(self, factor: f64) -> Self {
        self * factor
    }
}

impl Cell for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn add(&mut self, value: f64) {
        *self += value;
    }

    fn value(self) -> f64 {
        self
    }

    fn total(self) -> f64 {
        self
    }

    fn is_empty(self) -> bool {
        self == 0.0
    }

    fn divided(self, divisor: f64) -> Self {
        self / divisor
    }
}

/// A running sum after Kahan and Neumaier: what rounding took away is kept beside it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compensated {
    sum: f64,
    error: f64,
}

impl Addend<Compensated> for Compensated {
    fn into_cell(self) -> Compensated {
        self
    }

    fn add_to(self, cell: &mut Compensated) {
        cell.add(self.sum);
        if self.error != 0.0 {
            cell.add(self.error);
        }
    }

    fn times(self, factor: f64) -> Self {
        Self {
            sum: self.sum * factor,
            error: self.error * factor,
        }
    }
}

impl Cell for Compensated {
    fn of(value: f64) -> Self {
        Self {
            sum: value,
            error: 0.0,
        }
    }

    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if sum.is_infinite() {
            // The difference below would be NaN, and an infinite sum has no error worth keeping.
            self.error = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.error += (self.sum - sum) + value;
        } else {
            self.error += (value - sum) + self.sum;
        }
        self.sum = sum;
    }

    fn value(self) -> f64 {
        self.sum
    }

    fn total(self) -> f64 {
        self.sum + self.error
    }

    fn is_empty(self) -> bool {
        self.sum == 0.0 && self.error == 0.0
    }

    fn divided(self, divisor: f64) -> Self {
        Self {
            sum: self.sum / divisor,
            error: self.error / divisor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut cell = Compensated::default();
        for value in values {
            cell.add(*value);
        }
        cell.total()
    }

    #[test]
    fn what_rounding_takes_away_comes_back() {
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!([1.0, 1e100, 1.0, -1e100].iter().sum::<f64>(), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
    }

    #[test]
    fn an_infinite_sum_is_infinite_and_not_nan() {
        assert_eq!(sum(&[f64::MAX, f64::MAX, 1.0]), f64::INFINITY);
        assert_eq!(sum(&[1.0, f64::NEG_INFINITY]), f64::NEG_INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }
}

//! Sums and means of many histograms, of one series over time or of many series at one instant.
//!
//! Sums are compensated for rounding. A mean is the sum divided by the number of histograms for as long as that sum is
//! finite, because this is the more exact way, and is carried on step by step from where it would overflow.
//!
//! Source: Prometheus 3.13, `sum_over_time`, `avg_over_time`, and the aggregations `sum` and `avg`.

use barograph_model::ResetHint;

use super::{
    FloatHistogram,
    body::{Body, MixedSchemas, Reconciled},
    cell::{Addend, Cell, Compensated},
};

/// What was noticed while histograms were put together.
#[derive(Debug, Clone, Copy, Default)]
struct Noticed {
    reset_seen: bool,
    no_reset_seen: bool,
    bounds: bool,
}

impl Noticed {
    fn hint(&mut self, hint: ResetHint) {
        self.reset_seen |= hint == ResetHint::Yes;
        self.no_reset_seen |= hint == ResetHint::No;
    }

    fn reconciled(self) -> Reconciled {
        Reconciled {
            reset_collision: self.reset_seen && self.no_reset_seen,
            bounds: self.bounds,
        }
    }
}

/// A sum of histograms.
#[derive(Debug, Clone)]
pub struct HistogramSum {
    body: Body<Compensated>,
    noticed: Noticed,
}

impl HistogramSum {
    /// The sum of one.
    #[must_use]
    pub fn new(first: &FloatHistogram) -> Self {
        let mut noticed = Noticed::default();
        noticed.hint(first.reset_hint());
        Self {
            body: first.0.map(Addend::into_cell),
            noticed,
        }
    }

    /// Adds another. O(buckets of both).
    ///
    /// # Errors
    /// [`MixedSchemas`]; then there is no sum of these histograms.
    pub fn push(&mut self, histogram: &FloatHistogram) -> Result<(), MixedSchemas> {
        self.noticed.hint(histogram.reset_hint());
        self.noticed.bounds |= self.body.add(&histogram.0, 1.0)?.bounds;
        Ok(())
    }

    /// The sum, with its empty buckets, which the aggregation `sum` takes away and `sum_over_time` does not; and what
    /// had to be settled.
    #[must_use]
    pub fn finish(self) -> (FloatHistogram, Reconciled) {
        let sum = FloatHistogram(self.body.map(Cell::total));
        (sum, self.noticed.reconciled())
    }
}

/// A mean of histograms.
#[derive(Debug, Clone)]
pub struct HistogramMean {
    /// The sum, or the mean once the sum would have been infinite.
    body: Body<Compensated>,
    is_incremental: bool,
    histograms: f64,
    /// No number in `body` is larger than this. It spares a copy at each step.
    magnitude: f64,
    noticed: Noticed,
}

impl HistogramMean {
    /// The mean of one.
    #[must_use]
    pub fn new(first: &FloatHistogram) -> Self {
        let mut noticed = Noticed::default();
        noticed.hint(first.reset_hint());
        Self {
            body: first.0.map(Addend::into_cell),
            is_incremental: false,
            histograms: 1.0,
            magnitude: magnitude(&first.0),
            noticed,
        }
    }

    /// Takes another in. O(buckets of both).
    ///
    /// # Errors
    /// [`MixedSchemas`]; then there is no mean of these histograms.
    pub fn push(&mut self, histogram: &FloatHistogram) -> Result<(), MixedSchemas> {
        self.noticed.hint(histogram.reset_hint());
        self.histograms += 1.0;
        if !self.is_incremental && self.add_to_sum(histogram)? {
            return Ok(());
        }
        let share = (self.histograms - 1.0) / self.histograms;
        self.body.change(|cell| cell.times(share));
        let mut addend = histogram.clone();
        addend.divide(self.histograms);
        self.noticed.bounds |= self.body.add(&addend.0, 1.0)?.bounds;
        Ok(())
    }

    /// Adds to the sum. False where that would be infinite: then the mean of those before stands instead.
    fn add_to_sum(&mut self, histogram: &FloatHistogram) -> Result<bool, MixedSchemas> {
        self.magnitude += magnitude(&histogram.0);
        if self.magnitude < f64::MAX / 2.0 {
            self.noticed.bounds |= self.body.add(&histogram.0, 1.0)?.bounds;
            return Ok(true);
        }
        let mut sum = self.body.clone();
        self.noticed.bounds |= sum.add(&histogram.0, 1.0)?.bounds;
        if !sum.has_overflow() {
            self.body = sum;
            return Ok(true);
        }
        let before = self.histograms - 1.0;
        self.body.change(|cell| cell.divided(before));
        self.is_incremental = true;
        Ok(false)
    }

    /// The mean, with its empty buckets, and what had to be settled.
    #[must_use]
    pub fn finish(self) -> (FloatHistogram, Reconciled) {
        let divisor = if self.is_incremental { 1.0 } else { self.histograms };
        let mean = FloatHistogram(self.body.map(|cell| cell.divided(divisor).total()));
        (mean, self.noticed.reconciled())
    }
}

/// A number that no sum of this histogram's numbers exceeds; NaN where one of them is.
fn magnitude(body: &Body<f64>) -> f64 {
    let cells = body.positive.cells().iter().chain(body.negative.cells());
    let scalars = body.zero_count.abs() + body.count.abs() + body.sum.abs();
    cells.fold(scalars, |sum, cell| sum + cell.abs())
}

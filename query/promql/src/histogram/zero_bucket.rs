//! Two zero buckets of different widths: the narrower one grows until it covers the wider and cuts no bucket in two.
//!
//! A zero bucket that ends inside a bucket with observations would leave it open which of them it holds, so it is
//! widened to that bucket's end, and the other histogram's zero bucket after it, until both agree. The bounds of a
//! coarse schema are bounds of every finer one too, so that this ends after at most three rounds.

use super::{
    body::{Body, Sign},
    cell::{Addend, Cell},
};

impl<C: Cell> Body<C> {
    /// Makes this histogram's zero bucket as wide as both need it, and gives what `other` has in a zero bucket of that
    /// width.
    pub(super) fn reconcile_zero_buckets(&mut self, other: &Body<f64>) -> C {
        let (mut count, mut threshold) = (other.zero_count.into_cell(), other.zero_threshold);
        while threshold != self.zero_threshold {
            if self.zero_threshold > threshold {
                (count, threshold) = other.zero_count_within(self.zero_threshold);
            }
            if threshold > self.zero_threshold {
                (self.zero_count, self.zero_threshold) = self.zero_count_within(threshold);
                self.clear_buckets_in_zero_bucket();
            }
        }
        count
    }

    /// What the zero bucket would hold with a larger threshold, and that threshold: raised to the end of the bucket
    /// with observations that it would cut, if any.
    pub(super) fn zero_count_within<D>(&self, threshold: f64) -> (D, f64)
    where
        C: Addend<D>,
    {
        let mut threshold = threshold;
        loop {
            let mut count = self.zero_count.into_cell();
            if threshold == self.zero_threshold {
                return (count, threshold);
            }
            if let Some(end) = self.gather(Sign::Positive, threshold, &mut count) {
                threshold = end;
            }
            match self.gather(Sign::Negative, threshold, &mut count) {
                None => return (count, threshold),
                // The positive side was gathered with a threshold that does not hold any more.
                Some(end) => threshold = end,
            }
        }
    }

    /// Adds the buckets of one side that begin below the threshold. Gives the end of the last of them where it lies
    /// beyond the threshold and something is in it.
    fn gather<D>(&self, sign: Sign, threshold: f64, count: &mut D) -> Option<f64>
    where
        C: Addend<D>,
    {
        for (index, cell) in self.side(sign).iter() {
            if self.bound(index.saturating_sub(1)) >= threshold {
                break;
            }
            cell.add_to(count);
            let end = self.bound(index);
            if end > threshold {
                return (cell.value() != 0.0).then_some(end);
            }
        }
        None
    }

    /// Takes away the buckets that the zero bucket now covers, and all other empty ones.
    fn clear_buckets_in_zero_bucket(&mut self) {
        let within = |index: i32| self.bound(index.saturating_sub(1)) < self.zero_threshold;
        let covered = |indexes: &[i32]| indexes.iter().take_while(|index| within(**index)).count();
        let (positive, negative) = (covered(self.positive.indexes()), covered(self.negative.indexes()));
        self.positive.cells_mut()[..positive].fill(C::default());
        self.negative.cells_mut()[..negative].fill(C::default());
        self.compact();
    }
}

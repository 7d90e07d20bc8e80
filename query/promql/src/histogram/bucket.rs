//! The buckets of a histogram in the order of what they hold, with their bounds.

use super::{
    FloatHistogram,
    body::{Body, Sign},
    cell::Cell,
};

/// A bucket: how many observations lie between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// Whether an observation of the lower bound is in it.
    pub lower_inclusive: bool,
    /// Whether an observation of the upper bound is in it.
    pub upper_inclusive: bool,
    /// How many observations.
    pub count: f64,
}

impl Bucket {
    /// No bucket: what Prometheus' loops start from.
    pub(super) const NONE: Self = Self {
        lower: 0.0,
        upper: 0.0,
        lower_inclusive: false,
        upper_inclusive: false,
        count: 0.0,
    };
}

/// A bucket whose bounds have not been asked for yet. Many walks need those of one bucket only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    place: Place,
    pub(super) count: f64,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Negative(i32),
    Zero,
    Positive(i32),
}

impl FloatHistogram {
    /// The buckets from the lowest to the highest, empty ones too but for the zero bucket, which is among them where
    /// its count is above 0. A bucket that reaches into the zero bucket begins or ends where that ends.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        self.0.slots().map(|slot| self.0.bucket(slot))
    }
}

impl Body<f64> {
    /// The buckets of [`FloatHistogram::buckets`].
    pub(super) fn slots(&self) -> impl DoubleEndedIterator<Item = Slot> + '_ {
        let negative = self.negative.iter().rev().map(|(index, count)| Slot {
            place: Place::Negative(index),
            count,
        });
        let zero = (self.zero_count > 0.0 && !self.is_custom()).then_some(Slot {
            place: Place::Zero,
            count: self.zero_count,
        });
        let positive = self.positive.iter().map(|(index, count)| Slot {
            place: Place::Positive(index),
            count,
        });
        negative.chain(zero).chain(positive)
    }

    /// The bucket of a slot, cut where it reaches into the zero bucket.
    pub(super) fn bucket(&self, slot: Slot) -> Bucket {
        let mut bucket = match slot.place {
            Place::Negative(index) => self.negative_bucket(index, slot.count),
            Place::Zero => return self.zero_bucket(),
            Place::Positive(index) => self.positive_bucket(index, slot.count),
        };
        if bucket.lower > 0.0 && bucket.lower < self.zero_threshold {
            bucket.lower = self.zero_threshold;
        } else if bucket.upper < 0.0 && bucket.upper > -self.zero_threshold {
            bucket.upper = -self.zero_threshold;
        }
        bucket
    }

    /// A positive bucket, with the bounds that the schema gives it.
    pub(super) fn positive_bucket(&self, index: i32, count: f64) -> Bucket {
        let (lower, upper) = (self.bound(index.saturating_sub(1)), self.bound(index));
        Bucket {
            lower,
            upper,
            // The first bucket of custom bounds begins at -Inf, which can be observed.
            lower_inclusive: if self.is_custom() { index == 0 } else { lower < 0.0 },
            upper_inclusive: self.is_custom() || upper > 0.0,
            count,
        }
    }

    /// A negative bucket.
    pub(super) fn negative_bucket(&self, index: i32, count: f64) -> Bucket {
        let (lower, upper) = (-self.bound(index), -self.bound(index.saturating_sub(1)));
        Bucket {
            lower,
            upper,
            lower_inclusive: lower < 0.0,
            upper_inclusive: upper > 0.0,
            count,
        }
    }

    /// The zero bucket.
    pub(super) fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// Which side the zero bucket is taken to be on: with observations of one sign only, all that are near 0 are
    /// taken to have that sign too. Empty buckets decide as others do.
    pub(super) fn lone_sign(&self) -> Option<Sign> {
        match (self.negative.len(), self.positive.len()) {
            (0, 1..) => Some(Sign::Positive),
            (1.., 0) => Some(Sign::Negative),
            _ => None,
        }
    }
}

impl<C: Cell> Body<C> {
    /// All observations that are in buckets, in the order of [`FloatHistogram::buckets`].
    #[cfg(test)]
    pub(super) fn observations(&self) -> f64 {
        let sides = self.negative.cells().iter().chain(self.positive.cells());
        self.zero_count.total() + sides.map(|cell| cell.total()).sum::<f64>()
    }
}

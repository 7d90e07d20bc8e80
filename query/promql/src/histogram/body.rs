//! The fields of a histogram over either kind of cell, and how one is added to another.
//!
//! Invariants:
//! - the schema is -4 to 8 or -53; the zero threshold is not NaN and not negative;
//! - with schema -53 there are only positive buckets, from index 0 to the number of bounds, and nothing is in the zero
//!   bucket; otherwise there are no custom bounds.
//!
//! Source: Prometheus 3.13, `Add`, `Sub` and `KahanAdd` of float histograms.

use std::sync::Arc;

use barograph_model::{CUSTOM_BUCKETS_SCHEMA, ResetHint};

use super::{
    bounds::{custom_bound, exponential_bound},
    cell::Cell,
    custom_bounds,
    side::Side,
};

/// Why two histograms cannot be added, subtracted or compared: one has exponential buckets and the other custom ones.
///
/// Between two operands Prometheus annotates [`INCOMPATIBLE_OPERANDS`](super::annotation::INCOMPATIBLE_OPERANDS),
/// elsewhere [`MIXED_SCHEMAS`](super::annotation::MIXED_SCHEMAS); either way the sample is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
pub struct MixedSchemas;

/// What had to be settled between two histograms that were put together. The result stands; Prometheus annotates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// One hint said that the counter was reset and the other that it was not; now nothing is known
    /// ([`RESET_COLLISION`](super::annotation::RESET_COLLISION)).
    pub reset_collision: bool,
    /// Their custom bounds were not the same, and those that both have are left
    /// ([`BOUNDS_RECONCILED`](super::annotation::BOUNDS_RECONCILED)).
    pub bounds: bool,
}

/// Above or below 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Positive,
    Negative,
}

/// The fields.
#[derive(Debug, Clone)]
pub(super) struct Body<C> {
    pub(super) schema: i32,
    pub(super) reset_hint: ResetHint,
    pub(super) zero_threshold: f64,
    pub(super) zero_count: C,
    pub(super) count: C,
    pub(super) sum: C,
    pub(super) positive: Side<C>,
    pub(super) negative: Side<C>,
    pub(super) custom_values: Arc<[f64]>,
}

impl<C: Cell> Body<C> {
    /// A histogram without observations.
    pub(super) fn empty(schema: i32, custom_values: Arc<[f64]>) -> Self {
        Self {
            schema,
            reset_hint: ResetHint::Unknown,
            zero_threshold: 0.0,
            zero_count: C::default(),
            count: C::default(),
            sum: C::default(),
            positive: Side::default(),
            negative: Side::default(),
            custom_values,
        }
    }

    /// Whether the buckets have custom bounds.
    pub(super) fn is_custom(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// The upper bound of a positive bucket; a negative one mirrors it.
    pub(super) fn bound(&self, index: i32) -> f64 {
        if self.is_custom() {
            custom_bound(index, &self.custom_values)
        } else {
            exponential_bound(index, self.schema)
        }
    }

    /// The same histogram over other cells.
    pub(super) fn map<D: Cell>(&self, mut change: impl FnMut(C) -> D) -> Body<D> {
        Body {
            schema: self.schema,
            reset_hint: self.reset_hint,
            zero_threshold: self.zero_threshold,
            zero_count: change(self.zero_count),
            count: change(self.count),
            sum: change(self.sum),
            positive: self.positive.map(&mut change),
            negative: self.negative.map(&mut change),
            custom_values: Arc::clone(&self.custom_values),
        }
    }

    /// Changes every count and the sum.
    pub(super) fn change(&mut self, mut change: impl FnMut(C) -> C) {
        for cell in [&mut self.zero_count, &mut self.count, &mut self.sum] {
            *cell = change(*cell);
        }
        for side in [&mut self.positive, &mut self.negative] {
            for cell in side.cells_mut() {
                *cell = change(*cell);
            }
        }
    }

    /// Whether any count or the sum is infinite.
    pub(super) fn has_overflow(&self) -> bool {
        let scalars = [self.zero_count, self.count, self.sum];
        let cells = scalars
            .iter()
            .chain(self.positive.cells())
            .chain(self.negative.cells());
        cells.into_iter().any(|cell| cell.value().is_infinite())
    }

    /// Takes the empty buckets away.
    pub(super) fn compact(&mut self) {
        self.positive.compact();
        self.negative.compact();
    }

    /// Brings an exponential histogram to a coarser schema; one that is as coarse already stays.
    pub(super) fn reduce_to(&mut self, schema: i32) {
        if let Some(steps) = steps(self.schema, schema) {
            self.positive = self.positive.coarser(steps, 0);
            self.negative = self.negative.coarser(steps, 0);
            self.schema = schema;
        }
    }

    /// Adds `other`, times `factor`.
    ///
    /// The coarser of two schemas and the wider of two zero buckets win; of two lists of custom bounds the common
    /// bounds are left. Empty buckets stay: see [`Body::compact`].
    ///
    /// # Errors
    /// [`MixedSchemas`]; then nothing has changed.
    pub(super) fn add(&mut self, other: &Body<f64>, factor: f64) -> Result<Reconciled, MixedSchemas> {
        if self.is_custom() != other.is_custom() {
            return Err(MixedSchemas);
        }
        let mut reconciled = Reconciled {
            reset_collision: self.merge_hint(other.reset_hint),
            bounds: false,
        };
        if self.is_custom() {
            if custom_bounds::are_equal(&self.custom_values, &other.custom_values) {
                self.positive.add(&other.positive, 0, factor);
            } else {
                reconciled.bounds = true;
                self.add_on_common_bounds(other, factor);
            }
        } else {
            let zero_count: C = self.reconcile_zero_buckets(other);
            zero_count.times(factor).add_to(&mut self.zero_count);
            self.reduce_to(other.schema);
            self.add_side(other, factor, Sign::Positive);
            self.add_side(other, factor, Sign::Negative);
        }
        self.count.add(other.count * factor);
        self.sum.add(other.sum * factor);
        Ok(reconciled)
    }

    /// Adds the buckets of one sign, without those that lie within the zero bucket, since they are counted there.
    ///
    /// Prometheus leaves them out after it has brought them to the coarser schema, so that a bucket which then reaches
    /// beyond the zero bucket is counted in both. Here every observation is counted once, in whichever order two
    /// histograms are added.
    fn add_side(&mut self, other: &Body<f64>, factor: f64, sign: Sign) {
        let skipped = other.buckets_within(self.zero_threshold, sign);
        let (side, other_side) = match sign {
            Sign::Positive => (&mut self.positive, &other.positive),
            Sign::Negative => (&mut self.negative, &other.negative),
        };
        match steps(other.schema, self.schema) {
            None => side.add(other_side, skipped, factor),
            Some(steps) => side.add(&other_side.coarser::<C>(steps, skipped), 0, factor),
        }
    }

    /// How many buckets of one sign end within a zero bucket of this width.
    pub(super) fn buckets_within(&self, zero_threshold: f64, sign: Sign) -> usize {
        let within = |index: &&i32| self.bound(**index) <= zero_threshold;
        self.side(sign).indexes().iter().take_while(within).count()
    }

    /// The buckets of one sign.
    pub(super) fn side(&self, sign: Sign) -> &Side<C> {
        match sign {
            Sign::Positive => &self.positive,
            Sign::Negative => &self.negative,
        }
    }

    fn add_on_common_bounds(&mut self, other: &Body<f64>, factor: f64) {
        let common = custom_bounds::common(&self.custom_values, &other.custom_values);
        let mut cells = vec![C::default(); common.len() + 1];
        custom_bounds::spread(&self.positive, &self.custom_values, &common, |place, cell| {
            cell.add_to(&mut cells[place]);
        });
        custom_bounds::spread(&other.positive, &other.custom_values, &common, |place, count| {
            cells[place].add(count * factor);
        });
        self.positive = Side::from_dense(&cells);
        self.custom_values = common;
    }

    /// Settles what is known of resets after another histogram has been put to this one; true when the two hints
    /// contradict one another. Histograms that are added should be gauges, and then there is nothing to settle.
    fn merge_hint(&mut self, other: ResetHint) -> bool {
        let own = self.reset_hint;
        self.reset_hint = match (own, other) {
            _ if own == other => own,
            (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => ResetHint::Gauge,
            _ => ResetHint::Unknown,
        };
        matches!(
            (own, other),
            (ResetHint::Yes, ResetHint::No) | (ResetHint::No, ResetHint::Yes)
        )
    }
}

/// How many times the resolution is halved from one exponential schema to another; `None` where it is not.
pub(super) fn steps(from: i32, to: i32) -> Option<u32> {
    match u32::try_from(i64::from(from) - i64::from(to)) {
        Ok(0) | Err(_) => None,
        Ok(steps) => Some(steps),
    }
}

//! A native histogram as the evaluator calculates with it.

use std::sync::Arc;

use barograph_model::{
    CUSTOM_BUCKETS_SCHEMA, Histogram, HistogramCounts, HistogramError, HistogramParts, ResetHint, Span,
    is_stale,
};

use super::{
    body::{Body, MixedSchemas, Reconciled},
    custom_bounds,
    side::Side,
};

/// A native histogram of float counts: exponential buckets of schema -4 to 8, or custom bounds (schema -53).
///
/// Unlike a stored [`Histogram`] it may hold negative counts, which subtraction gives. A clone shares the list of
/// buckets and copies their counts, 8 bytes a bucket.
#[derive(Debug, Clone)]
pub struct FloatHistogram(pub(super) Body<f64>);

impl FloatHistogram {
    /// An exponential histogram of schema 0 without observations.
    #[must_use]
    pub fn empty() -> Self {
        Self(Body::empty(0, Arc::default()))
    }

    /// The stored histogram as floats. O(buckets).
    ///
    /// Counts beyond 2^53 are rounded. A zero threshold that is no width (NaN, or negative) counts as 0.
    #[must_use]
    pub fn from_stored(histogram: &Histogram) -> Self {
        Self::from_stored_beside(histogram, &Self::empty())
    }

    /// The same as [`from_stored`](Self::from_stored), but shares the list of buckets and the custom bounds with a
    /// `neighbour` that has the same ones, as the sample before it mostly has. This halves the memory of a window and
    /// spares its arithmetic the comparison of layouts.
    #[must_use]
    pub fn from_stored_beside(histogram: &Histogram, neighbour: &Self) -> Self {
        let parts = histogram.parts();
        let (count, zero_count) = match parts.counts {
            HistogramCounts::Integer {
                count, zero_count, ..
            } => (count as f64, zero_count as f64),
            HistogramCounts::Float {
                count, zero_count, ..
            } => (count, zero_count),
        };
        let (positive, negative): (Vec<f64>, Vec<f64>) = match &parts.counts {
            HistogramCounts::Integer {
                positive, negative, ..
            } => (
                positive.iter().map(|&count| count as f64).collect(),
                negative.iter().map(|&count| count as f64).collect(),
            ),
            HistogramCounts::Float {
                positive, negative, ..
            } => (positive.clone(), negative.clone()),
        };
        let neighbour = &neighbour.0;
        let custom_values = if *neighbour.custom_values == *parts.custom_values {
            Arc::clone(&neighbour.custom_values)
        } else {
            parts.custom_values.as_slice().into()
        };
        Self(Body {
            schema: parts.schema,
            reset_hint: parts.reset_hint,
            zero_threshold: parts.zero_threshold.max(0.0),
            zero_count,
            count,
            sum: parts.sum,
            positive: Side::from_spans(&parts.positive_spans, positive, &neighbour.positive),
            negative: Side::from_spans(&parts.negative_spans, negative, &neighbour.negative),
            custom_values,
        })
    }

    /// The histogram as a recording rule stores it, with float counts and its empty buckets taken away.
    ///
    /// # Errors
    /// [`HistogramError`] where it cannot be stored: with negative counts, or too many buckets.
    pub fn to_stored(&self) -> Result<Histogram, HistogramError> {
        let mut body = self.0.clone();
        body.compact();
        Histogram::new(HistogramParts {
            schema: body.schema,
            reset_hint: body.reset_hint,
            created: None,
            sum: body.sum,
            zero_threshold: body.zero_threshold,
            positive_spans: spans(body.positive.indexes()),
            negative_spans: spans(body.negative.indexes()),
            counts: HistogramCounts::Float {
                count: body.count,
                zero_count: body.zero_count,
                positive: body.positive.cells().to_vec(),
                negative: body.negative.cells().to_vec(),
            },
            custom_values: body.custom_values.to_vec(),
        })
    }

    /// Resolution: -4 (coarse) to 8 (fine), or -53 for custom bounds.
    #[must_use]
    pub fn schema(&self) -> i32 {
        self.0.schema
    }

    /// Whether the buckets have custom bounds.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.0.is_custom()
    }

    /// The custom bounds; none with an exponential schema.
    #[must_use]
    pub fn custom_values(&self) -> &[f64] {
        &self.0.custom_values
    }

    /// How often something was observed (`histogram_count`).
    #[must_use]
    pub fn count(&self) -> f64 {
        self.0.count
    }

    /// The sum of what was observed (`histogram_sum`); NaN where NaN was observed.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.0.sum
    }

    /// How often something was observed within [`zero_threshold`](Self::zero_threshold) of 0.
    #[must_use]
    pub fn zero_count(&self) -> f64 {
        self.0.zero_count
    }

    /// How far from 0 the zero bucket reaches.
    #[must_use]
    pub fn zero_threshold(&self) -> f64 {
        self.0.zero_threshold
    }

    /// What is known of a reset of the counter before this sample.
    #[must_use]
    pub fn reset_hint(&self) -> ResetHint {
        self.0.reset_hint
    }

    /// Says what is known of a reset. The evaluator says [`ResetHint::Unknown`] of a sample whose predecessor it has
    /// not seen.
    pub fn set_reset_hint(&mut self, hint: ResetHint) {
        self.0.reset_hint = hint;
    }

    /// Whether this marks the series as gone.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        is_stale(self.0.sum)
    }

    /// Bytes of memory, itself included, shared lists counted in full.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let buckets = self.0.positive.len() + self.0.negative.len();
        size_of::<Self>() + 12 * buckets + 8 * self.0.custom_values.len()
    }

    /// Whether both are the same sample: schema, bounds, zero threshold, and count, sum and buckets bit by bit. The
    /// reset hint does not matter; empty buckets do, so `==` in a query compares compacted histograms.
    ///
    /// This is what `changes`, `==` and `!=` go by.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        let same_side = |a: &Side<f64>, b: &Side<f64>| {
            let mut pairs = a.cells().iter().zip(b.cells());
            a.has_layout_of(b) && pairs.all(|(a, b)| same(*a, *b))
        };
        a.schema == b.schema
            && same(a.count, b.count)
            && same(a.sum, b.sum)
            && custom_bounds::are_equal(&a.custom_values, &b.custom_values)
            && a.zero_threshold == b.zero_threshold
            && same(a.zero_count, b.zero_count)
            && same_side(&a.negative, &b.negative)
            && same_side(&a.positive, &b.positive)
    }

    /// Takes the empty buckets away.
    pub fn compact(&mut self) {
        self.0.compact();
    }

    /// Brings an exponential histogram to a coarser schema. A schema that is not coarser, or that has custom bounds,
    /// changes nothing.
    pub fn reduce_to(&mut self, schema: i32) {
        if schema != CUSTOM_BUCKETS_SCHEMA && !self.is_custom() {
            self.0.reduce_to(schema.max(-4));
        }
    }

    /// Adds another histogram in place; the coarser schema, the wider zero bucket and the common custom bounds win.
    /// Empty buckets stay. O(buckets of both).
    ///
    /// # Errors
    /// [`MixedSchemas`]; then nothing has changed.
    pub fn add(&mut self, other: &Self) -> Result<Reconciled, MixedSchemas> {
        self.0.add(&other.0, 1.0)
    }

    /// Subtracts another histogram in place, as [`add`](Self::add) adds it. Counts may become negative.
    ///
    /// # Errors
    /// [`MixedSchemas`]; then nothing has changed.
    pub fn subtract(&mut self, other: &Self) -> Result<Reconciled, MixedSchemas> {
        self.0.add(&other.0, -1.0)
    }

    /// Multiplies all counts and the sum. A negative factor makes a gauge of it.
    pub fn multiply(&mut self, factor: f64) {
        self.0.change(|cell| cell * factor);
        if factor < 0.0 {
            self.0.reset_hint = ResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum. A negative divisor makes a gauge of it; 0 leaves no buckets.
    pub fn divide(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.0.positive.clear();
            self.0.negative.clear();
        }
        self.0.change(|cell| cell / divisor);
        if divisor < 0.0 {
            self.0.reset_hint = ResetHint::Gauge;
        }
    }

    /// `self + other` as the operator gives it: compacted.
    ///
    /// # Errors
    /// [`MixedSchemas`].
    pub fn plus(&self, other: &Self) -> Result<(Self, Reconciled), MixedSchemas> {
        let mut result = self.clone();
        let reconciled = result.add(other)?;
        result.compact();
        Ok((result, reconciled))
    }

    /// `self - other` as the operator gives it: a gauge, compacted.
    ///
    /// # Errors
    /// [`MixedSchemas`].
    pub fn minus(&self, other: &Self) -> Result<(Self, Reconciled), MixedSchemas> {
        let mut result = self.clone();
        let reconciled = result.subtract(other)?;
        result.set_reset_hint(ResetHint::Gauge);
        result.compact();
        Ok((result, reconciled))
    }

    /// `-self`: a gauge.
    #[must_use]
    pub fn negated(&self) -> Self {
        let mut result = self.clone();
        result.multiply(-1.0);
        result
    }
}

impl From<&Histogram> for FloatHistogram {
    fn from(histogram: &Histogram) -> Self {
        Self::from_stored(histogram)
    }
}

/// The spans of ascending indexes. A gap of more than half the range of 32 bits, which no stored histogram has, is
/// cut into two by a span without buckets.
fn spans(indexes: &[i32]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0i64;
    for &index in indexes {
        let mut gap = i64::from(index) - next;
        match spans.last_mut() {
            Some(last) if gap == 0 => last.length += 1,
            _ => {
                if gap > i64::from(i32::MAX) {
                    gap -= i64::from(i32::MAX);
                    spans.push(Span {
                        offset: i32::MAX,
                        length: 0,
                    });
                }
                // What is left fits: the indexes themselves are 32 bits wide.
                spans.push(Span {
                    offset: gap as i32,
                    length: 1,
                });
            }
        }
        next = i64::from(index) + 1;
    }
    spans
}

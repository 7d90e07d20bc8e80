//! How far a histogram went up or down over a window of samples.
//!
//! The functions take samples in the order of time and give the plain difference; spreading it over the window's
//! length, or to a second, is the caller's.
//!
//! Source: Prometheus 3.13, `histogramRate` and `instantValue`. Resets told by start timestamps, a feature that
//! Prometheus has behind a flag, are not regarded.

use std::borrow::Borrow;

use barograph_model::ResetHint;

use super::{
    FloatHistogram,
    body::{Body, MixedSchemas},
};

/// A difference over a window. Prometheus annotates whatever is true here.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// The difference, a gauge, compacted. `None` where there is none: for less than two samples, or with
    /// [`mixed_schemas`](Self::mixed_schemas).
    pub histogram: Option<FloatHistogram>,
    /// Exponential and custom buckets are mixed ([`MIXED_SCHEMAS`](super::annotation::MIXED_SCHEMAS)).
    pub mixed_schemas: bool,
    /// A counter's function was applied to a gauge ([`NOT_A_COUNTER`](super::annotation::NOT_A_COUNTER)).
    pub not_a_counter: bool,
    /// A gauge's function was applied to a counter ([`NOT_A_GAUGE`](super::annotation::NOT_A_GAUGE)).
    pub not_a_gauge: bool,
    /// Custom bounds were reconciled where the first sample was subtracted
    /// ([`BOUNDS_RECONCILED`](super::annotation::BOUNDS_RECONCILED) with `subtraction`).
    pub bounds_in_subtraction: bool,
    /// Custom bounds were reconciled where samples before a reset were added (the same with `addition`).
    pub bounds_in_addition: bool,
}

impl Difference {
    /// No difference, because schemas are mixed. What was noticed before is kept only where Prometheus keeps it.
    fn mixed(not_a_counter: bool) -> Self {
        Self {
            mixed_schemas: true,
            not_a_counter,
            ..Self::default()
        }
    }
}

/// How far a counter went up from the first sample to the last, what it counted before each reset added. O(all
/// buckets). This is what `rate` and `increase` extrapolate.
pub fn increase<H: Borrow<FloatHistogram>>(samples: &[H]) -> Difference {
    let (Some((first, rest)), Some(last)) = (samples.split_first(), samples.last()) else {
        return Difference::default();
    };
    let Some(second) = rest.first() else {
        return Difference::default();
    };
    let (first, second, last) = (first.borrow(), second.borrow(), last.borrow());
    let is_gauge = |histogram: &FloatHistogram| histogram.reset_hint() == ResetHint::Gauge;
    let mut not_a_counter = is_gauge(first) || is_gauge(last);
    // With a reset right behind it the first sample does not matter, and neither does its layout.
    let nothing;
    let first = if second.detect_reset(first) {
        nothing = FloatHistogram(Body::empty(second.schema(), second.0.custom_values.clone()));
        &nothing
    } else {
        first
    };
    if last.is_custom() != first.is_custom() {
        return Difference::mixed(not_a_counter);
    }
    let mut schema = last.schema().min(first.schema());
    for middle in rest[..rest.len() - 1].iter().map(Borrow::borrow) {
        not_a_counter |= is_gauge(middle);
        schema = schema.min(middle.schema());
        if middle.is_custom() != first.is_custom() {
            return Difference::mixed(false);
        }
    }
    sum_up(first, rest, schema).map_or_else(
        |MixedSchemas| Difference::mixed(false),
        |difference| Difference {
            not_a_counter,
            ..difference
        },
    )
}

/// The last of the samples `rest` less `first`, more what each held that a reset followed.
fn sum_up<H: Borrow<FloatHistogram>>(
    first: &FloatHistogram,
    rest: &[H],
    schema: i32,
) -> Result<Difference, MixedSchemas> {
    let mut difference = Difference::default();
    let Some(last) = rest.last() else {
        return Ok(difference);
    };
    let mut histogram = last.borrow().clone();
    histogram.reduce_to(schema);
    difference.bounds_in_subtraction = histogram.subtract(first)?.bounds;
    let mut previous = first;
    for sample in rest.iter().map(Borrow::borrow) {
        if sample.detect_reset(previous) {
            difference.bounds_in_addition |= histogram.add(previous)?.bounds;
        }
        previous = sample;
    }
    difference.histogram = Some(as_difference(histogram));
    Ok(difference)
}

/// How far a gauge went from the first sample to the last; those between do not matter. O(buckets of both). This is
/// what `delta` extrapolates.
pub fn delta<H: Borrow<FloatHistogram>>(samples: &[H]) -> Difference {
    match samples {
        [first, .., last] => gauge_difference(first.borrow(), last.borrow()),
        _ => Difference::default(),
    }
}

/// How far a counter went up between two neighbouring samples: `irate`, before it is divided by their distance.
#[must_use]
pub fn instant_increase(previous: &FloatHistogram, last: &FloatHistogram) -> Difference {
    let is_gauge = |histogram: &FloatHistogram| histogram.reset_hint() == ResetHint::Gauge;
    let mut difference = Difference {
        not_a_counter: is_gauge(previous) || is_gauge(last),
        ..Difference::default()
    };
    if last.detect_reset(previous) {
        difference.histogram = Some(as_difference(last.clone()));
    } else {
        subtract(&mut difference, previous, last);
    }
    difference
}

/// How far a gauge went between two neighbouring samples: `idelta`.
#[must_use]
pub fn instant_delta(previous: &FloatHistogram, last: &FloatHistogram) -> Difference {
    gauge_difference(previous, last)
}

fn gauge_difference(first: &FloatHistogram, last: &FloatHistogram) -> Difference {
    let is_gauge = |histogram: &FloatHistogram| histogram.reset_hint() == ResetHint::Gauge;
    let mut difference = Difference {
        not_a_gauge: !is_gauge(first) || !is_gauge(last),
        ..Difference::default()
    };
    subtract(&mut difference, first, last);
    difference
}

fn subtract(difference: &mut Difference, first: &FloatHistogram, last: &FloatHistogram) {
    let mut histogram = last.clone();
    match histogram.subtract(first) {
        Ok(reconciled) => {
            difference.bounds_in_subtraction = reconciled.bounds;
            difference.histogram = Some(as_difference(histogram));
        }
        Err(MixedSchemas) => difference.mixed_schemas = true,
    }
}

fn as_difference(mut histogram: FloatHistogram) -> FloatHistogram {
    histogram.set_reset_hint(ResetHint::Gauge);
    histogram.compact();
    histogram
}

/// How many samples differ from the one before (`changes`).
pub fn changes<H: Borrow<FloatHistogram>>(samples: &[H]) -> usize {
    let pairs = samples.windows(2);
    pairs
        .filter(|pair| !pair[1].borrow().equals(pair[0].borrow()))
        .count()
}

/// How often the counter began anew (`resets`).
pub fn resets<H: Borrow<FloatHistogram>>(samples: &[H]) -> usize {
    let pairs = samples.windows(2);
    pairs
        .filter(|pair| pair[1].borrow().detect_reset(pair[0].borrow()))
        .count()
}

//! Whether a counter began anew between two samples.
//!
//! Source: Prometheus 3.13, `DetectReset` of float histograms.

use barograph_model::ResetHint;

use super::{
    FloatHistogram,
    body::{Body, Sign, steps},
    custom_bounds,
    side::Side,
};

impl FloatHistogram {
    /// Whether the counter was reset after `previous` and before this sample.
    ///
    /// The hint decides where it says yes or no. Otherwise it was reset if the count, the zero bucket or any bucket
    /// went down, if the resolution became finer, the zero bucket narrower, or custom bounds gave way to exponential
    /// ones or the other way round; different custom bounds are compared on those that both have. The sum does not
    /// count, since negative observations lower it. O(buckets of both).
    #[must_use]
    pub fn detect_reset(&self, previous: &Self) -> bool {
        let (current, previous) = (&self.0, &previous.0);
        match current.reset_hint {
            ResetHint::Yes => return true,
            ResetHint::No => return false,
            // A gauge has no resets, but who applies `rate` to one is given what a counter would have given.
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if current.count < previous.count || current.is_custom() != previous.is_custom() {
            return true;
        }
        if current.is_custom() {
            if custom_bounds::are_equal(&current.custom_values, &previous.custom_values) {
                return went_down(&current.positive, &previous.positive, 0);
            }
            return went_down_on_common_bounds(current, previous);
        }
        if current.schema > previous.schema || current.zero_threshold < previous.zero_threshold {
            return true;
        }
        let (zero_count, threshold): (f64, f64) = previous.zero_count_within(current.zero_threshold);
        // A zero bucket grows only over whole buckets, unless everything began anew.
        if threshold != current.zero_threshold || current.zero_count < zero_count {
            return true;
        }
        [Sign::Positive, Sign::Negative].into_iter().any(|sign| {
            let side = current.side(sign);
            let skipped = previous.buckets_within(current.zero_threshold, sign);
            match steps(previous.schema, current.schema) {
                None => went_down(side, previous.side(sign), skipped),
                Some(steps) => went_down(side, &previous.side(sign).coarser(steps, skipped), 0),
            }
        })
    }
}

/// Whether a bucket of `previous` but the first `skipped` has fewer observations now, or none and no bucket.
fn went_down(current: &Side<f64>, previous: &Side<f64>, skipped: usize) -> bool {
    if skipped == 0 && current.has_layout_of(previous) {
        let mut pairs = current.cells().iter().zip(previous.cells());
        return pairs.any(|(current, previous)| current < previous);
    }
    let mut current = current.iter().peekable();
    previous.iter().skip(skipped).any(|(index, previous)| {
        while current.next_if(|(i, _)| *i < index).is_some() {}
        match current.peek() {
            Some((i, current)) if *i == index => *current < previous,
            _ => previous != 0.0,
        }
    })
}

fn went_down_on_common_bounds(current: &Body<f64>, previous: &Body<f64>) -> bool {
    let common = custom_bounds::common(&current.custom_values, &previous.custom_values);
    let counts = |body: &Body<f64>| {
        let mut counts = vec![0.0; common.len() + 1];
        custom_bounds::spread(&body.positive, &body.custom_values, &common, |place, count| {
            counts[place] += count;
        });
        counts
    };
    let (current, previous) = (counts(current), counts(previous));
    current
        .iter()
        .zip(&previous)
        .any(|(current, previous)| current < previous)
}

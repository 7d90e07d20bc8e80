//! Samples at their own times -> one value at each step.
//!
//! A step at `t` stands for the samples in `(t - step, t]`. Steps are multiples of the step since the epoch, so
//! that they fall on the same instants after a restart.

use barograph_model::{TimestampMs, is_stale};

use crate::config::Transform;

/// For how many halves of a step the last sample still counts where none is newer: two and a half steps, so that a
/// scrape that is late, or falls just outside a step, leaves no hole.
const LOOKBACK_HALF_STEPS: i64 = 5;

/// Follows one series. Samples older than one that was already taken are passed over.
#[derive(Debug)]
pub struct Resampler {
    transform: Transform,
    step_ms: i64,
    /// the next step to give
    next: TimestampMs,
    last: Option<(i64, f64)>,
    /// `Rate`: where the increase is counted from
    base: Option<i64>,
    /// `Rate`: the increase since `base`
    increase: f64,
}

impl Resampler {
    /// Begins with the first step after `start`.
    #[must_use]
    pub fn new(transform: Transform, step_ms: i64, start: TimestampMs) -> Self {
        let next = start.align(step_ms).saturating_add(step_ms);
        Self {
            transform,
            step_ms,
            next,
            last: None,
            base: None,
            increase: 0.0,
        }
    }

    /// The instant of the last sample that was taken.
    #[must_use]
    pub fn last_ts(&self) -> Option<i64> {
        self.last.map(|(ts, _)| ts)
    }

    /// Takes a sample; gives the steps that end before it to `out`. A staleness marker ends the series until its next
    /// sample.
    pub fn push(&mut self, ts: i64, value: f64, out: &mut Vec<(TimestampMs, f64)>) {
        if self.last.is_some_and(|(last, _)| ts <= last) {
            return;
        }
        // Steps that end before this sample cannot change any more. One that ends at it is complete with it.
        self.finish(TimestampMs(ts.saturating_sub(1)), out);
        if is_stale(value) {
            self.last = Some((ts, f64::NAN));
            self.base = None;
            self.increase = 0.0;
            return;
        }
        if let (Some((_, before)), Transform::Rate) = (self.last, self.transform)
            && !before.is_nan()
        {
            // A counter that is lower than before has started anew, from zero.
            self.increase += if value >= before { value - before } else { value };
        }
        if self.base.is_none() {
            self.base = Some(ts);
        }
        self.last = Some((ts, value));
    }

    /// Gives all steps up to `until`, NaN for those without a value.
    pub fn finish(&mut self, until: TimestampMs, out: &mut Vec<(TimestampMs, f64)>) {
        // Before the first sample there is nothing to follow, and after the last one a series may be gone for ever:
        // its steps are given as missing only once it comes back, or until the end that is asked for.
        if self.last.is_none() {
            let first = until.align(self.step_ms).saturating_add(self.step_ms);
            self.next = self.next.max(first);
            return;
        }
        while self.next <= until {
            out.push((self.next, self.value_at(self.next)));
            self.next = self.next.saturating_add(self.step_ms);
        }
    }

    fn value_at(&mut self, step: TimestampMs) -> f64 {
        let Some((ts, value)) = self.last else {
            return f64::NAN;
        };
        match self.transform {
            Transform::Value => {
                let fresh = step.0 - ts < self.step_ms * LOOKBACK_HALF_STEPS / 2;
                if fresh { value } else { f64::NAN }
            }
            Transform::Rate => {
                let Some(base) = self.base.filter(|base| *base < ts) else {
                    return f64::NAN;
                };
                let rate = self.increase / ((ts - base) as f64 / 1000.0);
                self.base = Some(ts);
                self.increase = 0.0;
                rate
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use barograph_model::stale_nan;

    use super::*;

    fn resample(transform: Transform, samples: &[(i64, f64)], until: i64) -> Vec<(i64, String)> {
        let mut resampler = Resampler::new(transform, 60_000, TimestampMs(0));
        let mut out = Vec::new();
        for (ts, value) in samples {
            resampler.push(*ts, *value, &mut out);
        }
        resampler.finish(TimestampMs(until), &mut out);
        out.into_iter()
            .map(|(ts, v)| (ts.0 / 1000, format!("{v}")))
            .collect()
    }

    fn expected(steps: &[(i64, &str)]) -> Vec<(i64, String)> {
        steps.iter().map(|(ts, v)| (*ts, (*v).to_owned())).collect()
    }

    #[test]
    fn a_step_takes_its_last_sample_and_short_holes_are_bridged() {
        let samples = [(10_000, 1.0), (60_000, 2.0), (70_000, 3.0), (400_000, 4.0)];
        let steps = [
            (60, "2"),
            (120, "3"),
            (180, "3"),
            (240, "NaN"),
            (300, "NaN"),
            (360, "NaN"),
            (420, "4"),
        ];
        assert_eq!(resample(Transform::Value, &samples, 420_000), expected(&steps));
    }

    #[test]
    fn a_rate_survives_a_reset_and_is_per_second() {
        let samples = [(30_000, 100.0), (90_000, 160.0), (150_000, 6.0), (210_000, 66.0)];
        let steps = [(60, "NaN"), (120, "1"), (180, "0.1"), (240, "1")];
        assert_eq!(resample(Transform::Rate, &samples, 240_000), expected(&steps));
    }

    #[test]
    fn staleness_ends_a_series_and_old_samples_are_passed_over() {
        let samples = [(30_000, 5.0), (61_000, stale_nan()), (50_000, 9.0)];
        assert_eq!(
            resample(Transform::Value, &samples, 180_000),
            expected(&[(60, "5"), (120, "NaN"), (180, "NaN")])
        );
        let samples = [
            (30_000, 5.0),
            (61_000, stale_nan()),
            (130_000, 7.0),
            (190_000, 67.0),
        ];
        let steps = [(60, "NaN"), (120, "NaN"), (180, "NaN"), (240, "1")];
        assert_eq!(resample(Transform::Rate, &samples, 240_000), expected(&steps));
    }

    #[test]
    fn nothing_comes_before_the_first_sample() {
        assert_eq!(
            resample(Transform::Value, &[(200_000, 1.0)], 240_000),
            expected(&[(240, "1")])
        );
        assert_eq!(resample(Transform::Value, &[], 240_000), expected(&[]));
    }
}

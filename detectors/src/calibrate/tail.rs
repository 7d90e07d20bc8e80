//! How rare a departure is, judged by those of the past.
//!
//! A histogram of the departures on a logarithmic axis (an exponential family of bin widths, 12 % each), with
//! slow forgetting, gives the body of the distribution. Above its 90 % quantile a generalised Pareto tail
//! takes over (Pickands 1975, Balkema and de Haan 1974): `p(s) = 0.1 (1 + xi (s - u) / beta)^(-1/xi)`. Its two
//! parameters come from two quantiles of the exceedances, the median and the three-quarter one, and not from
//! moments or likelihood: incidents of any size then move the fit
//! only by their number, which the detectors keep small by giving what was an alarm little weight.
//!
//! A small share of a heavy-tailed prior, `1 / (1 + (s/2)^4)`, stands for what a short history cannot have
//! seen; it weighs [`PRIOR`] departures and fades as the history grows.
//!
//! Invariants: p is in (0, 1], never rises with s, and does not depend on the unit of the series.

use crate::error::DetectorError;
use crate::state::{Reader, Writer};

const BINS: usize = 256;
const BINS_PER_E: f64 = 9.0;
/// Departures the prior weighs.
const PRIOR: f64 = 8.0;
/// Where the history is halved: it then spans between one and two of these.
const MEMORY: f64 = 30_000.0;
/// The share of departures that the Pareto tail describes, at most.
const TAIL_SHARE: f64 = 0.1;
/// The heaviest tail believed. Departures are correlated and incidents among them, both of which make quantiles
/// look heavier than the tail is; believing them widens every band.
const XI_MAX: f64 = 0.35;
/// Quantiles nearer than this, relative to the threshold, are one and the same: less than a bin apart.
const LUMP: f64 = 0.06;
/// A departure below this is none: about one sigma.
const DEPARTS: f64 = 1.0;

/// The distribution of past departures. About 4 KiB; learning is O(1), a refit O(bins) every few hundred rows.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    counts: Vec<f64>,
    total: f64,
    fitted_at: f64,
    fit: Fit,
}

#[derive(Debug, Clone)]
struct Fit {
    /// Share of departures in bin `i` or above, one entry more than there are bins.
    survival: Vec<f64>,
    seen: f64,
    threshold: f64,
    share: f64,
    xi: f64,
    beta: f64,
}

impl Tail {
    pub(crate) fn new() -> Self {
        let fit = Fit {
            survival: vec![1.0; BINS + 1],
            seen: 0.0,
            threshold: 0.0,
            share: 1.0,
            xi: 0.25,
            beta: 1.0,
        };
        Self {
            counts: vec![0.0; BINS],
            total: 0.0,
            fitted_at: 0.0,
            fit,
        }
    }

    /// The probability of a departure of `s` or more in ordinary operation.
    pub(crate) fn p(&self, s: f64) -> f64 {
        let s = if s.is_nan() { 0.0 } else { s.max(0.0) };
        let fit = &self.fit;
        let seen = if fit.seen == 0.0 {
            0.0
        } else if s > fit.threshold {
            let excess = (s - fit.threshold) / fit.beta;
            fit.share * (-(fit.xi * excess).ln_1p() / fit.xi).exp()
        } else {
            let place = position(s);
            let bin = place as usize;
            let within = place - bin as f64;
            fit.survival[bin] + (fit.survival[bin + 1] - fit.survival[bin]) * within
        };
        ((fit.seen * seen + PRIOR * prior(s)) / (fit.seen + PRIOR)).clamp(f64::MIN_POSITIVE, 1.0)
    }

    /// The departure whose p is `level`, by bisection to a relative 1e-4.
    pub(crate) fn threshold(&self, level: f64) -> f64 {
        let mut high = 1.0;
        while self.p(high) > level && high < 1e12 {
            high *= 2.0;
        }
        let mut low = 0.0;
        while high - low > 1e-4 * high {
            let middle = 0.5 * (low + high);
            if self.p(middle) > level {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// Takes one departure into the history with a weight of at most 1. Gives whether the fit changed.
    pub(crate) fn learn(&mut self, s: f64, weight: f64) -> bool {
        if s.is_nan() {
            return false;
        }
        self.counts[position(s.max(0.0)) as usize] += weight;
        self.total += weight;
        let due = (self.fitted_at * 1.25)
            .min(self.fitted_at + 512.0)
            .max(self.fitted_at + 16.0);
        if self.total < due {
            return false;
        }
        if self.total > 2.0 * MEMORY {
            for count in &mut self.counts {
                *count *= 0.5;
            }
            self.total = self.counts.iter().sum();
        }
        self.fitted_at = self.total;
        self.refit();
        true
    }

    /// Starts again, as when a better model makes other departures.
    pub(crate) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Takes everything learned so far into account at once; [`learn`](Self::learn) does so now and then.
    pub(crate) fn refit(&mut self) {
        if self.total <= 0.0 {
            return;
        }
        let fit = &mut self.fit;
        let mut above = 0.0;
        for bin in (0..BINS).rev() {
            above += self.counts[bin];
            fit.survival[bin] = above / self.total;
        }
        fit.survival[BINS] = 0.0;
        fit.seen = self.total;
        // Counts that are nearly always 0 have no tenth that departs: their tail is half of what departs at all.
        let departing = fit.survival[position(DEPARTS) as usize + 1];
        fit.share = TAIL_SHARE.min((0.5 * departing).max(30.0 / self.total));
        let share = fit.share;
        fit.threshold = fit.quantile(share);
        let middle = fit.quantile(share * 0.5) - fit.threshold;
        let upper = fit.quantile(share * 0.25) - fit.threshold;
        // The ratio of the two exceedances is 2^xi + 1; few of them are shrunk towards a nearly exponential tail.
        let trust = self.total * share / (self.total * share + 200.0);
        let ratio = if middle > 0.0 {
            (upper / middle - 1.0).max(1.0)
        } else {
            1.0
        };
        fit.xi = (ratio.log2() * trust + 0.1 * (1.0 - trust)).clamp(0.02, XI_MAX);
        // Departures of counts come in lumps. Where the quantiles lie in one lump they say nothing of the next,
        // which is about as far again.
        let lump = middle < LUMP * (1.0 + fit.threshold);
        let floor = if lump { 0.3 } else { 0.05 } * (1.0 + fit.threshold);
        fit.beta = (fit.xi * upper / (4f64.powf(fit.xi) - 1.0)).max(floor);
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.floats(&self.counts);
        writer.f64(self.total);
        writer.f64(self.fitted_at);
        writer.floats(&self.fit.survival);
        for value in [
            self.fit.seen,
            self.fit.threshold,
            self.fit.share,
            self.fit.xi,
            self.fit.beta,
        ] {
            writer.f64(value);
        }
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        Ok(Self {
            counts: reader.floats_of(BINS)?,
            total: reader.f64()?,
            fitted_at: reader.f64()?,
            fit: Fit {
                survival: reader.floats_of(BINS + 1)?,
                seen: reader.f64()?,
                threshold: reader.f64()?,
                share: reader.f64()?,
                xi: reader.f64()?,
                beta: reader.f64()?,
            },
        })
    }
}

impl Fit {
    /// The departure that a share `q` of the history exceeds, interpolated within its bin.
    fn quantile(&self, q: f64) -> f64 {
        let bin = self.survival.partition_point(|share| *share > q).max(1) - 1;
        let span = self.survival[bin] - self.survival[bin + 1];
        let within = if span > 0.0 {
            ((self.survival[bin] - q) / span).clamp(0.0, 1.0)
        } else {
            1.0
        };
        ((bin as f64 + within) / BINS_PER_E).exp_m1()
    }
}

/// Bin and place within it of a departure: a number below [`BINS`].
fn position(s: f64) -> f64 {
    (s.ln_1p() * BINS_PER_E).min(BINS as f64 - 1e-6)
}

fn prior(s: f64) -> f64 {
    let half = 0.5 * s;
    1.0 / (1.0 + half * half * half * half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn learned(seed: u64, rows: usize, contamination: f64, draw: impl Fn(f64) -> f64) -> Tail {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut tail = Tail::new();
        for _ in 0..rows {
            let wild = random.random::<f64>() < contamination;
            let s = if wild { 50.0 } else { draw(random.random::<f64>()) };
            // As the detectors do: what was an alarm counts for less.
            let weight = if tail.p(s) < 3.5e-4 { 0.2 } else { 1.0 };
            tail.learn(s, weight);
        }
        tail
    }

    #[test]
    fn p_agrees_with_exponential_and_pareto_departures_far_out() {
        let exponential = learned(1, 40_000, 0.0, |u| -(1.0 - u).ln());
        for (s, p) in [(0.5f64, 0.6065), (3.0, 0.0498), (7.0, 9.1e-4), (10.0, 4.5e-5)] {
            let ratio = exponential.p(s) / p;
            assert!(
                (0.4..4.0).contains(&ratio),
                "exponential, s {s}: p {} for {p}",
                exponential.p(s)
            );
        }
        let pareto = learned(2, 40_000, 0.0, |u| 2.0 * ((1.0 - u).powf(-0.5) - 1.0));
        for s in [2.0f64, 10.0, 40.0] {
            let p = (1.0 + 0.5 * s).powi(-2);
            assert!(
                (0.5..2.0).contains(&(pareto.p(s) / p)),
                "pareto, s {s}: p {} for {p}",
                pareto.p(s)
            );
        }
    }

    #[test]
    fn incidents_of_the_past_do_not_hide_the_next() {
        let clean = learned(3, 20_000, 0.0, |u| -(1.0 - u).ln());
        let dirty = learned(3, 20_000, 0.01, |u| -(1.0 - u).ln());
        let ratio = dirty.threshold(3.5e-4) / clean.threshold(3.5e-4);
        assert!((1.0..1.8).contains(&ratio), "threshold grew by {ratio}");
    }

    #[test]
    fn p_never_rises_and_stays_in_range() {
        let tail = learned(4, 5_000, 0.02, |u| (1.0 - u).powf(-0.3));
        let mut last = 1.0;
        for step in 0..4_000 {
            let p = tail.p(f64::from(step) * 0.02);
            assert!(
                p > 0.0 && p <= last + 1e-12,
                "s {}: {p} after {last}",
                f64::from(step) * 0.02
            );
            last = p;
        }
        assert!(tail.p(f64::INFINITY) > 0.0 && tail.p(f64::NAN) <= 1.0);
        assert!((tail.p(tail.threshold(1e-3)) / 1e-3 - 1.0).abs() < 0.01);
    }
}

//! `double_exponential_smoothing`: level and trend, each smoothed. Source: NIST/SEMATECH e-Handbook of Statistical Methods,
//! 6.4.3.3, as Prometheus starts it: level and trend of the first two samples.

use super::{Samples, each_of};
use crate::eval::Windows;

pub(super) fn double_exponential(
    samples: Samples<'_>,
    windows: &Windows<'_>,
    level_factor: &[f64],
    trend_factor: &[f64],
    out: &mut [f64],
) {
    each_of(2, windows, out, |step, _, places| {
        let values = &samples.values[places];
        let (of_level, of_trend) = (level_factor[step], trend_factor[step]);
        let (mut before, mut level) = (0.0, values[0]);
        let mut trend = values[1] - values[0];
        for (i, value) in values[1..].iter().enumerate() {
            if i > 0 {
                trend = of_trend * (level - before) + (1.0 - of_trend) * trend;
            }
            let next = of_level * value + (1.0 - of_level) * (level + trend);
            before = level;
            level = next;
        }
        Some(level)
    });
}

//! `quantile_over_time` and `mad_over_time`, and the quantile of a list that aggregations use too.

use super::{Samples, each, each_of};
use crate::eval::Windows;

pub(super) fn quantile_over_time(samples: Samples<'_>, windows: &Windows<'_>, phi: &[f64], out: &mut [f64]) {
    let mut scratch = Vec::new();
    each_of(1, windows, out, |step, _, places| {
        scratch.clear();
        scratch.extend_from_slice(&samples.values[places]);
        Some(quantile_of(phi[step], &mut scratch))
    });
}

/// The median distance from the median.
pub(super) fn mad_over_time(samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64]) {
    let mut scratch = Vec::new();
    each(windows, out, |_, places| {
        scratch.clear();
        scratch.extend_from_slice(&samples.values[places]);
        let median = quantile_of(0.5, &mut scratch);
        scratch
            .iter_mut()
            .for_each(|value| *value = (*value - median).abs());
        quantile_of(0.5, &mut scratch)
    });
}

/// The `phi`-quantile of some values, by linear interpolation between neighbours; NaN counts as the smallest. The values
/// are put into another order.
///
/// NaN without values or for a `phi` of NaN, infinite for one outside of [0, 1].
pub(crate) fn quantile_of(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let rank = phi * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let weight = rank - rank.floor();
    let (_, low, above) = values.select_nth_unstable_by(lower, nan_first);
    let low = *low;
    if weight == 0.0 {
        // As Prometheus weighs: an infinite neighbour counts even with a weight of zero, and gives NaN.
        return match above.iter().copied().min_by(nan_first) {
            Some(high) => low * 1.0 + high * 0.0,
            None => low,
        };
    }
    let high = above.iter().copied().min_by(nan_first).unwrap_or(low);
    low * (1.0 - weight) + high * weight
}

fn nan_first(a: &f64, b: &f64) -> std::cmp::Ordering {
    b.is_nan()
        .cmp(&a.is_nan())
        .then_with(|| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
}

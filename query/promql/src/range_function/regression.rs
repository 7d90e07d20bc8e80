//! `deriv` and `predict_linear`: the straight line of least squares through a window.

use super::sum::Sum;
use super::{Samples, each_of};
use crate::Grid;
use crate::eval::Windows;

/// The slope, a second.
pub(super) fn deriv(samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64]) {
    each_of(2, windows, out, |_, _, places| {
        let intercept = samples.ts[places.start];
        Some(linear_regression(&samples.ts[places.clone()], &samples.values[places], intercept).0)
    });
}

/// Where the line stands so many seconds after the step.
pub(super) fn predict_linear(
    samples: Samples<'_>,
    windows: &Windows<'_>,
    steps: Grid,
    ahead_s: &[f64],
    out: &mut [f64],
) {
    each_of(2, windows, out, |step, _, places| {
        let (slope, now) = linear_regression(
            &samples.ts[places.clone()],
            &samples.values[places],
            steps.at(step),
        );
        Some(slope * ahead_s[step] + now)
    });
}

/// Slope a second, and the line's value at an instant. Of samples that are all the same the line is exactly level, and
/// where that value is infinite there is none.
pub(crate) fn linear_regression(ts: &[i64], values: &[f64], at: i64) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
    }
    let (mut x_sum, mut y_sum, mut xy_sum, mut xx_sum) =
        (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for (ts, y) in ts.iter().zip(values) {
        let x = (ts - at) as f64 / 1000.0;
        x_sum.add(x);
        y_sum.add(*y);
        xy_sum.add(x * y);
        xx_sum.add(x * x);
    }
    let count = values.len() as f64;
    let plain = |sum: Sum| sum.sum + sum.lost;
    let (x, y, xy, xx) = (plain(x_sum), plain(y_sum), plain(xy_sum), plain(xx_sum));
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

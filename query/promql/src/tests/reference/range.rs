//! Functions of one window of one series.

use crate::syntax::FunctionId;

/// The value of a function for the samples of a window, which begins behind `start` and ends at `end`; `None` where it
/// has none. `step` is the instant of the query. All instants in milliseconds.
pub(in crate::tests) fn range_function(
    id: FunctionId,
    args: &[f64],
    samples: &[(i64, f64)],
    start: i64,
    end: i64,
    step: i64,
) -> Option<f64> {
    use FunctionId as F;
    let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let (first, last) = (samples.first()?, samples.last()?);
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = || {
        values
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum::<f64>()
            / count
    };
    let pairs = |is_event: fn(f64, f64) -> bool| {
        values
            .windows(2)
            .filter(|pair| is_event(pair[0], pair[1]))
            .count() as f64
    };
    Some(match id {
        F::CountOverTime => count,
        F::PresentOverTime => 1.0,
        F::SumOverTime => values.iter().sum(),
        F::AvgOverTime => mean,
        F::StdvarOverTime => variance(),
        F::StddevOverTime => variance().sqrt(),
        F::MinOverTime => values.iter().copied().fold(f64::NAN, f64::min),
        F::MaxOverTime => values.iter().copied().fold(f64::NAN, f64::max),
        F::FirstOverTime => first.1,
        F::LastOverTime => last.1,
        F::TsOfFirstOverTime => seconds(first.0),
        F::TsOfLastOverTime => seconds(last.0),
        F::TsOfMinOverTime => seconds(newest(samples, |value, best| value <= best)),
        F::TsOfMaxOverTime => seconds(newest(samples, |value, best| value >= best)),
        F::QuantileOverTime => quantile(args[0], &values),
        F::MadOverTime => {
            let median = quantile(0.5, &values);
            quantile(
                0.5,
                &values
                    .iter()
                    .map(|value| (value - median).abs())
                    .collect::<Vec<_>>(),
            )
        }
        F::Changes => pairs(|a, b| a != b && !(a.is_nan() && b.is_nan())),
        F::Resets => pairs(|a, b| b < a),
        F::Rate => extrapolated(samples, start, end, true)? / seconds(end - start),
        F::Increase => extrapolated(samples, start, end, true)?,
        F::Delta => extrapolated(samples, start, end, false)?,
        F::Irate | F::Idelta => {
            let before = samples[..samples.len() - 1].last()?;
            match id {
                F::Idelta => last.1 - before.1,
                _ if last.1 < before.1 => last.1 / seconds(last.0 - before.0),
                _ => (last.1 - before.1) / seconds(last.0 - before.0),
            }
        }
        F::Deriv => line(samples)?.0,
        F::PredictLinear => {
            let (slope, x, y) = line(samples)?;
            y + slope * (seconds(step) + args[0] - x)
        }
        F::DoubleExponentialSmoothing => smoothed(&values, args[0], args[1])?,
        other => panic!("{other:?} is no function of a window"),
    })
}

/// The instant of the last sample that is at least as good as all before it; NaN is worse than anything.
fn newest(samples: &[(i64, f64)], is_better: fn(f64, f64) -> bool) -> i64 {
    let mut best = samples[0];
    for sample in &samples[1..] {
        if best.1.is_nan() || is_better(sample.1, best.1) {
            best = *sample;
        }
    }
    best.0
}

/// By linear interpolation between neighbours in ascending order, NaN first.
pub(super) fn quantile(phi: f64, values: &[f64]) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&phi) {
        return if phi < 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (false, false) => a.total_cmp(b),
        (a, b) => b.cmp(&a),
    });
    let rank = phi * (sorted.len() - 1) as f64;
    let (low, high) = (
        rank.floor() as usize,
        (rank.floor() as usize + 1).min(sorted.len() - 1),
    );
    let weight = rank - rank.floor();
    sorted[low] * (1.0 - weight) + sorted[high] * weight
}

/// The rise of a window, stretched to its edges.
fn extrapolated(samples: &[(i64, f64)], start: i64, end: i64, is_counter: bool) -> Option<f64> {
    if samples.len() < 2 {
        return None;
    }
    let ((first_ts, first), (last_ts, last)) = (samples[0], samples[samples.len() - 1]);
    let mut rise = last - first;
    if is_counter {
        // At a reset the counter has risen by all that it had before.
        rise += samples
            .windows(2)
            .filter(|pair| pair[1].1 < pair[0].1)
            .map(|pair| pair[0].1)
            .sum::<f64>();
    }
    let sampled = (last_ts - first_ts) as f64 / 1000.0;
    let average = sampled / (samples.len() - 1) as f64;
    let within = |distance: f64| {
        if distance >= 1.1 * average {
            average / 2.0
        } else {
            distance
        }
    };
    let mut to_start = within((first_ts - start) as f64 / 1000.0);
    if is_counter && rise > 0.0 && first >= 0.0 {
        // A counter was not below zero.
        to_start = to_start.min(sampled * first / rise);
    }
    let to_end = within((end - last_ts) as f64 / 1000.0);
    Some(rise * (sampled + to_start + to_end) / sampled)
}

/// The line of least squares: its slope a second, and a point on it.
fn line(samples: &[(i64, f64)]) -> Option<(f64, f64, f64)> {
    if samples.len() < 2 {
        return None;
    }
    let first = samples[0].1;
    let count = samples.len() as f64;
    let x = samples.iter().map(|(ts, _)| *ts as f64 / 1000.0).sum::<f64>() / count;
    if samples.iter().all(|(_, value)| *value == first) {
        return Some(if first.is_infinite() {
            (f64::NAN, x, f64::NAN)
        } else {
            (0.0, x, first)
        });
    }
    let y = samples.iter().map(|(_, value)| value).sum::<f64>() / count;
    let of_x = |ts: i64| ts as f64 / 1000.0 - x;
    let covariance: f64 = samples.iter().map(|(ts, value)| of_x(*ts) * (value - y)).sum();
    let variance: f64 = samples.iter().map(|(ts, _)| of_x(*ts) * of_x(*ts)).sum();
    Some((covariance / variance, x, y))
}

/// Level and trend, each smoothed: Holt's linear method.
fn smoothed(values: &[f64], of_level: f64, of_trend: f64) -> Option<f64> {
    let (first, second) = (*values.first()?, *values.get(1)?);
    let mut level = of_level * second + (1.0 - of_level) * (first + (second - first));
    let (mut before, mut trend) = (first, second - first);
    for value in &values[2..] {
        trend = of_trend * (level - before) + (1.0 - of_trend) * trend;
        before = level;
        level = of_level * value + (1.0 - of_level) * (level + trend);
    }
    Some(level)
}

//! Functions of range vectors: from the samples of a series to one value a window.
//!
//! Each works on all windows of a series at once, so that what neighbouring windows share is calculated once. Samples
//! hold no staleness markers. Source: Prometheus 3, "Query functions"; the arithmetic follows it step by step where the
//! order of operations shows in the result.

mod blocks;
mod count;
pub(crate) mod extended;
mod extreme;
mod mean;
mod quantile;
mod rate;
mod regression;
mod smoothing;
mod sum;

pub use rate::{Kind as Rise, rise_over_window};

use crate::Grid;
use crate::eval::Windows;
use crate::syntax::FunctionId;
use crate::value::ABSENT;

/// Floats of one series: two columns of one length, `ts` ascending.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Samples<'a> {
    pub(crate) ts: &'a [i64],
    pub(crate) values: &'a [f64],
}

/// A range function with its scalar arguments, which have a value for each step.
#[derive(Debug, Clone)]
pub(crate) struct RangeFunction {
    pub(crate) id: FunctionId,
    pub(crate) args: Vec<Vec<f64>>,
    /// the steps of the evaluation: `predict_linear` looks from there, whatever `@` and `offset` say
    pub(crate) steps: Grid,
}

impl RangeFunction {
    /// Whether a function takes a range vector and gives an instant vector series by series.
    pub(crate) fn is(id: FunctionId) -> bool {
        use FunctionId as F;
        matches!(
            id,
            F::AvgOverTime
                | F::Changes
                | F::CountOverTime
                | F::Delta
                | F::Deriv
                | F::DoubleExponentialSmoothing
                | F::FirstOverTime
                | F::Idelta
                | F::Increase
                | F::Irate
                | F::LastOverTime
                | F::MadOverTime
                | F::MaxOverTime
                | F::MinOverTime
                | F::PredictLinear
                | F::PresentOverTime
                | F::QuantileOverTime
                | F::Rate
                | F::Resets
                | F::StddevOverTime
                | F::StdvarOverTime
                | F::SumOverTime
                | F::TsOfFirstOverTime
                | F::TsOfLastOverTime
                | F::TsOfMaxOverTime
                | F::TsOfMinOverTime
        )
    }

    /// Whether the result keeps the metric's name: it is a sample of the metric itself.
    pub(crate) fn keeps_name(id: FunctionId) -> bool {
        matches!(id, FunctionId::LastOverTime | FunctionId::FirstOverTime)
    }

    /// Gives one value a window; `out` has as many places as there are windows and is overwritten.
    pub(crate) fn run(&self, samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64]) {
        use FunctionId as F;
        match self.id {
            F::Rate => rate::extrapolated(samples, windows, rate::Kind::Rate, out),
            F::Increase => rate::extrapolated(samples, windows, rate::Kind::Increase, out),
            F::Delta => rate::extrapolated(samples, windows, rate::Kind::Delta, out),
            F::Irate => rate::instant(samples, windows, true, out),
            F::Idelta => rate::instant(samples, windows, false, out),
            F::CountOverTime => each(windows, out, |_, places| places.len() as f64),
            F::PresentOverTime => each(windows, out, |_, _| 1.0),
            F::Changes => count::changes(samples, windows, out),
            F::Resets => count::resets(samples, windows, out),
            F::SumOverTime => sum::sum_over_time(samples, windows, out),
            F::AvgOverTime => mean::avg_over_time(samples, windows, out),
            F::StdvarOverTime => mean::stdvar_over_time(samples, windows, out),
            F::StddevOverTime => {
                mean::stdvar_over_time(samples, windows, out);
                for value in out.iter_mut().filter(|value| !crate::value::is_absent(**value)) {
                    *value = value.sqrt();
                }
            }
            F::MinOverTime => extreme::over_time(samples, windows, extreme::Kind::Min, out),
            F::MaxOverTime => extreme::over_time(samples, windows, extreme::Kind::Max, out),
            F::TsOfMinOverTime => extreme::ts_over_time(samples, windows, extreme::Kind::Min, out),
            F::TsOfMaxOverTime => extreme::ts_over_time(samples, windows, extreme::Kind::Max, out),
            F::FirstOverTime => each(windows, out, |_, places| samples.values[places.start]),
            F::LastOverTime => each(windows, out, |_, places| samples.values[places.end - 1]),
            F::TsOfFirstOverTime => each(windows, out, |_, places| seconds(samples.ts[places.start])),
            F::TsOfLastOverTime => each(windows, out, |_, places| seconds(samples.ts[places.end - 1])),
            F::QuantileOverTime => quantile::quantile_over_time(samples, windows, &self.args[0], out),
            F::MadOverTime => quantile::mad_over_time(samples, windows, out),
            F::Deriv => regression::deriv(samples, windows, out),
            F::PredictLinear => regression::predict_linear(samples, windows, self.steps, &self.args[0], out),
            F::DoubleExponentialSmoothing => {
                smoothing::double_exponential(samples, windows, &self.args[0], &self.args[1], out);
            }
            // `RangeFunction::is` lists what there is; nothing else gets here.
            _ => out.fill(ABSENT),
        }
    }
}

/// Gives a value to each window that has samples: its end, and the places of its samples.
fn each(windows: &Windows<'_>, out: &mut [f64], mut value: impl FnMut(i64, std::ops::Range<usize>) -> f64) {
    each_of(1, windows, out, |_, end, places| Some(value(end, places)));
}

/// The same for windows with at least so many samples; the step's number comes first.
fn each_of(
    samples_min: usize,
    windows: &Windows<'_>,
    out: &mut [f64],
    mut value: impl FnMut(usize, i64, std::ops::Range<usize>) -> Option<f64>,
) {
    for (step, ((end, places), out)) in windows.iter().zip(out).enumerate() {
        // One series may have windows of millions of samples; whoever runs this looks at the interrupt afterwards.
        if windows.is_interrupted() {
            return;
        }
        *out = if places.len() < samples_min {
            ABSENT
        } else {
            value(step, end, places).unwrap_or(ABSENT)
        };
    }
}

/// Milliseconds as seconds.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

pub(crate) use mean::Spread;
pub(crate) use quantile::quantile_of;
pub(crate) use rate::{Extrapolation, Kind as RateKind};
pub(crate) use sum::Sum;

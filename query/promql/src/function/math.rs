//! Functions from one float to one float.

use crate::syntax::FunctionId;
use crate::value::{ABSENT, Column, is_absent};

/// The function of a name; `None` where it is none of these.
pub(super) fn function(id: FunctionId) -> Option<fn(f64) -> f64> {
    use FunctionId as F;
    Some(match id {
        F::Abs => f64::abs,
        F::Acos => f64::acos,
        F::Acosh => f64::acosh,
        F::Asin => f64::asin,
        F::Asinh => f64::asinh,
        F::Atan => f64::atan,
        F::Atanh => f64::atanh,
        F::Ceil => f64::ceil,
        F::Cos => f64::cos,
        F::Cosh => f64::cosh,
        F::Deg => |v| v * 180.0 / std::f64::consts::PI,
        F::Exp => f64::exp,
        F::Floor => f64::floor,
        F::Ln => f64::ln,
        F::Log10 => f64::log10,
        F::Log2 => f64::log2,
        F::Rad => |v| v * std::f64::consts::PI / 180.0,
        F::Sgn => |v| match v {
            v if v < 0.0 => -1.0,
            v if v > 0.0 => 1.0,
            // Zero keeps its sign, and NaN stays.
            v => v,
        },
        F::Sin => f64::sin,
        F::Sinh => f64::sinh,
        F::Sqrt => f64::sqrt,
        F::Tan => f64::tan,
        F::Tanh => f64::tanh,
        _ => return None,
    })
}

/// Bounds by step; where the upper one is below the lower one nothing is left.
pub(super) fn clamp(
    lower: Option<Vec<f64>>,
    upper: Option<Vec<f64>>,
) -> Box<dyn Fn(&mut Column) + Send + Sync> {
    Box::new(move |column| {
        column.drop_histograms();
        for (step, value) in column
            .floats
            .iter_mut()
            .enumerate()
            .filter(|(_, value)| !is_absent(**value))
        {
            let (lower, upper) = (lower.as_ref().map(|l| l[step]), upper.as_ref().map(|u| u[step]));
            if lower.zip(upper).is_some_and(|(lower, upper)| upper < lower) {
                *value = ABSENT;
                continue;
            }
            if let Some(upper) = upper {
                *value = least(upper, *value);
            }
            if let Some(lower) = lower {
                *value = greatest(lower, *value);
            }
        }
    })
}

/// The nearest multiple of a number; halves go up.
pub(super) fn round(nearest: Vec<f64>) -> Box<dyn Fn(&mut Column) + Send + Sync> {
    Box::new(move |column| {
        column.drop_histograms();
        for (value, nearest) in column
            .floats
            .iter_mut()
            .zip(&nearest)
            .filter(|(value, _)| !is_absent(**value))
        {
            // Divided by the inverse, as Prometheus does, so that 0.1 and the like come out the same.
            let inverse = 1.0 / nearest;
            *value = (*value * inverse + 0.5).floor() / inverse;
        }
    })
}

/// NaN where either is.
fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

fn greatest(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

//! Operators between a vector and a scalar, and signs: one column at a time.

use std::sync::Arc;

use super::arithmetic::{arithmetic, comparison};
use super::elements::Operator;
use crate::SampleValue;
use crate::eval::{Context, Link};
use crate::syntax::{Binary, SourceSpan};
use crate::value::{ABSENT, Column, is_absent};

/// `-v`, which calculates and so loses the metric's name, or `+v`, which does nothing.
pub(crate) fn sign<'c>(negate: bool) -> Link<'c> {
    Link {
        map: Box::new(move |column| {
            if negate {
                negated(column);
            }
        }),
        drops_name: negate,
    }
}

fn negated(column: &mut Column) {
    column.map_floats(|value| -value);
    if let Some(histograms) = &mut column.histograms {
        for histogram in histograms.iter_mut().flatten() {
            *histogram = Arc::new(histogram.negated());
        }
    }
}

/// An operator with a scalar, which has a value for each step, on one of its sides.
pub(crate) fn with_scalar<'c>(
    context: &'c Context<'_>,
    operation: &'c Binary,
    span: SourceSpan,
    scalars: Vec<f64>,
    scalar_is_left: bool,
) -> Link<'c> {
    let operator = Operator::new(context, operation, span);
    Link {
        map: Box::new(move |column| {
            floats(&operator, &scalars, scalar_is_left, &mut column.floats);
            if column.histograms.is_some() {
                histograms(&operator, &scalars, scalar_is_left, column);
            }
        }),
        drops_name: operator.drops_name(),
    }
}

fn floats(operator: &Operator<'_>, scalars: &[f64], scalar_is_left: bool, values: &mut [f64]) {
    let present = values
        .iter_mut()
        .zip(scalars)
        .filter(|(value, _)| !is_absent(**value));
    if operator.op.is_trim() {
        for (value, scalar) in present {
            operator.samples(&SampleValue::Float(*value), &SampleValue::Float(*scalar));
            *value = ABSENT;
        }
        return;
    }
    match comparison(operator.op) {
        None => {
            let calculate = arithmetic(operator.op);
            for (value, scalar) in present {
                *value = if scalar_is_left {
                    calculate(*scalar, *value)
                } else {
                    calculate(*value, *scalar)
                };
            }
        }
        Some(holds) => {
            for (value, scalar) in present {
                let holds = if scalar_is_left {
                    holds(*scalar, *value)
                } else {
                    holds(*value, *scalar)
                };
                if operator.return_bool {
                    *value = f64::from(u8::from(holds));
                } else if !holds {
                    // What stays is the vector's sample, whichever side it is on.
                    *value = ABSENT;
                }
            }
        }
    }
}

fn histograms(operator: &Operator<'_>, scalars: &[f64], scalar_is_left: bool, column: &mut Column) {
    for (step, scalar) in scalars.iter().enumerate() {
        let Some(histogram) = column.histogram(step) else {
            continue;
        };
        let histogram = SampleValue::Histogram(Arc::clone(histogram));
        let scalar = SampleValue::Float(*scalar);
        let result = if scalar_is_left {
            operator.samples(&scalar, &histogram)
        } else {
            operator.samples(&histogram, &scalar)
        };
        column.set(step, result);
    }
}

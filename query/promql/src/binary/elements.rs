//! What an operator makes of two samples, floats or histograms, and of two columns of them.

use std::sync::Arc;

use super::arithmetic::{arithmetic, comparison};
use crate::SampleValue;
use crate::eval::Context;
use crate::histogram::{FloatHistogram, Keep, annotation};
use crate::syntax::{Binary, BinaryOp, SourceSpan};
use crate::value::{ABSENT, Column, is_absent};

/// An operator with what it needs to say something about itself.
#[derive(Clone, Copy)]
pub(super) struct Operator<'c> {
    context: &'c Context<'c>,
    pub(super) op: BinaryOp,
    pub(super) return_bool: bool,
    span: SourceSpan,
}

impl<'c> Operator<'c> {
    pub(super) fn new(context: &'c Context<'_>, operation: &Binary, span: SourceSpan) -> Self {
        Self {
            context,
            op: operation.op,
            return_bool: operation.return_bool,
            span,
        }
    }

    /// Whether the result is no longer a sample of the metric.
    pub(super) fn drops_name(&self) -> bool {
        !self.op.is_comparison() || self.return_bool
    }

    /// Both columns together: something where both have something, unless a comparison filters it out. What stays is the
    /// left side's.
    pub(super) fn columns(&self, left: &Column, right: &Column) -> Column {
        if self.op.is_trim() {
            return self.columns_by_sample(left, right);
        }
        let pairs = left.floats.iter().zip(&right.floats);
        let floats: Vec<f64> = match comparison(self.op) {
            None => {
                let calculate = arithmetic(self.op);
                pairs
                    .map(|(a, b)| {
                        if is_absent(*a) || is_absent(*b) {
                            ABSENT
                        } else {
                            calculate(*a, *b)
                        }
                    })
                    .collect()
            }
            Some(holds) => pairs
                .map(|(a, b)| match (is_absent(*a) || is_absent(*b), holds(*a, *b)) {
                    (true, _) => ABSENT,
                    (false, holds) if self.return_bool => f64::from(u8::from(holds)),
                    (false, true) => *a,
                    (false, false) => ABSENT,
                })
                .collect(),
        };
        let mut out = Column::of_floats(floats);
        if left.histograms.is_some() || right.histograms.is_some() {
            for step in 0..left.len() {
                if left.histogram(step).is_none() && right.histogram(step).is_none() {
                    continue;
                }
                if let (Some(a), Some(b)) = (left.get(step), right.get(step)) {
                    out.set(step, self.samples(&a, &b));
                }
            }
        }
        out
    }

    fn columns_by_sample(&self, left: &Column, right: &Column) -> Column {
        let mut out = Column::of_floats(vec![ABSENT; left.len()]);
        for step in 0..left.len() {
            if let (Some(a), Some(b)) = (left.get(step), right.get(step)) {
                out.set(step, self.samples(&a, &b));
            }
        }
        out
    }

    /// Both samples together; `None` where a comparison filters them out or they do not go together.
    pub(super) fn samples(&self, left: &SampleValue, right: &SampleValue) -> Option<SampleValue> {
        use SampleValue::{Float, Histogram};
        match (left, right) {
            (Histogram(histogram), Float(value)) if self.op.is_trim() => {
                let keep = if self.op == BinaryOp::TrimUpper {
                    Keep::Below
                } else {
                    Keep::Above
                };
                Some(Histogram(Arc::new(histogram.trimmed(*value, keep))))
            }
            (Float(_), Float(_)) if self.op.is_trim() => self.incompatible("float", "float"),
            (Float(a), Float(b)) => match comparison(self.op) {
                None => Some(Float(arithmetic(self.op)(*a, *b))),
                Some(holds) => self.compared(holds(*a, *b), left),
            },
            (Histogram(histogram), Float(factor)) | (Float(factor), Histogram(histogram))
                if self.op == BinaryOp::Mul =>
            {
                let mut result = FloatHistogram::clone(histogram);
                result.multiply(*factor);
                Some(Histogram(Arc::new(result)))
            }
            (Histogram(histogram), Float(divisor)) if self.op == BinaryOp::Div => {
                let mut result = FloatHistogram::clone(histogram);
                result.divide(*divisor);
                Some(Histogram(Arc::new(result)))
            }
            (Histogram(a), Histogram(b)) => self.histograms(a, b, left),
            (Float(_), Histogram(_)) => self.incompatible("float", "histogram"),
            (Histogram(_), Float(_)) => self.incompatible("histogram", "float"),
        }
    }

    fn histograms(&self, a: &FloatHistogram, b: &FloatHistogram, left: &SampleValue) -> Option<SampleValue> {
        let result = match self.op {
            BinaryOp::Add => a.plus(b),
            BinaryOp::Sub => a.minus(b),
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let (mut a, mut b) = (a.clone(), b.clone());
                a.compact();
                b.compact();
                return self.compared(a.equals(&b) == (self.op == BinaryOp::Equal), left);
            }
            _ => return self.incompatible("histogram", "histogram"),
        };
        match result {
            Ok((histogram, reconciled)) => {
                let is_addition = self.op == BinaryOp::Add;
                let what = if is_addition {
                    annotation::ADDITION
                } else {
                    annotation::SUBTRACTION
                };
                self.context.note_reconciled(self.span, reconciled, what);
                Some(SampleValue::Histogram(Arc::new(histogram)))
            }
            Err(_) => {
                let op = self.op.as_str();
                self.context
                    .warn(self.span, &format!("{} {op}", annotation::INCOMPATIBLE_OPERANDS));
                None
            }
        }
    }

    fn compared(&self, holds: bool, left: &SampleValue) -> Option<SampleValue> {
        if self.return_bool {
            Some(SampleValue::Float(f64::from(u8::from(holds))))
        } else {
            holds.then(|| left.clone())
        }
    }

    fn incompatible(&self, left: &str, right: &str) -> Option<SampleValue> {
        let op = self.op.as_str();
        let text =
            format!("incompatible sample types encountered for binary operator {op:?}: {left} {op} {right}");
        self.context.inform(self.span, &text);
        None
    }
}

//! Windows of series that have native histograms, alone or between floats.

use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::lookup::HistogramRows;
use super::windows::Windows;
use crate::SampleValue;
use crate::histogram::{self, Difference, FloatHistogram, HistogramMean, HistogramSum, annotation};
use crate::range_function::{Extrapolation, RangeFunction, RateKind, Samples};
use crate::syntax::{FunctionId, SourceSpan};
use crate::value::{ABSENT, Column};

/// A range function on one series, and what is needed to say something about it.
struct Mixed<'a> {
    context: &'a Context<'a>,
    span: SourceSpan,
    metric: &'a str,
    id: FunctionId,
    floats: Samples<'a>,
    ts: Vec<i64>,
    histograms: Vec<Arc<FloatHistogram>>,
}

/// The samples of one window: places of floats and of histograms.
struct Window {
    start: i64,
    end: i64,
    floats: Range<usize>,
    histograms: Range<usize>,
}

/// Runs a function over windows with histograms in them. Where a window has floats only, the answer is the function's own.
pub(super) fn run(
    context: &Context<'_>,
    span: SourceSpan,
    metric: &str,
    function: &RangeFunction,
    samples: Samples<'_>,
    windows: &Windows<'_>,
    rows: &HistogramRows,
    out: &mut Column,
) {
    function.run(samples, windows, &mut out.floats);
    let sound = rows.ts.iter().zip(&rows.histograms);
    let (ts, histograms) = sound
        .filter_map(|(ts, histogram)| Some((*ts, Arc::clone(histogram.as_ref()?))))
        .unzip();
    let mixed = Mixed {
        context,
        span,
        metric,
        id: function.id,
        floats: samples,
        ts,
        histograms,
    };
    let mut bounds = Vec::new();
    let of_histograms = Windows::find(
        &mixed.ts,
        windows.ends,
        windows.range_ms,
        &mut bounds,
        context.interrupt(),
    );
    for (step, ((end, floats), (_, histograms))) in windows.iter().zip(of_histograms.iter()).enumerate() {
        if windows.is_interrupted() {
            return;
        }
        if histograms.is_empty() {
            continue;
        }
        let window = Window {
            start: end - windows.range_ms,
            end,
            floats,
            histograms,
        };
        let float = out.floats[step];
        out.set(step, mixed.value(&window, float));
    }
}

impl Mixed<'_> {
    /// The value of a window with at least one histogram; `float` is what its floats alone give.
    fn value(&self, window: &Window, float: f64) -> Option<SampleValue> {
        use FunctionId as F;
        let number = |value: f64| Some(SampleValue::Float(value));
        match self.id {
            F::CountOverTime => number((window.floats.len() + window.histograms.len()) as f64),
            F::PresentOverTime => number(1.0),
            F::FirstOverTime => self.end_of(window, true).map(|(_, value)| value),
            F::LastOverTime => self.end_of(window, false).map(|(_, value)| value),
            F::TsOfFirstOverTime => self
                .end_of(window, true)
                .and_then(|(ts, _)| number(ts as f64 / 1000.0)),
            F::TsOfLastOverTime => self
                .end_of(window, false)
                .and_then(|(ts, _)| number(ts as f64 / 1000.0)),
            F::Changes => number(self.events(window, false) as f64),
            F::Resets => number(self.events(window, true) as f64),
            F::SumOverTime | F::AvgOverTime | F::Rate | F::Increase | F::Delta
                if !window.floats.is_empty() =>
            {
                self.refuse_mix()
            }
            F::SumOverTime => self.sum(window),
            F::AvgOverTime => self.mean(window),
            F::Rate => self.extrapolated(window, RateKind::Rate),
            F::Increase => self.extrapolated(window, RateKind::Increase),
            F::Delta => self.extrapolated(window, RateKind::Delta),
            F::Irate | F::Idelta => self.instant(window, float),
            _ => {
                if !window.floats.is_empty() {
                    let text =
                        "ignored histograms in a range containing both floats and histograms for metric name";
                    self.context
                        .inform(self.span, &format!("{text} {:?}", self.metric));
                }
                (float.to_bits() != ABSENT.to_bits()).then_some(SampleValue::Float(float))
            }
        }
    }

    /// The first or the last sample.
    fn end_of(&self, window: &Window, is_first: bool) -> Option<(i64, SampleValue)> {
        let of = |range: &Range<usize>| {
            if is_first {
                range.clone().next()
            } else {
                range.clone().next_back()
            }
        };
        let float =
            of(&window.floats).map(|i| (self.floats.ts[i], SampleValue::Float(self.floats.values[i])));
        let histogram = of(&window.histograms).map(|i| {
            (
                self.ts[i],
                SampleValue::Histogram(Arc::clone(&self.histograms[i])),
            )
        });
        match (float, histogram) {
            (Some(float), Some(histogram)) => {
                let float_counts = if is_first {
                    float.0 < histogram.0
                } else {
                    float.0 > histogram.0
                };
                Some(if float_counts { float } else { histogram })
            }
            (one, other) => one.or(other),
        }
    }

    /// How often a sample differs from the one before, or begins anew. From a float to a histogram and back is both.
    fn events(&self, window: &Window, resets: bool) -> usize {
        let (mut f, mut h) = (
            window.floats.clone().peekable(),
            window.histograms.clone().peekable(),
        );
        let mut before: Option<SampleValue> = None;
        let mut events = 0;
        loop {
            let takes_float = match (f.peek(), h.peek()) {
                (Some(f), Some(h)) => self.floats.ts[*f] < self.ts[*h],
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return events,
            };
            let next = if takes_float { &mut f } else { &mut h }
                .next()
                .unwrap_or_default();
            let value = if takes_float {
                SampleValue::Float(self.floats.values[next])
            } else {
                SampleValue::Histogram(Arc::clone(&self.histograms[next]))
            };
            let is_event = match (&before, &value) {
                (None, _) => false,
                (Some(SampleValue::Float(a)), SampleValue::Float(b)) if resets => b < a,
                (Some(SampleValue::Float(a)), SampleValue::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
                (Some(SampleValue::Histogram(a)), SampleValue::Histogram(b)) if resets => b.detect_reset(a),
                (Some(SampleValue::Histogram(a)), SampleValue::Histogram(b)) => !b.equals(a),
                _ => true,
            };
            events += usize::from(is_event);
            before = Some(value);
        }
    }

    fn sum(&self, window: &Window) -> Option<SampleValue> {
        let (first, rest) = self.histograms[window.histograms.clone()].split_first()?;
        let mut sum = HistogramSum::new(first);
        if rest.iter().any(|histogram| sum.push(histogram).is_err()) {
            return self.refuse_schemas();
        }
        let (sum, reconciled) = sum.finish();
        self.context
            .note_reconciled(self.span, reconciled, annotation::AGGREGATION);
        Some(SampleValue::Histogram(Arc::new(sum)))
    }

    fn mean(&self, window: &Window) -> Option<SampleValue> {
        let (first, rest) = self.histograms[window.histograms.clone()].split_first()?;
        let mut mean = HistogramMean::new(first);
        if rest.iter().any(|histogram| mean.push(histogram).is_err()) {
            return self.refuse_schemas();
        }
        let (mean, reconciled) = mean.finish();
        self.context
            .note_reconciled(self.span, reconciled, annotation::AGGREGATION);
        Some(SampleValue::Histogram(Arc::new(mean)))
    }

    fn extrapolated(&self, window: &Window, kind: RateKind) -> Option<SampleValue> {
        let range = window.histograms.clone();
        let samples = &self.histograms[range.clone()];
        let difference = if kind.is_counter() {
            histogram::increase(samples)
        } else {
            histogram::delta(samples)
        };
        let mut rise = self.noted(difference)?;
        let extrapolation = Extrapolation {
            kind,
            start: window.start,
            end: window.end,
            first: self.ts[range.start],
            last: self.ts[range.end - 1],
            samples: samples.len(),
        };
        let to_zero = kind.is_counter().then(|| (samples[0].count(), rise.count()));
        rise.multiply(extrapolation.factor(to_zero));
        Some(SampleValue::Histogram(Arc::new(rise)))
    }

    /// `irate` and `idelta` look at the last two samples, of which one may be a float.
    fn instant(&self, window: &Window, float: f64) -> Option<SampleValue> {
        let last = self.ts[window.histograms.end - 1];
        let later_floats = self.floats.ts[window.floats.clone()]
            .iter()
            .filter(|ts| **ts > last)
            .count();
        if later_floats >= 2 {
            return Some(SampleValue::Float(float));
        }
        let before = window
            .histograms
            .len()
            .checked_sub(2)
            .map(|i| self.ts[window.histograms.start + i]);
        let float_between = window.floats.clone().next_back().map(|i| self.floats.ts[i]);
        if later_floats == 1 || float_between.is_some_and(|ts| before.is_none_or(|before| ts > before)) {
            return self.refuse_mix();
        }
        let before = before?;
        let (a, b) = (window.histograms.end - 2, window.histograms.end - 1);
        let (a, b) = (&self.histograms[a], &self.histograms[b]);
        let is_rate = self.id == FunctionId::Irate;
        let difference = if is_rate {
            histogram::instant_increase(a, b)
        } else {
            histogram::instant_delta(a, b)
        };
        let mut rise = self.noted(difference)?;
        if is_rate {
            rise.divide((last - before) as f64 / 1000.0);
        }
        Some(SampleValue::Histogram(Arc::new(rise)))
    }

    /// The difference itself, once what there is to say about it is said.
    fn noted(&self, difference: Difference) -> Option<FloatHistogram> {
        let named = |text: &str| format!("{text} {:?}", self.metric);
        if difference.mixed_schemas {
            self.context.warn(self.span, &named(annotation::MIXED_SCHEMAS));
        }
        if difference.not_a_counter {
            self.context.warn(self.span, &named(annotation::NOT_A_COUNTER));
        }
        if difference.not_a_gauge {
            self.context.warn(self.span, &named(annotation::NOT_A_GAUGE));
        }
        for (is_so, what) in [
            (difference.bounds_in_subtraction, annotation::SUBTRACTION),
            (difference.bounds_in_addition, annotation::ADDITION),
        ] {
            if is_so {
                let text = format!("{} {what}", annotation::BOUNDS_RECONCILED);
                self.context.inform(self.span, &text);
            }
        }
        difference.histogram
    }

    fn refuse_mix(&self) -> Option<SampleValue> {
        let text = format!(
            "encountered a mix of histograms and floats for metric name {:?}",
            self.metric
        );
        self.context.warn(self.span, &text);
        None
    }

    fn refuse_schemas(&self) -> Option<SampleValue> {
        self.context.warn(
            self.span,
            &format!("{} {:?}", annotation::MIXED_SCHEMAS, self.metric),
        );
        None
    }
}

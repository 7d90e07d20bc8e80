//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, of classic and of native histograms.

use std::sync::Arc;

use barograph_model::{Labels, METRIC_NAME};
use hashbrown::HashMap;

use crate::eval::{Context, eval_scalar, eval_text, eval_vector};
use crate::histogram::{
    ClassicBucket, FloatHistogram, ForcedMonotonicity, QuantileOfNan, annotation, bucket_fraction,
    bucket_quantile, go_float,
};
use crate::number::float_text;
use crate::syntax::{Call, SourceSpan};
use crate::value::{Column, LabelSelection, SAME_LABELS, Series, Vector, is_absent};
use crate::{Grid, QueryError};

/// The label that holds a bucket's upper bound.
const LE: &str = "le";

/// Says so of quantiles outside of [0, 1].
pub(crate) fn note_quantile(context: &Context<'_>, span: SourceSpan, phi: &[f64]) {
    for phi in phi.iter().filter(|phi| !(0.0..=1.0).contains(*phi)) {
        let text = format!("quantile value should be between 0 and 1, got {}", go_float(*phi));
        context.warn(span, &text);
    }
}

/// What is asked of a histogram.
enum Question {
    Quantile(Vec<f64>),
    Fraction { lower: Vec<f64>, upper: Vec<f64> },
}

pub(super) fn quantile(
    context: &Context<'_>,
    call: &Call,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let phi = eval_scalar(context, &call.args[0], grid)?;
    note_quantile(context, call.args[0].span, &phi);
    let vector = eval_vector(context, &call.args[1], grid)?;
    let histograms = Histograms::of(context, vector, call.args[1].span)?;
    histograms.answer(context, &Question::Quantile(phi), None, span, grid)
}

pub(super) fn fraction(
    context: &Context<'_>,
    call: &Call,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let lower = eval_scalar(context, &call.args[0], grid)?;
    let upper = eval_scalar(context, &call.args[1], grid)?;
    let vector = eval_vector(context, &call.args[2], grid)?;
    let histograms = Histograms::of(context, vector, call.args[2].span)?;
    histograms.answer(context, &Question::Fraction { lower, upper }, None, span, grid)
}

/// Several quantiles at once; each result says in a label which it is.
pub(super) fn quantiles(
    context: &Context<'_>,
    call: &Call,
    span: SourceSpan,
    grid: Grid,
) -> Result<Vector, QueryError> {
    let label = eval_text(context, &call.args[1])?;
    if label.is_empty() {
        return Err(QueryError::execution(format!(
            "invalid label name in histogram_quantiles(): {label}"
        )));
    }
    let vector = eval_vector(context, &call.args[0], grid)?;
    let histograms = Histograms::of(context, vector, call.args[0].span)?;
    let mut all = Vector::default();
    for arg in &call.args[2..] {
        let phi = eval_scalar(context, arg, grid)?;
        note_quantile(context, arg.span, &phi);
        let name = Some((label.as_str(), float_text(phi[0])));
        let name = name.as_ref().map(|(label, phi)| (*label, phi.as_str()));
        let answer = histograms.answer(context, &Question::Quantile(phi.clone()), name, span, grid)?;
        all.series.extend(answer.series);
    }
    all.unite()?;
    Ok(all)
}

/// The histograms of a vector: series with `le` put together, native ones as they are.
struct Histograms {
    groups: Vec<Group>,
    series: Vec<Series>,
    at: SourceSpan,
    _holds: Vec<crate::meter::Hold>,
}

/// One histogram over all steps.
struct Group {
    labels: Labels,
    metric: String,
    /// bounds ascending, each with the series that has the bucket's counts
    buckets: Vec<(f64, usize)>,
    /// the series that has native histograms
    native: Option<usize>,
}

impl Histograms {
    fn of(context: &Context<'_>, vector: Vector, at: SourceSpan) -> Result<Self, QueryError> {
        let selection = LabelSelection::without(&[LE.to_owned()]);
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<u128, usize> = HashMap::new();
        let mut scratch = Vec::new();
        let mut group_of = |selection: &LabelSelection, labels: &Labels, groups: &mut Vec<Group>| {
            *places
                .entry(selection.key(labels, &mut scratch))
                .or_insert_with(|| {
                    groups.push(Group {
                        labels: selection.labels(labels),
                        metric: labels.metric().to_owned(),
                        buckets: Vec::new(),
                        native: None,
                    });
                    groups.len() - 1
                })
        };
        let without_name = LabelSelection::without(&[]);
        for (i, series) in vector.series.iter().enumerate() {
            let labels = &series.labels;
            let has_floats = series.column.floats.iter().any(|value| !is_absent(*value));
            let has_histograms = series.column.histograms.is_some();
            let bound = bound(labels.get(LE));
            if has_floats && bound.is_none() {
                let le = labels.get(LE);
                let text = format!(
                    "bucket label \"le\" is missing or has a malformed value of {le:?} for metric name {:?}",
                    labels.metric()
                );
                context.warn(at, &text);
            }
            if has_floats && let Some(bound) = bound {
                let place = group_of(&selection, labels, &mut groups);
                groups[place].buckets.push((bound, i));
            }
            if has_histograms {
                let place = group_of(&without_name, labels, &mut groups);
                if groups[place].native.replace(i).is_some() {
                    return Err(QueryError::execution(SAME_LABELS));
                }
            }
        }
        for group in &mut groups {
            group.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Ok(Self {
            groups,
            series: vector.series,
            at,
            _holds: vector.holds,
        })
    }

    /// Asks every histogram at every step.
    fn answer(
        &self,
        context: &Context<'_>,
        question: &Question,
        label: Option<(&str, &str)>,
        span: SourceSpan,
        grid: Grid,
    ) -> Result<Vector, QueryError> {
        let mut all = Vec::with_capacity(self.groups.len());
        let mut buckets: Vec<ClassicBucket> = Vec::new();
        for group in &self.groups {
            context.check()?;
            let mut out = Column::absent(grid.len());
            for (step, out) in out.floats.iter_mut().enumerate() {
                buckets.clear();
                let present = group.buckets.iter().filter_map(|(upper, series)| {
                    let count = self.series[*series].column.floats[step];
                    (!is_absent(count)).then_some(ClassicBucket { upper: *upper, count })
                });
                buckets.extend(present);
                let native = group
                    .native
                    .and_then(|series| self.series[series].column.histogram(step));
                match (native, buckets.is_empty()) {
                    (None, true) => {}
                    (None, false) => *out = self.of_classic(context, group, question, step, &mut buckets),
                    (Some(native), true) => {
                        *out = self.of_native(context, group, question, step, native, span)
                    }
                    (Some(_), false) => {
                        let text = "vector contains a mix of classic and native histograms for metric name";
                        context.warn(self.at, &format!("{text} {:?}", group.metric));
                    }
                }
            }
            if !out.is_empty() {
                let mut builder = group.labels.to_builder();
                builder.remove(METRIC_NAME);
                if let Some((name, value)) = label {
                    builder.set(name, value);
                }
                all.push(Series {
                    labels: Arc::new(builder.build().unwrap_or_default()),
                    column: out,
                });
            }
        }
        Ok(Vector::of(all))
    }

    fn of_classic(
        &self,
        context: &Context<'_>,
        group: &Group,
        question: &Question,
        step: usize,
        buckets: &mut [ClassicBucket],
    ) -> f64 {
        match question {
            Question::Fraction { lower, upper } => bucket_fraction(lower[step], upper[step], buckets),
            Question::Quantile(phi) => {
                let quantile = bucket_quantile(phi[step], buckets);
                if let Some(ForcedMonotonicity { .. }) = quantile.forced {
                    let text = named(annotation::FORCED_MONOTONICITY, &group.metric);
                    context.inform(self.at, &text);
                }
                quantile.value
            }
        }
    }

    fn of_native(
        &self,
        context: &Context<'_>,
        group: &Group,
        question: &Question,
        step: usize,
        native: &FloatHistogram,
        span: SourceSpan,
    ) -> f64 {
        match question {
            Question::Fraction { lower, upper } => {
                let fraction = native.fraction(lower[step], upper[step]);
                if fraction.has_nan {
                    context.inform(span, &named(annotation::FRACTION_WITHOUT_NAN, &group.metric));
                }
                fraction.value
            }
            Question::Quantile(phi) => {
                let quantile = native.quantile(phi[step]);
                match quantile.nan {
                    Some(QuantileOfNan::IsNan) => {
                        context.inform(span, &named(annotation::QUANTILE_IS_NAN, &group.metric));
                    }
                    Some(QuantileOfNan::IsSkewed) => {
                        context.inform(span, &named(annotation::QUANTILE_IS_SKEWED, &group.metric));
                    }
                    None => {}
                }
                quantile.value
            }
        }
    }
}

fn named(text: &str, metric: &str) -> String {
    if metric.is_empty() {
        text.to_owned()
    } else {
        format!("{text} for metric name {metric:?}")
    }
}

/// A bucket's bound as Go reads floats.
fn bound(le: &str) -> Option<f64> {
    match le {
        "+Inf" | "Inf" | "+inf" | "inf" => Some(f64::INFINITY),
        "" => None,
        _ => le.parse().ok(),
    }
}

//! Parts of one native histogram: `histogram_count`, `_sum`, `_avg`, `_stddev`, `_stdvar`. Floats have none.

use crate::histogram::FloatHistogram;
use crate::syntax::FunctionId;
use crate::value::{ABSENT, Column};

/// What a function asks of a histogram.
pub(super) fn part(id: FunctionId) -> Option<fn(&FloatHistogram) -> f64> {
    Some(match id {
        FunctionId::HistogramCount => FloatHistogram::count,
        FunctionId::HistogramSum => FloatHistogram::sum,
        FunctionId::HistogramAvg => FloatHistogram::mean,
        FunctionId::HistogramStddev => FloatHistogram::standard_deviation,
        FunctionId::HistogramStdvar => FloatHistogram::variance,
        _ => return None,
    })
}

/// Replaces each histogram by a part of it; floats go.
pub(super) fn take(column: &mut Column, part: fn(&FloatHistogram) -> f64) {
    for step in 0..column.len() {
        column.floats[step] = column.histogram(step).map_or(ABSENT, |histogram| part(histogram));
    }
    column.drop_histograms();
}

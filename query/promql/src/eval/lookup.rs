//! The newest sample in the lookback of each step.

use std::sync::Arc;

use barograph_engine::SeriesRows;
use barograph_model::is_stale;

use crate::Grid;
use crate::histogram::FloatHistogram;
use crate::value::{ABSENT, Column};

/// Native histograms of one series: two columns of one length, `ts` ascending; `None` is a staleness marker.
#[derive(Debug, Default)]
pub(crate) struct HistogramRows {
    pub(crate) ts: Vec<i64>,
    pub(crate) histograms: Vec<Option<Arc<FloatHistogram>>>,
}

impl HistogramRows {
    /// Adds a row behind all others.
    pub(crate) fn push(&mut self, ts: i64, histogram: Option<Arc<FloatHistogram>>) {
        self.ts.push(ts);
        self.histograms.push(histogram);
    }
}

/// For each step the newest float that is not older than the lookback, or its instant in seconds; nothing where that is
/// a staleness marker.
pub(crate) fn floats(rows: &SeriesRows, steps: Grid, lookback_ms: i64, wants_ts: bool, out: &mut [f64]) {
    let SeriesRows { ts, values } = rows;
    let mut next = 0;
    for (step, out) in steps.iter().zip(out) {
        while next < ts.len() && ts[next] <= step {
            next += 1;
        }
        *out = match next.checked_sub(1) {
            Some(last) if ts[last] > step.saturating_sub(lookback_ms) => {
                if wants_ts && !is_stale(values[last]) {
                    ts[last] as f64 / 1000.0
                } else {
                    values[last]
                }
            }
            _ => ABSENT,
        };
    }
}

/// The same for a series that has histograms too: whichever is newer counts, and of two at one instant the histogram.
pub(crate) fn histograms(
    rows: &SeriesRows,
    histograms: &HistogramRows,
    steps: Grid,
    lookback_ms: i64,
    wants_ts: bool,
    out: &mut Column,
) {
    for (place, step) in steps.iter().enumerate() {
        let last = histograms.ts.partition_point(|ts| *ts <= step).checked_sub(1);
        let Some(last) = last.filter(|last| histograms.ts[*last] > step.saturating_sub(lookback_ms)) else {
            continue;
        };
        let ts = histograms.ts[last];
        let float = rows.ts.partition_point(|ts| *ts <= step).checked_sub(1);
        if float.is_some_and(|float| rows.ts[float] > ts) {
            continue;
        }
        match &histograms.histograms[last] {
            None => out.clear(place),
            Some(_) if wants_ts => {
                out.clear(place);
                out.floats[place] = ts as f64 / 1000.0;
            }
            Some(histogram) => out.set_histogram(place, Arc::clone(histogram)),
        }
    }
}

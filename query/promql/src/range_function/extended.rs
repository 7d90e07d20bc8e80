//! Windows that see beyond their edges: `anchored` and `smoothed`.
//!
//! `anchored` puts the newest sample at or before the start of the window at its start. `smoothed` puts values at both
//! edges, on the straight line between the samples around each. Nothing is extrapolated. Source: Prometheus 3.7,
//! "Extended range selectors"; a sample outside of the window counts only within the lookback.

use super::{Samples, each_of};
use crate::eval::Windows;
use crate::syntax::{FunctionId, Widening};

/// Runs one of the functions that know such windows. `samples` reach as far beyond the edges as the lookback allows, and
/// `lookback_ms` keeps each window from those that another window needs.
pub(crate) fn run(
    id: FunctionId,
    widening: Widening,
    samples: Samples<'_>,
    windows: &Windows<'_>,
    lookback_ms: i64,
    out: &mut [f64],
) {
    let range_ms = windows.range_ms;
    each_of(0, windows, out, |_, end, _| {
        let start = end - range_ms;
        let oldest = start.saturating_sub(lookback_ms);
        let newest = match widening {
            Widening::Anchored => end,
            Widening::Smoothed => end.saturating_add(lookback_ms),
        };
        let from = samples.ts.partition_point(|ts| *ts <= oldest);
        let to = samples.ts.partition_point(|ts| *ts <= newest);
        let near = Samples {
            ts: &samples.ts[from..to],
            values: &samples.values[from..to],
        };
        value(id, widening, near, start, end)
    });
}

fn value(id: FunctionId, widening: Widening, near: Samples<'_>, start: i64, end: i64) -> Option<f64> {
    let Samples { ts, values } = near;
    let is_smoothed = widening == Widening::Smoothed;
    let mut last = ts.len().checked_sub(1)?;
    let first = ts[..last].partition_point(|ts| *ts <= start).saturating_sub(1);
    if is_smoothed {
        last = ts[..last].partition_point(|ts| *ts < end);
    }
    if ts[last] <= start {
        return None;
    }
    let count = |is_event: fn(f64, f64) -> bool| {
        let pairs = values[first..=last].windows(2);
        pairs.filter(|pair| is_event(pair[0], pair[1])).count() as f64
    };
    let is_counter = match id {
        FunctionId::Changes => return Some(count(|a, b| a != b && !(a.is_nan() && b.is_nan()))),
        FunctionId::Resets => return Some(count(|a, b| b < a)),
        FunctionId::Delta => false,
        _ => true,
    };
    let left = if is_smoothed && ts[first] < start && first < last {
        between(near, first, start, is_counter, true)
    } else {
        values[first]
    };
    let right = if is_smoothed && ts[last] > end && last > 0 {
        between(near, last - 1, end, is_counter, false)
    } else {
        values[last]
    };
    let mut rise = right - left;
    if is_counter {
        let inside = (first..=last)
            .filter(|i| ts[*i] > start && ts[*i] < end)
            .map(|i| values[i]);
        let mut before = left;
        for value in inside.chain([right]) {
            if value < before {
                rise += before;
            }
            before = value;
        }
    }
    if id == FunctionId::Rate {
        rise /= (end - start) as f64 / 1000.0;
    }
    Some(rise)
}

/// The value at an instant between a sample and the next. A counter that falls between them began at 0.
fn between(samples: Samples<'_>, place: usize, at: i64, is_counter: bool, is_left_edge: bool) -> f64 {
    let Samples { ts, values } = samples;
    let (mut low, mut high) = (values[place], values[place + 1]);
    if is_counter && high < low {
        if is_left_edge {
            low = 0.0;
        } else {
            high += low;
        }
    }
    low + (high - low) * (at - ts[place]) as f64 / (ts[place + 1] - ts[place]) as f64
}

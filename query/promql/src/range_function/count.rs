//! `changes` and `resets`: how often a value follows another. Counted once a series; a window is a difference.

use super::{Samples, each};
use crate::eval::Windows;

pub(super) fn changes(samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64]) {
    events(samples, windows, out, |before, value| {
        value != before && !(value.is_nan() && before.is_nan())
    });
}

pub(super) fn resets(samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64]) {
    events(samples, windows, out, |before, value| value < before);
}

/// Counts the neighbours inside each window of which `is_event` says so.
fn events(samples: Samples<'_>, windows: &Windows<'_>, out: &mut [f64], is_event: impl Fn(f64, f64) -> bool) {
    let mut until = Vec::with_capacity(samples.values.len());
    let mut count = 0u32;
    until.push(count);
    for pair in samples.values.windows(2) {
        count += u32::from(is_event(pair[0], pair[1]));
        until.push(count);
    }
    each(windows, out, |_, places| {
        f64::from(until[places.end - 1] - until[places.start])
    });
}

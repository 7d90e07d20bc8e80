//! `rate`, `increase`, `delta`: the rise over a window, extrapolated to its edges; `irate` and `idelta`: of its last two
//! samples.

use super::{Samples, each_of};
use crate::eval::Windows;

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Of a counter, a second.
    Rate,
    /// Of a counter.
    Increase,
    /// Of a gauge.
    Delta,
}

impl Kind {
    /// Whether a fall means that the counter began anew.
    pub(crate) fn is_counter(self) -> bool {
        self != Self::Delta
    }
}

/// By how much the rise between the first and the last sample of a window is multiplied to stand for all of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extrapolation {
    pub(crate) kind: Kind,
    /// the window, in milliseconds
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// the instants of its first and last sample
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// samples in the window, at least two
    pub(crate) samples: usize,
}

impl Extrapolation {
    /// The factor. `to_zero` is the first sample and the rise where the counter is known to have begun at zero not before
    /// `first` minus what that rise took: a counter is not extrapolated below zero.
    pub(crate) fn factor(&self, to_zero: Option<(f64, f64)>) -> f64 {
        let interval = (self.last - self.first) as f64 / 1000.0;
        let average = interval / (self.samples - 1) as f64;
        let threshold = average * 1.1;
        let mut to_start = (self.first - self.start) as f64 / 1000.0;
        if to_start >= threshold {
            to_start = average / 2.0;
        }
        if let Some((first, rise)) = to_zero.filter(|(first, rise)| *rise > 0.0 && *first >= 0.0) {
            to_start = to_start.min(interval * (first / rise));
        }
        let mut to_end = (self.end - self.last) as f64 / 1000.0;
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        let factor = (interval + to_start + to_end) / interval;
        if self.kind == Kind::Rate {
            factor / ((self.end - self.start) as f64 / 1000.0)
        } else {
            factor
        }
    }
}

/// One of the three over the samples of one window, which is open at its start and closed at its end, as Prometheus 3 has it:
/// `ts` ascends, and `start_ms < ts <= end_ms`. `None` for less than two samples. A NaN among the values makes the answer NaN.
#[must_use]
pub fn rise_over_window(kind: Kind, ts: &[i64], values: &[f64], start_ms: i64, end_ms: i64) -> Option<f64> {
    let ([first, .., last], [from, .., to]) = (ts, values) else {
        return None;
    };
    let mut rise = to - from;
    if kind.is_counter() {
        let falls = values.windows(2).filter(|pair| pair[1] < pair[0]);
        rise = falls.fold(rise, |rise, pair| rise + pair[0]);
    }
    let extrapolation = Extrapolation {
        kind,
        start: start_ms,
        end: end_ms,
        first: *first,
        last: *last,
        samples: ts.len(),
    };
    Some(rise * extrapolation.factor(kind.is_counter().then_some((*from, rise))))
}

/// The three functions. Where a counter falls is found once a series, so that a window costs its resets and not its samples.
pub(super) fn extrapolated(samples: Samples<'_>, windows: &Windows<'_>, kind: Kind, out: &mut [f64]) {
    let Samples { ts, values } = samples;
    let falls: Vec<u32> = if kind.is_counter() {
        let pairs = values.windows(2).enumerate();
        pairs
            .filter(|(_, pair)| pair[1] < pair[0])
            .map(|(i, _)| i as u32)
            .collect()
    } else {
        Vec::new()
    };
    let mut next = 0;
    each_of(2, windows, out, |_, end, places| {
        let (first, last) = (places.start, places.end - 1);
        let mut rise = values[last] - values[first];
        if !falls.is_empty() {
            next += falls[next..]
                .iter()
                .take_while(|fall| (**fall as usize) < first)
                .count();
            let inside = falls[next..].iter().take_while(|fall| (**fall as usize) < last);
            rise = inside.fold(rise, |rise, fall| rise + values[*fall as usize]);
        }
        let extrapolation = Extrapolation {
            kind,
            start: end - windows.range_ms,
            end,
            first: ts[first],
            last: ts[last],
            samples: places.len(),
        };
        let to_zero = kind.is_counter().then_some((values[first], rise));
        Some(rise * extrapolation.factor(to_zero))
    });
}

/// `irate` (of a counter) and `idelta`.
pub(super) fn instant(samples: Samples<'_>, windows: &Windows<'_>, is_rate: bool, out: &mut [f64]) {
    let Samples { ts, values } = samples;
    each_of(2, windows, out, |_, _, places| {
        let (last, before) = (places.end - 1, places.end - 2);
        if !is_rate {
            return Some(values[last] - values[before]);
        }
        let rise = if values[last] < values[before] {
            values[last]
        } else {
            values[last] - values[before]
        };
        Some(rise / ((ts[last] - ts[before]) as f64 / 1000.0))
    });
}

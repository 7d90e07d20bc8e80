//! `min_over_time`, `max_over_time`, and when they were met.

use super::blocks::Blocks;
use super::{Samples, each, seconds};
use crate::eval::Windows;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Min,
    Max,
}

impl Kind {
    /// Whether a value takes the place of what was found so far. NaN gives way to anything.
    fn takes_over(self, value: f64, found: f64) -> bool {
        found.is_nan()
            || match self {
                Self::Min => value < found,
                Self::Max => value > found,
            }
    }
}

pub(super) fn over_time(samples: Samples<'_>, windows: &Windows<'_>, kind: Kind, out: &mut [f64]) {
    let mut blocks = match kind {
        Kind::Min => Blocks::new(samples.values, least, f64::min),
        Kind::Max => Blocks::new(samples.values, greatest, f64::max),
    };
    each(windows, out, |_, places| blocks.summary(places));
}

/// The last sample of a window that is as small, or as great, as any; in seconds since the epoch.
pub(super) fn ts_over_time(samples: Samples<'_>, windows: &Windows<'_>, kind: Kind, out: &mut [f64]) {
    each(windows, out, |_, places| {
        let mut found = places.start;
        for place in places {
            let (value, best) = (samples.values[place], samples.values[found]);
            if kind.takes_over(value, best) || value == best {
                found = place;
            }
        }
        seconds(samples.ts[found])
    });
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::min)
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

//! Instants and ranges, with the unit in the type.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Milliseconds since the Unix epoch, UTC; the resolution of a metric sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimestampMs(pub i64);

/// Nanoseconds since the Unix epoch, UTC; the resolution of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimestampNs(pub i64);

/// Why an instant could not be converted or read.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// The instant exists in milliseconds but not in 64-bit nanoseconds (years 1677 to 2262).
    #[error("{0} ms since the epoch does not fit nanoseconds")]
    OutOfNanosecondRange(i64),
}

impl TimestampMs {
    /// The earliest representable instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable instant.
    pub const MAX: Self = Self(i64::MAX);

    /// The start of the aligned interval of `width_ms` that holds this instant; correct before 1970 too.
    #[must_use]
    pub fn align(self, width_ms: i64) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(width_ms)))
    }

    /// This instant moved by `delta_ms`, stopping at the ends of the range.
    #[must_use]
    pub fn saturating_add(self, delta_ms: i64) -> Self {
        Self(self.0.saturating_add(delta_ms))
    }

    /// The signed distance `self - earlier` in milliseconds, stopping at the ends of the range.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same instant in nanoseconds.
    ///
    /// # Errors
    /// [`TimeError::OutOfNanosecondRange`] outside the years 1677 to 2262.
    pub fn to_ns(self) -> Result<TimestampNs, TimeError> {
        self.0
            .checked_mul(1_000_000)
            .map(TimestampNs)
            .ok_or(TimeError::OutOfNanosecondRange(self.0))
    }
}

impl TimestampNs {
    /// The millisecond that holds this instant, rounding towards the past.
    #[must_use]
    pub fn to_ms(self) -> TimestampMs {
        TimestampMs(self.0.div_euclid(1_000_000))
    }
}

impl fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A closed range of instants, `start <= ts <= end`. Empty where `start > end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first instant inside.
    pub start: TimestampMs,
    /// The last instant inside.
    pub end: TimestampMs,
}

impl TimeRange {
    /// Every instant.
    pub const ALL: Self = Self {
        start: TimestampMs::MIN,
        end: TimestampMs::MAX,
    };

    /// The range from plain milliseconds, both ends inside.
    #[must_use]
    pub fn new(start_ms: i64, end_ms: i64) -> Self {
        Self {
            start: TimestampMs(start_ms),
            end: TimestampMs(end_ms),
        }
    }

    /// Whether no instant is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start > self.end
    }

    /// Whether an instant is inside.
    #[must_use]
    pub fn contains(&self, ts: TimestampMs) -> bool {
        self.start <= ts && ts <= self.end
    }

    /// Whether any instant is inside both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end && !self.is_empty() && !other.is_empty()
    }

    /// The instants inside both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn align_rounds_towards_the_past_on_both_sides_of_1970() {
        assert_eq!(TimestampMs(7_200_001).align(7_200_000), TimestampMs(7_200_000));
        assert_eq!(TimestampMs(-1).align(7_200_000), TimestampMs(-7_200_000));
        assert_eq!(TimestampMs(i64::MIN).align(7_200_000), TimestampMs(i64::MIN));
    }

    #[test]
    fn nanoseconds_are_checked() {
        assert_eq!(TimestampMs(-1).to_ns(), Ok(TimestampNs(-1_000_000)));
        assert_eq!(TimestampNs(-1).to_ms(), TimestampMs(-1));
        assert!(
            TimestampMs(253_402_300_799_000).to_ns().is_err(),
            "year 9999 does not fit"
        );
    }

    #[test]
    fn ranges_are_closed() {
        let range = TimeRange::new(10, 20);
        assert!(range.contains(TimestampMs(10)) && range.contains(TimestampMs(20)));
        assert!(range.overlaps(&TimeRange::new(20, 30)));
        assert!(!range.overlaps(&TimeRange::new(21, 30)));
        assert!(range.intersect(&TimeRange::new(30, 40)).is_empty());
    }
}

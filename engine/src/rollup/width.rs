//! How wide a bucket is.

use crate::segment::SegmentKind;

/// The width of the buckets of a rollup. Buckets are aligned to the epoch, open on the left and closed on the right, as
/// the windows of PromQL are: the one that is named `end` has the rows of `(end - width, end]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RollupWidth {
    /// Five minutes.
    FiveMinutes,
    /// One hour.
    OneHour,
}

impl RollupWidth {
    /// Both, the finer first.
    pub const ALL: [Self; 2] = [Self::FiveMinutes, Self::OneHour];

    /// In milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        match self {
            Self::FiveMinutes => 5 * 60_000,
            Self::OneHour => 60 * 60_000,
        }
    }

    /// As in the names of files: `5m`, `1h`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::OneHour => "1h",
        }
    }

    /// The end of the bucket that an instant lies in.
    #[must_use]
    pub fn end_of(self, ts: i64) -> i64 {
        let past_start = ts.rem_euclid(self.ms());
        match past_start {
            0 => ts,
            _ => ts.saturating_add(self.ms() - past_start),
        }
    }

    /// The first instant of the bucket with an end.
    #[must_use]
    pub fn first_of(self, end: i64) -> i64 {
        end.saturating_sub(self.ms() - 1)
    }

    /// The kind of the segments that hold such buckets.
    pub(crate) fn kind(self) -> SegmentKind {
        match self {
            Self::FiveMinutes => SegmentKind::FiveMinutes,
            Self::OneHour => SegmentKind::OneHour,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_closed_on_the_right() {
        let width = RollupWidth::FiveMinutes;
        for (ts, end) in [
            (0, 0),
            (1, 300_000),
            (300_000, 300_000),
            (300_001, 600_000),
            (-1, 0),
            (-300_000, -300_000),
        ] {
            assert_eq!(width.end_of(ts), end, "{ts}");
            assert!((width.first_of(end)..=end).contains(&ts), "{ts}");
        }
        assert_eq!(width.end_of(i64::MAX), i64::MAX);
        assert_eq!(width.first_of(i64::MIN), i64::MIN);
    }
}

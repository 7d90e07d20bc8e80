//! Where buckets begin.

use arrow::array::timezone::Tz;
use barograph_model::TimestampMs;
use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};

use super::width::Width;

/// A grid of buckets: their width, a begin of one of them, and the zone whose clock and calendar count.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) width: Width,
    /// An instant at which a bucket begins; by the zone's clock where there is a zone.
    pub(super) origin_ms: i64,
    pub(super) zone: Option<Tz>,
}

impl Grid {
    /// The begin of the bucket that holds an instant. Instants that no calendar knows stay as they are.
    pub(super) fn begin(&self, ms: i64) -> i64 {
        match (self.width, &self.zone) {
            (Width::Ms(width), None) => self.align(ms, width),
            _ => self.begin_by_calendar(ms).unwrap_or(ms),
        }
    }

    fn align(&self, ms: i64, width: i64) -> i64 {
        let from_origin = TimestampMs(ms.saturating_sub(self.origin_ms)).align(width).0;
        from_origin.saturating_add(self.origin_ms)
    }

    fn begin_by_calendar(&self, ms: i64) -> Option<i64> {
        let utc = DateTime::<Utc>::from_timestamp_millis(ms)?.naive_utc();
        let local = match &self.zone {
            Some(zone) => zone.from_utc_datetime(&utc).naive_local(),
            None => utc,
        };
        let begin = match self.width {
            Width::Ms(width) => {
                let begin = self.align(local.and_utc().timestamp_millis(), width);
                DateTime::<Utc>::from_timestamp_millis(begin)?.naive_utc()
            }
            Width::Months(width) => {
                let origin = DateTime::<Utc>::from_timestamp_millis(self.origin_ms)?.naive_utc();
                month_begin(&local, &origin, width)?
            }
        };
        let Some(zone) = &self.zone else {
            return Some(begin.and_utc().timestamp_millis());
        };
        // A clock that is set back shows some times twice, of which the first counts; of those that it leaves out, the first
        // that it shows again.
        let begin = match zone.from_local_datetime(&begin) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at,
            LocalResult::None => zone
                .from_local_datetime(&(begin + Duration::hours(1)))
                .earliest()?,
        };
        Some(begin.timestamp_millis())
    }
}

/// The last begin of `width` months, counted from the origin's month, that is not after an instant.
fn month_begin(at: &NaiveDateTime, origin: &NaiveDateTime, width: i64) -> Option<NaiveDateTime> {
    let months = |at: &NaiveDateTime| i64::from(at.year()) * 12 + i64::from(at.month0());
    let first = months(origin);
    let begin = first + (months(at) - first).div_euclid(width) * width;
    let year = i32::try_from(begin.div_euclid(12)).ok()?;
    let month = u32::try_from(begin.rem_euclid(12)).ok()? + 1;
    NaiveDate::from_ymd_opt(year, month, 1)?.and_hms_opt(0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    fn begin(grid: &Grid, text: &str) -> String {
        DateTime::<Utc>::from_timestamp_millis(grid.begin(ms(text)))
            .unwrap()
            .to_rfc3339()
    }

    #[test]
    fn days_begin_at_the_zones_midnight() {
        let grid = Grid {
            width: Width::Ms(86_400_000),
            origin_ms: 0,
            zone: Some("Europe/Berlin".parse().unwrap()),
        };
        assert_eq!(begin(&grid, "2026-07-01T23:30:00Z"), "2026-07-01T22:00:00+00:00");
        assert_eq!(begin(&grid, "2026-01-01T22:30:00Z"), "2025-12-31T23:00:00+00:00");
        // The days of the changes have 23 and 25 hours.
        assert_eq!(begin(&grid, "2026-03-29T21:59:00Z"), "2026-03-28T23:00:00+00:00");
        assert_eq!(begin(&grid, "2026-03-29T22:00:00Z"), "2026-03-29T22:00:00+00:00");
        assert_eq!(begin(&grid, "2026-10-25T22:59:00Z"), "2026-10-24T22:00:00+00:00");
        assert_eq!(begin(&grid, "2026-10-25T23:00:00Z"), "2026-10-25T23:00:00+00:00");
    }

    #[test]
    fn months_are_of_the_calendar() {
        let grid = |months, origin: &str| Grid {
            width: Width::Months(months),
            origin_ms: ms(origin),
            zone: None,
        };
        let epoch = "1970-01-01T00:00:00Z";
        assert_eq!(
            begin(&grid(1, epoch), "2026-02-28T23:59:59Z"),
            "2026-02-01T00:00:00+00:00"
        );
        assert_eq!(
            begin(&grid(3, epoch), "2026-12-31T00:00:00Z"),
            "2026-10-01T00:00:00+00:00"
        );
        assert_eq!(
            begin(&grid(12, epoch), "1969-06-01T00:00:00Z"),
            "1969-01-01T00:00:00+00:00"
        );
        assert_eq!(
            begin(&grid(3, "2026-02-01T00:00:00Z"), "2026-01-15T00:00:00Z"),
            "2025-11-01T00:00:00+00:00"
        );
    }

    #[test]
    fn an_origin_moves_the_grid() {
        let grid = Grid {
            width: Width::Ms(7 * 86_400_000),
            origin_ms: ms("2026-01-05T00:00:00Z"),
            zone: None,
        };
        assert_eq!(begin(&grid, "2026-01-11T23:00:00Z"), "2026-01-05T00:00:00+00:00");
        assert_eq!(begin(&grid, "2026-01-04T23:00:00Z"), "2025-12-29T00:00:00+00:00");
    }
}

//! Instants as text.

use std::fmt::Write;

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since the epoch as RFC 3339 in UTC: `2026-11-22T23:05:00.000Z`. Years beyond four digits are
/// written with a sign, as ISO 8601 extends them.
pub(crate) fn rfc3339(ms: i64) -> String {
    let mut text = String::with_capacity(24);
    write_seconds(&mut text, ms.div_euclid(1_000));
    // Writing to a String does not fail.
    let _ = write!(text, ".{:03}Z", ms.rem_euclid(1_000));
    text
}

/// Nanoseconds since the epoch: like [`rfc3339`] for whole milliseconds, with nine digits otherwise.
pub(crate) fn rfc3339_ns(ns: i64) -> String {
    if ns % 1_000_000 == 0 {
        return rfc3339(ns.div_euclid(1_000_000));
    }
    let mut text = String::with_capacity(30);
    write_seconds(&mut text, ns.div_euclid(1_000_000_000));
    let _ = write!(text, ".{:09}Z", ns.rem_euclid(1_000_000_000));
    text
}

fn write_seconds(text: &mut String, seconds: i64) {
    let (year, month, day) = civil(seconds.div_euclid(DAY_MS / 1_000));
    let of_day = seconds.rem_euclid(DAY_MS / 1_000);
    let sign = if (0..=9_999).contains(&year) {
        ""
    } else if year < 0 {
        "-"
    } else {
        "+"
    };
    let year = year.unsigned_abs();
    let _ = write!(
        text,
        "{sign}{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    );
}

/// Year, month and day of a day since the epoch in the Gregorian calendar, counting in eras of 400 years that
/// begin in March, so that the day of a leap year comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_of_the_range() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339_ns(1), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(rfc3339(253_402_300_800_000), "+10000-01-01T00:00:00.000Z");
        assert!(rfc3339(i64::MIN).starts_with('-') && rfc3339(i64::MAX).starts_with('+'));
        assert!(!rfc3339_ns(i64::MIN).is_empty() && !rfc3339_ns(i64::MAX).is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(ms in -62_167_219_200_000i64..253_402_300_800_000) {
            let expected = DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
            prop_assert_eq!(rfc3339(ms), expected);
        }
    }
}

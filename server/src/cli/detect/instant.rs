//! Reads instants as files write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// Milliseconds since the epoch, from epoch milliseconds (`1700000000000`), RFC 3339
/// (`2024-05-01T10:00:00.250+02:00`), or a date with or without a time of day, taken as UTC
/// (`2024-05-01 10:00:00`, `2024-05-01`). Finer than a millisecond is rounded towards the past.
///
/// # Errors
/// What is expected, to follow the text that was found.
pub(in crate::cli) fn parse_instant_ms(text: &str) -> Result<i64, &'static str> {
    if let Ok(ms) = text.parse::<i64>() {
        return Ok(ms);
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.timestamp_millis());
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(instant) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(instant.and_utc().timestamp_millis());
        }
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date
            .and_hms_opt(0, 0, 0)
            .map_or(0, |midnight| midnight.and_utc().timestamp_millis()));
    }
    // Tools that hold whole numbers as floats write 1700000000000.0; 2^53 bounds what such a float can mean.
    match text.parse::<f64>() {
        Ok(ms) if ms.fract() == 0.0 && ms.abs() < 9.0e15 => Ok(ms as i64),
        _ => Err("is not a time (RFC 3339 such as 2024-05-01T10:00:00Z, or milliseconds since 1970)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_files_hold() {
        for (text, ms) in [
            ("1700000000000", 1_700_000_000_000),
            ("1700000000000.0", 1_700_000_000_000),
            ("1.7e12", 1_700_000_000_000),
            ("-1", -1),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14T23:13:20.250+01:00", 1_700_000_000_250),
            ("2023-11-14 22:13:20", 1_700_000_000_000),
            ("2023-11-14 22:13:20+00:00", 1_700_000_000_000),
            ("2023-11-14T22:13", 1_699_999_980_000),
            ("2023-11-14", 1_699_920_000_000),
        ] {
            assert_eq!(parse_instant_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "yesterday", "2023-13-01", "1.5", "NaN", "1e300", "14/11/2023"] {
            assert!(parse_instant_ms(text).is_err(), "{text}");
        }
    }
}

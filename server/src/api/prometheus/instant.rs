//! Instants and durations as Prometheus' API takes them: float seconds, RFC 3339, `5m`.

use barograph_promql::syntax::parse_duration;
use chrono::DateTime;

use super::go::quoted;

/// The earliest and the latest instant of Prometheus, which its clients send as "no bound".
const EARLIEST: &str = "-292273086-05-16T16:47:06Z";
const LATEST: &str = "292277025-08-18T07:12:54.999999999Z";

/// Reads an instant, in milliseconds since the epoch. What is beyond what can be counted is held to that.
///
/// # Errors
/// Prometheus' words.
pub(crate) fn parse_instant(text: &str) -> Result<i64, String> {
    let wrong = || format!("cannot parse {} to a valid timestamp", quoted(text));
    if let Some(seconds) = parse_float(text) {
        if seconds.is_nan() {
            return Err(wrong());
        }
        // The cast saturates.
        return Ok((seconds * 1e3).round() as i64);
    }
    match text {
        EARLIEST => return Ok(i64::MIN),
        LATEST => return Ok(i64::MAX),
        _ => {}
    }
    match DateTime::parse_from_rfc3339(text) {
        Ok(instant) => Ok(instant.timestamp_millis()),
        Err(_) => Err(wrong()),
    }
}

/// Reads a duration, in nanoseconds.
///
/// # Errors
/// Prometheus' words.
pub(crate) fn parse_duration_ns(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_float(text) {
        let ns = seconds * 1e9;
        if ns.is_nan() || ns.abs() > i64::MAX as f64 {
            let text = quoted(text);
            return Err(format!(
                "cannot parse {text} to a valid duration. It overflows int64"
            ));
        }
        return Ok(ns as i64);
    }
    match parse_duration(text) {
        Ok(ms) => Ok(ms.saturating_mul(1_000_000)),
        Err(_) => Err(format!("cannot parse {} to a valid duration", quoted(text))),
    }
}

/// A float as Go reads it; Rust agrees but for surrounding blanks, which neither takes, and hexadecimal floats, which
/// nobody sends.
fn parse_float(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_floats_or_dates() {
        assert_eq!(parse_instant("1435781430.781"), Ok(1_435_781_430_781));
        assert_eq!(parse_instant("2015-07-01T20:10:51.781Z"), Ok(1_435_781_451_781));
        assert_eq!(
            parse_instant("2015-07-01T22:10:51.781+02:00"),
            Ok(1_435_781_451_781)
        );
        assert_eq!(parse_instant("-1.5"), Ok(-1500));
        assert_eq!(
            (parse_instant(EARLIEST), parse_instant(LATEST)),
            (Ok(i64::MIN), Ok(i64::MAX))
        );
        assert_eq!(parse_instant("1e300"), Ok(i64::MAX));
        for wrong in ["", "now", "NaN", "2015-07-01", "30 s"] {
            let error = parse_instant(wrong).unwrap_err();
            assert_eq!(error, format!("cannot parse {wrong:?} to a valid timestamp"));
        }
    }

    #[test]
    fn durations_are_floats_or_have_units() {
        assert_eq!(parse_duration_ns("15"), Ok(15_000_000_000));
        assert_eq!(parse_duration_ns("0.5"), Ok(500_000_000));
        assert_eq!(parse_duration_ns("1h30m"), Ok(5_400_000_000_000));
        assert!(
            parse_duration_ns("1e300")
                .unwrap_err()
                .contains("overflows int64")
        );
        assert_eq!(
            parse_duration_ns("5 minutes"),
            Err("cannot parse \"5 minutes\" to a valid duration".to_owned())
        );
    }
}

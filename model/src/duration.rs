//! Durations as Prometheus writes them: `1h30m`, `15s`, `250ms`, `2w`.

use thiserror::Error;

/// Units from the longest to the shortest, the order in which they must appear; each in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is not a duration.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{text:?} is not a duration (try {hint:?})")]
pub struct DurationError {
    text: String,
    hint: String,
}

/// Reads a duration into milliseconds. `0` needs no unit; units go from long to short, each at most once.
///
/// # Errors
/// [`DurationError`] names the text and shows the nearest duration that would be read.
pub fn parse_duration_ms(text: &str) -> Result<i64, DurationError> {
    let error = || DurationError {
        text: text.to_owned(),
        hint: hint(text),
    };
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err(error());
    }
    let mut rest = text;
    let mut total_ms = 0i64;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let count: i64 = rest[..digits].parse().map_err(|_| error())?;
        let unit = &rest[digits..digits + letters];
        let place = UNITS[next_unit..]
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(error)?;
        let unit_ms = UNITS[next_unit + place].1;
        total_ms = count
            .checked_mul(unit_ms)
            .and_then(|ms| total_ms.checked_add(ms))
            .ok_or_else(error)?;
        next_unit += place + 1;
        rest = &rest[digits + letters..];
    }
    Ok(total_ms)
}

/// Writes milliseconds the shortest way that reads back to the same: `5400000` is `1h30m`.
#[must_use]
pub fn format_duration_ms(duration_ms: i64) -> String {
    if duration_ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::from(if duration_ms < 0 { "-" } else { "" });
    let mut rest = duration_ms.unsigned_abs();
    // Weeks and years would read worse than days ("2w1d"), so they appear only when they are exact.
    for (unit, unit_ms) in UNITS {
        let unit_ms = unit_ms.unsigned_abs();
        if matches!(unit, "y" | "w") && !rest.is_multiple_of(unit_ms) {
            continue;
        }
        let count = rest / unit_ms;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            rest %= unit_ms;
        }
    }
    text
}

/// The number at the front of the text with the unit whose first letter it has, or an example.
fn hint(text: &str) -> String {
    let digits: String = text.chars().take_while(char::is_ascii_digit).take(9).collect();
    let letter = text.chars().find(char::is_ascii_alphabetic);
    let unit = UNITS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| letter.is_some_and(|l| name.starts_with(l)));
    match (digits.is_empty(), unit) {
        (false, Some(unit)) => format!("{digits}{unit}"),
        (false, None) => format!("{digits}s"),
        (true, _) => "5m".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_prometheus_reads() {
        for (text, ms) in [
            ("0", 0),
            ("5ms", 5),
            ("15s", 15_000),
            ("1h30m", 5_400_000),
            ("2w", 1_209_600_000),
            ("1m500ms", 60_500),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_nearest_right_text() {
        let message = |text| parse_duration_ms(text).unwrap_err().to_string();
        assert_eq!(message("15dd"), "\"15dd\" is not a duration (try \"15d\")");
        assert_eq!(message("10"), "\"10\" is not a duration (try \"10s\")");
        assert_eq!(message("1m1h"), "\"1m1h\" is not a duration (try \"1m\")");
        assert_eq!(message(""), "\"\" is not a duration (try \"5m\")");
        assert!(parse_duration_ms("99999999999999999y").is_err());
        assert!(parse_duration_ms("5é").is_err());
    }

    #[test]
    fn writes_what_it_reads() {
        for ms in [
            0,
            1,
            999,
            60_000,
            5_400_000,
            86_400_000,
            15 * 86_400_000,
            604_800_000,
            90_061_001,
        ] {
            assert_eq!(parse_duration_ms(&format_duration_ms(ms)), Ok(ms));
        }
        assert_eq!(format_duration_ms(15 * 86_400_000), "15d");
        assert_eq!(format_duration_ms(14 * 86_400_000), "2w");
    }
}

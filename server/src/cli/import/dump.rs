//! The text of `promtool tsdb dump`: `{__name__="up", job="a"} 1 1700000000000`, a sample a line.

use super::labels::{braces_len, shown};
use super::line::{Line, Sample, value};

/// Reads a line.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn parse(line: &str) -> Result<Line<'_>, String> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(Line::Other);
    }
    if !line.starts_with('{') {
        return Err(format!(
            "a series in braces is expected, not {:?} (is this OpenMetrics text? use --openmetrics)",
            shown(line)
        ));
    }
    let end = braces_len(line.as_bytes()).ok_or("the braces of the series do not end")?;
    let rest = line[end..].trim_start();
    if rest.starts_with('{') {
        return value(rest).map(|_| Line::Other);
    }
    let mut words = rest.split_ascii_whitespace();
    let (Some(number), Some(time), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!(
            "a value and a time are expected after the series, not {:?}",
            shown(rest)
        ));
    };
    let ts_ms = time
        .parse()
        .map_err(|_| format!("{:?} is not a time in milliseconds", shown(time)))?;
    Ok(Line::Sample(Sample {
        series: &line[..end],
        name_len: 0,
        ts_ms,
        value: value(number)?,
        has_exemplar: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_sample() {
        let Line::Sample(sample) = parse("{__name__=\"up\", a=\"} 1\"} 1e+06 1700000000123\n").unwrap()
        else {
            panic!("a sample")
        };
        assert_eq!((sample.value, sample.ts_ms), (1e6, 1_700_000_000_123));
        assert_eq!(
            (sample.name(), sample.braces()),
            ("", "{__name__=\"up\", a=\"} 1\"}")
        );
        let Line::Sample(sample) = parse("{} NaN -5").unwrap() else {
            panic!("a sample")
        };
        assert!(sample.value.is_nan() && sample.ts_ms == -5);
        assert_eq!(parse(" \n"), Ok(Line::Other));
    }

    #[test]
    fn says_what_is_wrong() {
        for (line, expected) in [
            ("up 1 2", "--openmetrics"),
            ("{a=\"b\" 1 2", "do not end"),
            ("{a=\"b\"} 1", "a value and a time"),
            ("{a=\"b\"} 1 2 3", "a value and a time"),
            ("{a=\"b\"} x 2", "\"x\" is not a number"),
            ("{a=\"b\"} 1 2.5", "not a time in milliseconds"),
            ("{a=\"b\"} {count:1, sum:2} 5", "native histogram"),
        ] {
            let message = parse(line).unwrap_err();
            assert!(message.contains(expected), "{line}: {message}");
        }
    }
}

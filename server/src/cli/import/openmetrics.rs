//! OpenMetrics text with timestamps: `up{job="a"} 1 1700000000.123`, seconds, an exemplar behind a `#` perhaps.

use super::labels::{braces_len, shown};
use super::line::{Line, Sample, value};

/// Reads a line.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn parse(line: &str) -> Result<Line<'_>, String> {
    let line = line.trim_end_matches(['\n', '\r']);
    if line.trim().is_empty() {
        return Ok(Line::Other);
    }
    if let Some(comment) = line.strip_prefix('#') {
        return Ok(match comment.trim() {
            "EOF" => Line::Eof,
            _ => Line::Other,
        });
    }
    let name_len = line
        .find(|c: char| c == '{' || c.is_ascii_whitespace())
        .unwrap_or(line.len());
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.');
    if !line[..name_len].chars().all(is_name) {
        return Err(format!(
            "{:?} is not the name of a metric",
            shown(&line[..name_len])
        ));
    }
    let series_len = match line[name_len..].trim_start().starts_with('{') {
        true => {
            let open = line.len() - line[name_len..].trim_start().len();
            let len = braces_len(&line.as_bytes()[open..]);
            open + len.ok_or("the braces of the labels do not end")?
        }
        false => name_len,
    };
    if series_len == 0 {
        return Err("a line begins with the name of a metric".to_owned());
    }
    let rest = &line[series_len..];
    // A value and a time hold no '#'.
    let (sample, has_exemplar) = match rest.split_once('#') {
        Some((sample, _)) => (sample, true),
        None => (rest, false),
    };
    let mut words = sample.split_ascii_whitespace();
    let number = words.next().ok_or("there is no value")?;
    let value = value(number)?;
    let time = words
        .next()
        .ok_or("there is no timestamp, and without one nobody knows when it was")?;
    if let Some(more) = words.next() {
        return Err(format!("{:?} stands behind the timestamp", shown(more)));
    }
    Ok(Line::Sample(Sample {
        series: &line[..series_len],
        name_len,
        ts_ms: milliseconds(time)?,
        value,
        has_exemplar,
    }))
}

/// Seconds with a fraction, rounded to milliseconds.
fn milliseconds(text: &str) -> Result<i64, String> {
    let ms = text.parse::<f64>().map(|seconds| (seconds * 1000.0).round());
    match ms {
        // Beyond 2^53 a double does not hold every integer.
        Ok(ms) if ms.is_finite() && ms.abs() < 9.0e15 => Ok(ms as i64),
        _ => Err(format!("{:?} is not a time in seconds", shown(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(line: &str) -> Sample<'_> {
        match parse(line) {
            Ok(Line::Sample(sample)) => sample,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_line_is_a_sample_or_a_comment() {
        let read = sample("http_total{a=\"# }\"} 1.5 1520879607.789 # {trace_id=\"x\"} 0.6 1.2\n");
        assert_eq!((read.name(), read.braces()), ("http_total", "{a=\"# }\"}"));
        assert_eq!(
            (read.value, read.ts_ms, read.has_exemplar),
            (1.5, 1_520_879_607_789, true)
        );
        let read = sample("up +Inf 1");
        assert_eq!((read.series, read.braces(), read.ts_ms), ("up", "", 1000));
        assert!(read.value.is_infinite() && !read.has_exemplar);
        let read = sample("{\"my metric\",a=\"b\"} 1 1e9");
        assert_eq!((read.name(), read.ts_ms), ("", 1_000_000_000_000));
        for line in ["# HELP up x", "# TYPE up gauge", "", "\n"] {
            assert_eq!(parse(line), Ok(Line::Other), "{line:?}");
        }
        assert_eq!(parse("# EOF\n"), Ok(Line::Eof));
    }

    #[test]
    fn says_what_is_wrong() {
        for (line, expected) in [
            ("up", "no value"),
            ("up 1", "no timestamp"),
            ("up x 1", "\"x\" is not a number"),
            ("up 1 x", "not a time in seconds"),
            ("up 1 1e300", "not a time in seconds"),
            ("up 1 2 3", "\"3\" stands behind"),
            ("up{a=\"b\" 1 2", "do not end"),
            ("u-p 1 2", "not the name"),
            (" up 1 2", "begins with the name"),
        ] {
            let message = parse(line).unwrap_err();
            assert!(message.contains(expected), "{line}: {message}");
        }
    }
}

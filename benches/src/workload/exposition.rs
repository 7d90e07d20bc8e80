//! Prometheus' text format, as much of it as node_exporter writes: a sample a line, comments begin with `#`.

use anyhow::{Context, Result, bail};

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// The name of the metric.
    pub(crate) metric: String,
    /// Labels in the order in which they stand there.
    pub(crate) labels: Vec<(String, String)>,
    /// The value.
    pub(crate) value: f64,
    /// Digits behind the point that the value was written with; below zero where it was written with an exponent
    /// that leaves none.
    pub(crate) decimals: i32,
}

/// All samples of a text.
///
/// # Errors
/// At the first line that is not one.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| parse_line(line).with_context(|| format!("{line:?} is not a sample in text format")))
        .collect()
}

fn parse_line(line: &str) -> Result<Line> {
    let end = line.find(['{', ' ']).context("it has no value")?;
    let (metric, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (name, after) = rest.split_once("=\"").context("a label has no value")?;
            let (value, after) = quoted(after)?;
            labels.push((name.to_owned(), value));
            rest = after;
        }
    }
    let mut words = rest.split_ascii_whitespace();
    let written = words.next().context("it has no value")?;
    if words.next().is_some() {
        bail!("it has an instant of its own");
    }
    Ok(Line {
        metric: metric.to_owned(),
        labels,
        value: written.parse().context("its value is not a number")?,
        decimals: decimals(written),
    })
}

/// A text up to its closing quote, and what follows.
fn quoted(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().context("it ends in a backslash")?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    bail!("a label's value has no end")
}

fn decimals(written: &str) -> i32 {
    let (mantissa, exponent) = written.split_once(['e', 'E']).unwrap_or((written, "0"));
    let digits = mantissa
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len() as i32);
    digits - exponent.parse::<i32>().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_node_exporter() {
        let text = "# HELP up Whether.\n# TYPE up gauge\nup 1\n\
                    node_x{a=\"1\",b=\"C:\\\\d \\\"q\\\"\\n\"} 7.6331008e+08\nnode_y{} 1.25e-05\n";
        let lines = parse(text).unwrap();
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].metric.as_str(), lines[0].value), ("up", 1.0));
        assert_eq!(lines[1].labels[1].1, "C:\\d \"q\"\n");
        assert_eq!((lines[1].value, lines[1].decimals), (763_310_080.0, -1));
        assert_eq!(lines[2].decimals, 7);
        assert_eq!(parse("a NaN").unwrap()[0].decimals, 0);
    }

    #[test]
    fn what_is_no_sample_is_refused() {
        for text in ["up", "up one", "up{a} 1", "up{a=\"b} 1", "up 1 1768397820000"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

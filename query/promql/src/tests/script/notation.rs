//! Series with their values as scripts write them.

use barograph_model::{Labels, MatchOp, stale_nan};

use super::super::store::Stored;
use crate::histogram::FloatHistogram;
use crate::syntax::parse_selector;

/// One place in a sequence of values; `None` where there is no sample.
pub(super) type Place = Option<Stored>;

/// A series and the text of its values. A text that begins with neither a name nor a brace is a scalar without labels.
pub(super) fn series(line: &str) -> Result<(Labels, &str), String> {
    let name = line.len()
        - line
            .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_:".contains(c))
            .len();
    let end = if line[name..].starts_with('{') {
        name + closing_brace(&line[name..])?
    } else {
        name
    };
    let matchers = parse_selector(&line[..end]).map_err(|error| format!("{line:?}: {error}"))?;
    if let Some(other) = matchers.iter().find(|matcher| matcher.op() != MatchOp::Equal) {
        return Err(format!("{line:?}: {} is not given by =", other.name()));
    }
    let pairs = matchers.iter().map(|matcher| (matcher.name(), matcher.value()));
    let labels = Labels::from_pairs(pairs).map_err(|error| format!("{line:?}: {error}"))?;
    Ok((labels, line[end..].trim()))
}

/// One past the brace that closes the one at the start; braces in quotes do not count.
fn closing_brace(text: &str) -> Result<usize, String> {
    let mut quote = None;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match quote {
            Some(open) => {
                if c == open && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && !escaped;
            }
            None if c == '}' => return Ok(i + 1),
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {}
        }
    }
    Err(format!("{text:?} has no closing brace"))
}

/// The places of a sequence such as `1 2+3x4 _x2 stale {{schema:0}}x3`.
pub(super) fn values(text: &str) -> Result<Vec<Place>, String> {
    let mut places = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = item_end(rest);
        item(&rest[..end], &mut places).ok_or_else(|| format!("{:?} is not a value", &rest[..end]))?;
        rest = rest[end..].trim_start();
    }
    Ok(places)
}

/// Where the first item ends: at a space that is not inside double braces.
fn item_end(text: &str) -> usize {
    let mut depth = 0usize;
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && depth == 0 => return i,
            _ => {}
        }
    }
    text.len()
}

fn item(text: &str, places: &mut Vec<Place>) -> Option<()> {
    if text.starts_with("{{") {
        return histograms(text, places);
    }
    if let Some(rest) = text.strip_prefix('_') {
        let count = if rest.is_empty() {
            1
        } else {
            rest.strip_prefix('x')?.parse().ok()?
        };
        places.extend(std::iter::repeat_n(None, count));
        return Some(());
    }
    if let Some(rest) = text.strip_prefix("stale") {
        let more = if rest.is_empty() {
            0
        } else {
            rest.strip_prefix('x')?.parse().ok()?
        };
        places.extend(std::iter::repeat_n(Some(Stored::Float(stale_nan())), more + 1));
        return Some(());
    }
    let (sequence, more) = repeated(text)?;
    // The sign of the increment: not the first character, and not the one behind an `e`.
    let bytes = sequence.as_bytes();
    let split =
        (1..bytes.len()).find(|i| matches!(bytes[*i], b'+' | b'-') && !matches!(bytes[i - 1], b'e' | b'E'));
    let (first, increment) = match split {
        Some(at) => (float(&sequence[..at])?, float(&sequence[at..])?),
        None => (float(sequence)?, 0.0),
    };
    let mut value = first;
    for i in 0..=more {
        if i > 0 {
            value += increment;
        }
        places.push(Some(Stored::Float(value)));
    }
    Some(())
}

/// `AxN`: `A`, and how many more of it.
fn repeated(text: &str) -> Option<(&str, usize)> {
    match text.rsplit_once('x') {
        Some((sequence, count)) if !sequence.is_empty() => Some((sequence, count.parse().ok()?)),
        _ => Some((text, 0)),
    }
}

fn histograms(text: &str, places: &mut Vec<Place>) -> Option<()> {
    let end = text.find("}}")? + 2;
    let mut histogram: FloatHistogram = text[..end].parse().ok()?;
    let rest = &text[end..];
    let (increment, rest) = match rest.as_bytes().first() {
        Some(sign @ (b'+' | b'-')) => {
            let end = rest.find("}}")? + 2;
            let step: FloatHistogram = rest[1..end].parse().ok()?;
            (Some((*sign == b'+', step)), &rest[end..])
        }
        _ => (None, rest),
    };
    let more: usize = if rest.is_empty() {
        0
    } else {
        rest.strip_prefix('x')?.parse().ok()?
    };
    for i in 0..=more {
        if i > 0 {
            match &increment {
                Some((true, step)) => histogram.add(step).map(drop).ok()?,
                Some((false, step)) => histogram.subtract(step).map(drop).ok()?,
                None => {}
            }
        }
        places.push(Some(Stored::Histogram(histogram.clone())));
    }
    Some(())
}

/// A number as Go reads it.
pub(super) fn float(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match digits {
        "Inf" | "inf" => Some(sign * f64::INFINITY),
        "NaN" | "nan" => Some(f64::NAN),
        _ if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            Some(sign * digits.parse::<f64>().ok()?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(text: &str) -> Vec<Option<f64>> {
        let float = |place: Place| match place {
            Some(Stored::Float(float)) => Some(float),
            _ => None,
        };
        values(text).unwrap().into_iter().map(float).collect()
    }

    #[test]
    fn sequences_are_spread_out() {
        assert_eq!(
            floats("1 2+3x2 _ 5x1"),
            [1.0, 2.0, 5.0, 8.0]
                .map(Some)
                .into_iter()
                .chain([None, Some(5.0), Some(5.0)])
                .collect::<Vec<_>>()
        );
        assert_eq!(
            floats("-1-2x2 _x2"),
            [Some(-1.0), Some(-3.0), Some(-5.0), None, None]
        );
        assert_eq!(floats("1e-3 -Inf"), [Some(1e-3), Some(f64::NEG_INFINITY)]);
        assert!(floats("stale")[0].is_some_and(barograph_model::is_stale));
        assert!(values("1x").is_err() && values("x3").is_err() && values("1 2z").is_err());
    }

    #[test]
    fn series_end_at_their_brace() {
        let (labels, rest) = series(r#"up{a="}{", b='x'} 1 2"#).unwrap();
        assert_eq!((labels.get("a"), labels.get("b"), rest), ("}{", "x", "1 2"));
        assert_eq!(series(r#"{"a.b", c="d"} 1"#).unwrap().0.metric(), "a.b");
        assert!(series(r#"up{a=~"b"} 1"#).is_err());
    }
}

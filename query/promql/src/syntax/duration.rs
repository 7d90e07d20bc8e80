//! Durations as Prometheus reads them: `1h30m`, `250ms`, `2w`.

/// Units from the longest to the shortest, the order in which they must stand; each in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400 * SECOND_NS),
    ("w", 7 * 86_400 * SECOND_NS),
    ("d", 86_400 * SECOND_NS),
    ("h", 3_600 * SECOND_NS),
    ("m", 60 * SECOND_NS),
    ("s", SECOND_NS),
    ("ms", MILLISECOND_NS),
];

const SECOND_NS: u64 = 1_000_000_000;
const MILLISECOND_NS: u64 = 1_000_000;

/// Why a text is not a duration. Displays as Prometheus writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// There is no text.
    #[error("empty duration string")]
    Empty,
    /// Numbers and units do not alternate, or units are not in order.
    #[error("not a valid duration string: {}", super::quote::quote(.text))]
    Syntax {
        /// The text given.
        text: String,
    },
    /// A unit that does not exist.
    #[error("unknown unit {} in duration {}", super::quote::quote(.unit), super::quote::quote(.text))]
    Unit {
        /// The unit.
        unit: String,
        /// The text given.
        text: String,
    },
    /// More than about 292 years, which is where Prometheus ends.
    #[error("duration out of range")]
    Range,
}

/// Reads a duration into milliseconds. Units go from long to short, each at most once; `0` needs none.
///
/// This is [`barograph_model::parse_duration_ms`] with the bounds and the words of Prometheus, for places where its
/// clients read the error.
///
/// # Errors
/// [`DurationError`] says which part is wrong.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    let syntax = || DurationError::Syntax {
        text: text.to_owned(),
    };
    let (mut rest, mut total_ns, mut units) = (text, 0u64, &UNITS[..]);
    while !rest.is_empty() {
        let (count, behind) = rest.split_at(end_of(rest, |c| c.is_ascii_digit()));
        let (unit, behind) = behind.split_at(end_of(behind, |c| !c.is_ascii_digit()));
        let count: u64 = count.parse().map_err(|_| syntax())?;
        if unit.is_empty() {
            return Err(syntax());
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err(DurationError::Unit {
                unit: unit.to_owned(),
                text: text.to_owned(),
            });
        }
        let place = units
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(syntax)?;
        total_ns = count
            .checked_mul(units[place].1)
            .and_then(|ns| total_ns.checked_add(ns))
            .filter(|ns| i64::try_from(*ns).is_ok())
            .ok_or(DurationError::Range)?;
        units = &units[place + 1..];
        rest = behind;
    }
    Ok((total_ns / MILLISECOND_NS) as i64)
}

fn end_of(text: &str, part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !part(c)).unwrap_or(text.len())
}

/// Seconds as whole milliseconds; `None` beyond what Prometheus counts in nanoseconds.
///
/// A part of a millisecond is cut off, as Prometheus cuts it. What a float of so many seconds cannot tell from a whole
/// millisecond is one: a long duration must not lose a millisecond on its way through seconds.
pub(super) fn seconds_to_ms(seconds: f64) -> Option<i64> {
    const LIMIT_S: f64 = (1u64 << 63) as f64 / 1e9;
    if seconds.is_nan() || seconds.abs() > LIMIT_S {
        return None;
    }
    let ms = seconds * 1e3;
    let nearest = ms.round();
    let is_whole = (ms - nearest).abs() <= nearest.abs() * f64::EPSILON;
    Some(if is_whole { nearest } else { ms.trunc() } as i64)
}

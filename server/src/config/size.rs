//! Sizes in bytes as people write them: `512MiB`, `2GB`, `65536`.

use thiserror::Error;

/// Units by their lower-case name; binary and decimal ones are kept apart, as IEC 80000-13 does.
const UNITS: [(&str, &str, u64); 9] = [
    ("b", "B", 1),
    ("kib", "KiB", 1 << 10),
    ("mib", "MiB", 1 << 20),
    ("gib", "GiB", 1 << 30),
    ("tib", "TiB", 1 << 40),
    ("kb", "kB", 1_000),
    ("mb", "MB", 1_000_000),
    ("gb", "GB", 1_000_000_000),
    ("tb", "TB", 1_000_000_000_000),
];

/// Why a text is not a size.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{text:?} is not a size (try {hint:?})")]
pub struct SizeError {
    text: String,
    hint: String,
}

/// Reads a size into bytes. A number without a unit counts bytes; a fraction such as `1.5GiB` is rounded down.
///
/// # Errors
/// [`SizeError`] names the text and shows a size that would be read.
pub fn parse_size_bytes(text: &str) -> Result<u64, SizeError> {
    let error = || SizeError {
        text: text.to_owned(),
        hint: hint(text),
    };
    let digits = text
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'.')
        .count();
    let unit = text[digits..].trim_start().to_ascii_lowercase();
    let unit_bytes = match unit.as_str() {
        "" => 1,
        unit => UNITS.iter().find(|(name, ..)| *name == unit).ok_or_else(error)?.2,
    };
    if let Ok(whole) = text[..digits].parse::<u64>() {
        return whole.checked_mul(unit_bytes).ok_or_else(error);
    }
    let fraction: f64 = text[..digits].parse().map_err(|_| error())?;
    let bytes = fraction * unit_bytes as f64;
    // 2^63 is far beyond any memory and still exact as a float, so the cast below cannot wrap.
    if bytes < 9.2e18 {
        Ok(bytes as u64)
    } else {
        Err(error())
    }
}

/// Writes bytes in the largest binary unit that is exact: `536870912` is `512MiB`.
#[must_use]
pub fn format_size_bytes(bytes: u64) -> String {
    let exact = UNITS[1..5]
        .iter()
        .rev()
        .find(|(_, _, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    match exact {
        Some((_, unit, unit_bytes)) => format!("{}{unit}", bytes / unit_bytes),
        None => format!("{bytes}B"),
    }
}

/// The number at the front of the text with the binary unit whose first letter it has.
fn hint(text: &str) -> String {
    let digits: String = text.chars().take_while(char::is_ascii_digit).take(9).collect();
    let letter = text
        .chars()
        .find(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase());
    let unit = UNITS[..5]
        .iter()
        .find(|(name, ..)| letter.is_some_and(|l| name.starts_with(l)));
    match digits.as_str() {
        "" => "512MiB".to_owned(),
        digits => format!("{digits}{}", unit.map_or("MiB", |(_, shown, _)| shown)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_binary_decimal_and_plain() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65_536),
            ("512MiB", 512 << 20),
            ("512 mib", 512 << 20),
            ("2GB", 2_000_000_000),
            ("1.5GiB", 3 << 29),
            ("7B", 7),
        ] {
            assert_eq!(parse_size_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_nearest_right_text() {
        let message = |text| parse_size_bytes(text).unwrap_err().to_string();
        assert_eq!(message("512M"), "\"512M\" is not a size (try \"512MiB\")");
        assert_eq!(message("lots"), "\"lots\" is not a size (try \"512MiB\")");
        assert_eq!(
            message("3 potatoes"),
            "\"3 potatoes\" is not a size (try \"3MiB\")"
        );
        for text in ["", "-1", ".", "1.2.3MiB", "99999999999TiB", "9e9", "5é"] {
            assert!(parse_size_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for bytes in [0, 1, 1023, 1024, 1536, 512 << 20, 1 << 40, u64::MAX] {
            assert_eq!(parse_size_bytes(&format_size_bytes(bytes)), Ok(bytes));
        }
        assert_eq!(format_size_bytes(512 << 20), "512MiB");
    }
}

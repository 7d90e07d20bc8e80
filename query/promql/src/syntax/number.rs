//! The value of a number as it is written.

use super::quote::quote;

/// Reads a number as Go does: integers in decimal, octal (`0755`) and hexadecimal, otherwise a float.
///
/// # Errors
/// The message of Prometheus, without the place.
pub(super) fn parse_number(text: &str) -> Result<f64, String> {
    let error = |reason| {
        format!(
            "error parsing number: strconv.ParseFloat: parsing {}: {reason}",
            quote(text)
        )
    };
    if !underscores_separate_digits(text) {
        return Err(error("invalid syntax"));
    }
    let digits = text.replace('_', "");
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let integer = match (hex, digits.strip_prefix('0')) {
        (Some(hex), _) => i64::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => i64::from_str_radix(octal, 8).ok(),
        _ => digits.parse().ok(),
    };
    if let Some(integer) = integer {
        return Ok(integer as f64);
    }
    let float: f64 = digits.parse().map_err(|_| error("invalid syntax"))?;
    if float.is_infinite() && digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(error("value out of range"));
    }
    Ok(float)
}

/// Whether every underscore stands between digits, or between the prefix and a digit.
fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_hex = matches!(bytes, [b'0', b'x' | b'X', ..]);
    let is_digit = |at: usize| {
        let digit = |byte: &u8| {
            if is_hex {
                byte.is_ascii_hexdigit()
            } else {
                byte.is_ascii_digit()
            }
        };
        bytes.get(at).is_some_and(digit)
    };
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'_')
        .all(|(at, _)| {
            let behind_digit = at > 0 && (is_digit(at - 1) || is_hex && at == 2);
            behind_digit && is_digit(at + 1)
        })
}

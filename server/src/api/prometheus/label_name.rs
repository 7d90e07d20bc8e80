//! Label names in paths: those that are not plain ASCII words come escaped, as `U__my_2e_label`.
//!
//! Source: Prometheus, "UTF-8 Guide", the `values` escaping scheme.

/// The longest code point in hexadecimal digits.
const DIGITS_MAX: usize = 6;

/// The name that is meant. What is not a whole escape is taken as it is.
pub(super) fn unescape(name: &str) -> String {
    let escaped = name.strip_prefix("U__");
    escaped
        .and_then(unescape_values)
        .unwrap_or_else(|| name.to_owned())
}

fn unescape_values(mut rest: &str) -> Option<String> {
    let mut out = String::with_capacity(rest.len());
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let end = rest.find('_').filter(|end| *end < DIGITS_MAX + 1)?;
        let digits = &rest[..end];
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        // No digit at all is code point 0, as Prometheus reads it.
        let code = if digits.is_empty() {
            0
        } else {
            u32::from_str_radix(digits, 16).ok()?
        };
        out.push(char::from_u32(code)?);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_and_the_rest_stays() {
        let cases = [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__http_2e_status__code", "http.status_code"),
            ("U____name__", "_name_"),
            ("U__n_e4_me", "näme"),
            ("U__broken_2e", "U__broken_2e"),
            ("U__bad_zz_", "U__bad_zz_"),
            ("U__long_1234567_", "U__long_1234567_"),
            ("U__surrogate_d800_", "U__surrogate_d800_"),
            ("U__", ""),
        ];
        for (escaped, name) in cases {
            assert_eq!(unescape(escaped), name, "{escaped}");
        }
    }
}

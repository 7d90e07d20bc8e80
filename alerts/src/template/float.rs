//! Floats as Go's `fmt` prints them, and the humanised forms that Prometheus builds on it.

/// `%e` of a finite number, the sign left out: digits of the mantissa (first digit before the point), exponent.
fn decimal(value: f64, precision: Option<usize>) -> (String, i32) {
    let text = match precision {
        Some(precision) => format!("{:.*e}", precision.saturating_sub(1), value.abs()),
        None => format!("{:e}", value.abs()),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn not_finite(value: f64) -> Option<&'static str> {
    match value {
        v if v.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

/// `%g`: shortest digits that read back, or `precision` significant ones without trailing zeros.
pub(super) fn general(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = not_finite(value) {
        return text.to_owned();
    }
    let (digits, exponent) = decimal(value, precision.map(|p| p.max(1)));
    let significant = digits.trim_end_matches('0');
    let significant = if significant.is_empty() { "0" } else { significant };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    // Go turns to exponents from the precision on, and takes 6 for it where none is asked for: a million is
    // printed as 1e+06, in Prometheus' notifications too.
    let largest = precision.map_or(6, |p| p.max(1) as i32);
    if exponent < -4 || exponent >= largest {
        let rest = &significant[1..];
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!(
            "{sign}{}{point}{rest}e{exponent_sign}{:02}",
            &significant[..1],
            exponent.abs()
        );
    }
    if exponent < 0 {
        return format!("{sign}0.{}{significant}", "0".repeat((-exponent - 1) as usize));
    }
    let before = exponent as usize + 1;
    if significant.len() <= before {
        format!("{sign}{significant}{}", "0".repeat(before - significant.len()))
    } else {
        format!("{sign}{}.{}", &significant[..before], &significant[before..])
    }
}

/// `%f` and `%e`.
pub(super) fn fixed(value: f64, precision: usize) -> String {
    not_finite(value).map_or_else(|| format!("{value:.precision$}"), str::to_owned)
}

/// `%e`: a sign and at least two digits in the exponent.
pub(super) fn scientific(value: f64, precision: usize) -> String {
    if let Some(text) = not_finite(value) {
        return text.to_owned();
    }
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent
        .strip_prefix('-')
        .map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `1234567` is `1.235M`, `0.0012` is `1.2m`.
pub(super) fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return general(value, Some(4));
    }
    let (scaled, prefix) = if value.abs() >= 1.0 {
        scale_down(value, 1000.0, &["k", "M", "G", "T", "P", "E", "Z", "Y"])
    } else {
        scale_up(value)
    };
    format!("{}{prefix}", general(scaled, Some(4)))
}

/// `1048576` is `1Mi`.
pub(super) fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return general(value, Some(4));
    }
    let (scaled, prefix) = scale_down(value, 1024.0, &["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]);
    format!("{}{prefix}", general(scaled, Some(4)))
}

/// A ratio: `0.125` is `12.5%`.
pub(super) fn humanize_percentage(value: f64) -> String {
    format!("{}%", general(value * 100.0, Some(4)))
}

/// Seconds: `3725` is `1h 2m 5s`, `0.0015` is `1.5ms`.
pub(super) fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return general(value, Some(4));
    }
    if value.abs() < 1.0 {
        let (scaled, prefix) = if value == 0.0 { (0.0, "") } else { scale_up(value) };
        return format!("{}{prefix}s", general(scaled, Some(4)));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let whole = value.abs() as u64;
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60);
    if days > 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours > 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{}s", general(value, Some(4)))
    }
}

fn scale_down(mut value: f64, base: f64, prefixes: &[&'static str]) -> (f64, &'static str) {
    let mut prefix = "";
    for larger in prefixes {
        if value.abs() < base {
            break;
        }
        prefix = larger;
        value /= base;
    }
    (value, prefix)
}

fn scale_up(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for smaller in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = smaller;
        value *= 1000.0;
    }
    (value, prefix)
}

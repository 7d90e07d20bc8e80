//! Floats as Prometheus writes them. Both forms are the shortest that reads back to the same bits.

/// As in histograms as text, labels and annotations: with an exponent below 0.0001 and from a million on.
///
/// This is Go's `%g`: `0.25`, `100000`, `1.5e+06`, `1e-05`, `+Inf`, `NaN`.
#[must_use]
pub fn go_float(value: f64) -> String {
    // Both limits have as many digits as their exponents say, so that no rounding blurs them.
    write(value, 1e-4..1e6)
}

/// As in JSON answers of the HTTP API: with an exponent below 1e-6 and from 1e21 on. `1000000`, `1e-07`, `+Inf`.
#[must_use]
pub fn api_float(value: f64) -> String {
    write(value, 1e-6..1e21)
}

fn write(value: f64, plain: std::ops::Range<f64>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 || plain.contains(&value.abs()) {
        return value.to_string();
    }
    // Rust writes `1e-7`, Go `1e-07`.
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_in_prometheus() {
        let cases = [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.0, "1", "1"),
            (-0.25, "-0.25", "-0.25"),
            (123_456.0, "123456", "123456"),
            (999_999.5, "999999.5", "999999.5"),
            (1e6, "1e+06", "1000000"),
            (12_345_678.5, "1.23456785e+07", "12345678.5"),
            (1e20, "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1e+21"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "0.00001"),
            (0.000_001, "1e-06", "0.000001"),
            (1.5e-7, "1.5e-07", "1.5e-07"),
            (5e-324, "5e-324", "5e-324"),
            (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
        ];
        for (value, go, api) in cases {
            assert_eq!(go_float(value), go);
            assert_eq!(api_float(value), api);
        }
    }
}

//! Floats as Go writes them, which is how Prometheus' API and labels show them.

/// The shortest text that reads back as the same float: `1`, `0.25`, `NaN`, `+Inf`.
///
/// Source: Go's `strconv.FormatFloat(value, 'f', -1, 64)`, as Prometheus' API and `count_values` write floats: never an
/// exponent.
#[must_use]
pub fn float_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        // Display of a Rust float is the shortest text that reads back, without an exponent.
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        let cases = [
            (1.0, "1"),
            (0.25, "0.25"),
            (-0.0, "-0"),
            (1e21, "1000000000000000000000"),
            (1e-7, "0.0000001"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, text) in cases {
            assert_eq!(float_text(value), text);
        }
    }
}

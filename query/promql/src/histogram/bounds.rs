//! From a bucket's index to the values that it holds.

use super::bound_table::BOUNDS;

/// The upper bound of a positive bucket of an exponential schema (-4 to 8), 2^(index · 2^-schema).
///
/// The bucket that holds the largest float ends at that float, so that only infinite observations are in the one
/// behind it, which ends at +Inf. Far below the smallest float the bound is 0.
pub(super) fn exponential_bound(index: i32, schema: i32) -> f64 {
    // The bound is fraction · 2^exponent, with the fraction in [0.5, 1).
    let (fraction, exponent) = if schema <= 0 {
        (0.5, (i64::from(index) << -schema) + 1)
    } else {
        let place = index & ((1 << schema) - 1);
        let fraction = BOUNDS[(place as usize) << (8 - schema)];
        (fraction, i64::from(index >> schema) + 1)
    };
    if fraction == 0.5 && exponent == 1025 {
        return f64::MAX;
    }
    scaled(fraction, exponent)
}

/// The upper bound of bucket `index` of custom bounds; that of -1 is the lower bound of the first one.
pub(super) fn custom_bound(index: i32, custom_values: &[f64]) -> f64 {
    match usize::try_from(index) {
        Ok(place) => custom_values.get(place).copied().unwrap_or(f64::INFINITY),
        Err(_) => f64::NEG_INFINITY,
    }
}

/// `fraction` in [0.5, 1), times 2^`exponent`, rounded once.
fn scaled(fraction: f64, exponent: i64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    /// The exponent of the smallest normal float, in this form.
    const NORMAL_MIN: i64 = -1021;
    let with_exponent =
        |exponent: i64| f64::from_bits((fraction.to_bits() & MANTISSA) | (((exponent + 1022) as u64) << 52));
    if exponent > 1024 {
        f64::INFINITY
    } else if exponent >= NORMAL_MIN {
        with_exponent(exponent)
    } else if exponent < NORMAL_MIN - 53 {
        0.0
    } else {
        // A subnormal: the multiplication by a power of two is the one place that rounds.
        with_exponent(exponent + 64) * 2f64.powi(-64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_bounds_in_every_schema() {
        for schema in -4..=8 {
            for exponent in [-1022i32, -160, -16, 0, 16, 160, 1008] {
                let index = match schema {
                    -4..=-1 if exponent % (1 << -schema) != 0 => continue,
                    -4..=-1 => exponent >> -schema,
                    _ => exponent << schema,
                };
                assert_eq!(
                    exponential_bound(index, schema),
                    2f64.powi(exponent),
                    "{schema} {index}"
                );
            }
        }
    }

    #[test]
    fn the_last_finite_bucket_ends_at_the_largest_float() {
        for (index, schema) in [(64, -4), (512, -1), (1024, 0), (2048, 1), (4096, 2), (262_144, 8)] {
            assert_eq!(exponential_bound(index, schema), f64::MAX, "schema {schema}");
            assert_eq!(
                exponential_bound(index + 1, schema),
                f64::INFINITY,
                "schema {schema}"
            );
            assert!(exponential_bound(index - 1, schema) < f64::MAX);
        }
        assert_eq!(exponential_bound(i32::MAX, 0), f64::INFINITY);
        assert_eq!(exponential_bound(i32::MAX, -4), f64::INFINITY);
    }

    #[test]
    fn the_smallest_bounds_are_subnormal_and_then_zero() {
        assert_eq!(exponential_bound(-1074, 0), 5e-324);
        assert_eq!(exponential_bound(-1073, 0), 1e-323);
        assert_eq!(exponential_bound(-1076, 0), 0.0);
        assert_eq!(exponential_bound(i32::MIN, 0), 0.0);
        assert_eq!(exponential_bound(i32::MIN, -4), 0.0);
        assert_eq!(exponential_bound(i32::MIN, 8), 0.0);
    }

    #[test]
    fn bounds_ascend_and_are_what_the_formula_gives() {
        for schema in 0..=8 {
            let mut last = 0.0;
            for index in -600..600 {
                let bound = exponential_bound(index, schema);
                let formula = (f64::from(index) / f64::from(1 << schema)).exp2();
                assert!(bound > last, "schema {schema} index {index}");
                assert!(
                    (bound / formula - 1.0).abs() < 1e-15,
                    "schema {schema} index {index}"
                );
                last = bound;
            }
        }
    }

    #[test]
    fn prometheus_prints_these() {
        // Buckets that Prometheus' own documentation and tests show.
        assert_eq!(exponential_bound(1, 1).to_string(), "1.414213562373095");
        assert_eq!(exponential_bound(1, 2).to_string(), "1.189207115002721");
        assert_eq!(exponential_bound(1, 3).to_string(), "1.0905077326652577");
    }

    #[test]
    fn custom_bounds_reach_to_infinity_on_both_sides() {
        let values = [-1.0, 2.5];
        let bounds: Vec<f64> = (-1..=2).map(|index| custom_bound(index, &values)).collect();
        assert_eq!(bounds, [f64::NEG_INFINITY, -1.0, 2.5, f64::INFINITY]);
        assert_eq!(custom_bound(-1, &[]), f64::NEG_INFINITY);
        assert_eq!(custom_bound(0, &[]), f64::INFINITY);
    }
}

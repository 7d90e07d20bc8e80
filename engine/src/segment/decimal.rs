//! Floats as exact decimals.
//!
//! Almost every value that an exporter prints is a decimal of few digits: `mantissa / 10^exponent`, with both
//! operands exact in a double, so that the correctly rounded division gives back the very bits. Mantissas of one
//! series with one exponent compress several times better than the doubles, and are read faster. What is not
//! such a decimal (NaN, infinities, -0.0, full-precision floats) is kept as the double it is.

/// The largest exponent: `10^22` is the last power of ten that a double holds exactly.
pub(crate) const EXPONENT_MAX: u8 = 22;

/// Mantissas are at most this far from zero: fifteen digits. The product `value * 10^e` is then within a quarter of
/// an integer, so rounding it finds the mantissa if there is one.
const MANTISSA_MAX: f64 = 1e15;

/// Whole numbers are exact up to `2^53`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// `10^i`, each exact.
pub(crate) const POW10: [f64; EXPONENT_MAX as usize + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// `10^exponent`; `None` for an exponent that no writer makes.
pub(crate) fn power_of_ten(exponent: i64) -> Option<f64> {
    POW10.get(usize::try_from(exponent).ok()?).copied()
}

/// A value as `mantissa / 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) mantissa: i64,
    pub(crate) exponent: u8,
}

impl Decimal {
    /// The decimal with the smallest exponent that is exactly this value, bit for bit.
    pub(crate) fn exact(value: f64) -> Option<Self> {
        if !value.is_finite() || value.abs() > WHOLE_MAX {
            return None;
        }
        let whole = value as i64;
        if (whole as f64).to_bits() == value.to_bits() {
            return Some(Self {
                mantissa: whole,
                exponent: 0,
            });
        }
        if value == 0.0 {
            return None; // -0.0: no mantissa has its sign
        }
        // If any exponent works then so does the largest that keeps fifteen digits, since the mantissa only gains
        // zeros: one trial decides, and the zeros come off again in integers.
        let digits_before_point = value.abs().log10().floor() as i32 + 1;
        let exponent = (15 - digits_before_point).clamp(0, i32::from(EXPONENT_MAX)) as u8;
        let mut decimal = Self::at(value, exponent)?;
        while decimal.exponent > 0 && decimal.mantissa % 10 == 0 {
            decimal.mantissa /= 10;
            decimal.exponent -= 1;
        }
        Some(decimal)
    }

    /// The decimal with this exponent, where the value is one, bit for bit.
    pub(crate) fn at(value: f64, exponent: u8) -> Option<Self> {
        let scaled = (value * POW10[exponent as usize]).round();
        if scaled.is_nan() || scaled.abs() > MANTISSA_MAX {
            return None;
        }
        let decimal = Self {
            mantissa: scaled as i64,
            exponent,
        };
        (decimal.value().to_bits() == value.to_bits()).then_some(decimal)
    }

    /// The double nearest to the decimal.
    pub(crate) fn value(self) -> f64 {
        self.mantissa as f64 / POW10[self.exponent as usize]
    }
}

/// A series' values with as few different exponents as can be.
#[derive(Debug, Default)]
pub(crate) struct DecimalColumns {
    /// Mantissas; beside a value that is not a decimal the one before is repeated, which costs nothing.
    pub(crate) mantissas: Vec<i64>,
    /// Exponents.
    pub(crate) exponents: Vec<i32>,
    /// The values that are not decimals.
    pub(crate) floats: Vec<Option<f64>>,
}

impl DecimalColumns {
    /// Adds the values of one series: all get the one exponent that the longest of them needs, and those that would
    /// then have more than fifteen digits keep their own.
    pub(crate) fn push_series(&mut self, values: &[f64]) {
        let mut common = 0;
        for value in values {
            if Decimal::at(*value, common).is_none() {
                common = common.max(Decimal::exact(*value).map_or(0, |d| d.exponent));
            }
        }
        let mut mantissa = 0;
        for value in values {
            match Decimal::at(*value, common).or_else(|| Decimal::exact(*value)) {
                Some(decimal) => {
                    mantissa = decimal.mantissa;
                    self.exponents.push(i32::from(decimal.exponent));
                    self.floats.push(None);
                }
                None => {
                    self.exponents.push(i32::from(common));
                    self.floats.push(Some(*value));
                }
            }
            self.mantissas.push(mantissa);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_the_shortest_decimal() {
        let parts = |v: f64| Decimal::exact(v).map(|d| (d.mantissa, d.exponent));
        assert_eq!(parts(0.0), Some((0, 0)));
        assert_eq!(parts(0.25), Some((25, 2)));
        assert_eq!(parts(-12.5), Some((-125, 1)));
        assert_eq!(parts(1_700_000_000.123), Some((1_700_000_000_123, 3)));
        assert_eq!(parts(1e15), Some((1_000_000_000_000_000, 0)));
        assert_eq!(parts(1e-7), Some((1, 7)));
        for not_decimal in [
            -0.0,
            f64::NAN,
            f64::INFINITY,
            1.0 / 3.0,
            1e300,
            5e-324,
            std::f64::consts::PI,
        ] {
            assert_eq!(parts(not_decimal), None, "{not_decimal}");
        }
    }

    proptest! {
        #[test]
        fn short_decimals_are_found_exactly(mantissa in -99_999_999_999i64..99_999_999_999, exponent in 0u8..12) {
            let value = mantissa as f64 / POW10[exponent as usize];
            let found = Decimal::exact(value).unwrap();
            prop_assert_eq!(found.value().to_bits(), value.to_bits());
            prop_assert!(found.exponent <= exponent);
        }

        #[test]
        fn whatever_is_found_is_exact(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            if let Some(found) = Decimal::exact(value) {
                prop_assert_eq!(found.value().to_bits(), bits);
            }
        }

        #[test]
        fn columns_give_every_value_back(
            values in proptest::collection::vec(prop_oneof![
                any::<f64>(), (-9999i64..9999, 0u8..6).prop_map(|(m, e)| m as f64 / POW10[e as usize]),
                Just(f64::from_bits(0x7ff0_0000_0000_0002)), Just(-0.0)], 0..50),
        ) {
            let mut columns = DecimalColumns::default();
            columns.push_series(&values);
            for (i, value) in values.iter().enumerate() {
                let decimal = columns.mantissas[i] as f64 / POW10[columns.exponents[i] as usize];
                let back = columns.floats[i].unwrap_or(decimal);
                prop_assert_eq!(back.to_bits(), value.to_bits());
            }
        }
    }
}

//! Floats as PostgreSQL writes them.

use std::fmt::{Display, LowerExp, Write};

use arrow::array::{StringArray, StringBuilder};

/// A column of texts: the shortest digits that give the same number, with an exponent where there would be many zeros.
pub(super) fn float_texts<F>(numbers: impl ExactSizeIterator<Item = Option<F>>) -> StringArray
where
    F: Copy + Display + LowerExp + Into<f64>,
{
    let mut texts = StringBuilder::with_capacity(numbers.len(), numbers.len() * 8);
    for number in numbers {
        let Some(number) = number else {
            texts.append_null();
            continue;
        };
        let wide: f64 = number.into();
        // Writing to memory does not fail.
        let _ = match wide {
            _ if wide.is_nan() => write!(texts, "NaN"),
            f64::INFINITY => write!(texts, "Infinity"),
            f64::NEG_INFINITY => write!(texts, "-Infinity"),
            _ if wide != 0.0 && !(1e-4..1e15).contains(&wide.abs()) => write!(texts, "{number:e}"),
            _ => write!(texts, "{number}"),
        };
        texts.append_value("");
    }
    texts.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_postgresql_reads() {
        let numbers = [
            Some(0.1),
            None,
            Some(-0.0),
            Some(f64::NAN),
            Some(f64::NEG_INFINITY),
            Some(1e300),
            Some(-2.5e-7),
        ];
        let texts = float_texts(numbers.into_iter());
        let texts: Vec<_> = texts.iter().collect();
        let expected = [
            Some("0.1"),
            None,
            Some("-0"),
            Some("NaN"),
            Some("-Infinity"),
            Some("1e300"),
            Some("-2.5e-7"),
        ];
        assert_eq!(texts, expected);
        let small = float_texts([Some(0.1_f32), Some(16_777_216.0)].into_iter());
        assert_eq!(small.iter().flatten().collect::<Vec<_>>(), ["0.1", "16777216"]);
    }
}

//! Order statistics that a few wild values cannot move: median, scaled MAD.
//!
//! NaN has no place here; callers drop missing values first.

/// Makes the median absolute deviation of normal data its standard deviation (1 / Phi^-1(3/4)).
pub(crate) const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// The median, the mean of the middle two where the count is even; reorders the values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let rank = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, middle, _) = values.select_nth_unstable_by(rank, f64::total_cmp);
    let middle = *middle;
    if !even {
        return middle;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    lower + (middle - lower) / 2.0
}

/// Median and scaled median absolute deviation around it; reorders and overwrites the values.
pub(crate) fn median_and_sigma(values: &mut [f64]) -> (f64, f64) {
    let center = median(values);
    for value in values.iter_mut() {
        *value = (*value - center).abs();
    }
    (center, MAD_TO_SIGMA * median(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_value_in_three_moves_nothing() {
        let (center, sigma) = median_and_sigma(&mut [1.0, 2.0, 3.0, 2.0, 1e300, 2.0, 1.0, 3.0, 2.0]);
        assert_eq!(center, 2.0);
        assert!((sigma - MAD_TO_SIGMA).abs() < 1e-12);
    }

    #[test]
    fn even_counts_take_the_middle() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(&mut []).is_nan());
    }
}

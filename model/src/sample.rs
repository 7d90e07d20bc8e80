//! One observation of one series, and the marker that says a series has gone.

use crate::TimestampMs;

/// The bit pattern by which Prometheus marks a series as stale (`value.StaleNaN`).
///
/// It is a signalling-NaN payload, so it must travel as bits: arithmetic may quieten it.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The staleness marker as a float.
#[must_use]
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Whether a value is the staleness marker. An ordinary NaN is not.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// A value at an instant. Equality is by bits, so that NaN equals itself and `-0.0` differs from `0.0`.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it was observed.
    pub ts: TimestampMs,
    /// What was observed; NaN and infinities are ordinary values.
    pub value: f64,
}

impl Sample {
    /// A sample from plain milliseconds.
    #[must_use]
    pub fn new(ts_ms: i64, value: f64) -> Self {
        Self {
            ts: TimestampMs(ts_ms),
            value,
        }
    }
}

impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.ts == other.ts && self.value.to_bits() == other.value.to_bits()
    }
}

impl Eq for Sample {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_marker_is_not_an_ordinary_nan() {
        assert!(is_stale(stale_nan()));
        assert!(!is_stale(f64::NAN));
        assert!(stale_nan().is_nan());
    }

    #[test]
    fn equality_is_by_bits() {
        assert_eq!(Sample::new(1, f64::NAN), Sample::new(1, f64::NAN));
        assert_ne!(Sample::new(1, 0.0), Sample::new(1, -0.0));
        assert_ne!(Sample::new(1, f64::NAN), Sample::new(1, stale_nan()));
    }
}

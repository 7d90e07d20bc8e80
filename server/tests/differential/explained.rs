//! Where Prometheus 2.42 answers otherwise, and why. Each of these must differ: what does not is no exception.

/// A query of `queries.txt` as Prometheus is asked, and what is different.
pub struct Explained {
    pub query: &'static str,
    pub why: &'static str,
}

/// 2.42 holds the start of a counter to where it was zero before it looks whether the start of the window is far away;
/// Prometheus 3 looks first. They differ where a counter begins near zero behind a gap.
const NEAR_ZERO: &str =
    "2.42 extrapolates a counter near zero by up to 1.1 intervals where it should be half of one";

/// The operator was forgotten in 2.42's list of those that calculate.
const ATAN2_NAME: &str = "2.42 leaves the metric's name on the result of atan2";

/// Prometheus 3.4 has it for classic histograms.
const CLASSIC_FRACTION: &str = "2.42 knows histogram_fraction for native histograms only";

pub const EXPLAINED: &[Explained] = &[
    Explained {
        query: "increase(near_zero_total[5m])",
        why: NEAR_ZERO,
    },
    Explained {
        query: "rate(near_zero_total[2m])",
        why: NEAR_ZERO,
    },
    Explained {
        query: "rate(gone[5m])",
        why: NEAR_ZERO,
    },
    Explained {
        query: "temperature atan2 3",
        why: ATAN2_NAME,
    },
    Explained {
        query: "3 atan2 temperature",
        why: ATAN2_NAME,
    },
    Explained {
        query: "histogram_fraction(0.05, 0.5, latency_seconds_bucket)",
        why: CLASSIC_FRACTION,
    },
];

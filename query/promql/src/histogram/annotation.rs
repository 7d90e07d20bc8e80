//! What Prometheus says beside an answer that histograms had a part in, word for word.
//!
//! Clients and Prometheus' own test scripts compare these texts. Prometheus puts `PromQL warning: ` or `PromQL info: `
//! before, and the place in the query behind: ` (1:4)`, line and column, from 1.

/// Warning, then ` "NAME"`: [`MixedSchemas`](super::MixedSchemas) in a function over a range or in an aggregation.
pub const MIXED_SCHEMAS: &str =
    "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";

/// Warning, then ` OPERATOR`: [`MixedSchemas`](super::MixedSchemas) between two operands.
pub const INCOMPATIBLE_OPERANDS: &str = "incompatible bucket layout encountered for binary operator";

/// Warning, then a space and [`ADDITION`], [`SUBTRACTION`] or [`AGGREGATION`]:
/// [`Reconciled::reset_collision`](super::Reconciled::reset_collision).
pub const RESET_COLLISION: &str = "conflicting counter resets during histogram";

/// Info, then a space and [`ADDITION`], [`SUBTRACTION`] or [`AGGREGATION`]:
/// [`Reconciled::bounds`](super::Reconciled::bounds).
pub const BOUNDS_RECONCILED: &str = "mismatched custom buckets were reconciled during";

/// Two operands of `+`, or the samples before a reset.
pub const ADDITION: &str = "addition";

/// Two operands of `-`, or the first sample of a window.
pub const SUBTRACTION: &str = "subtraction";

/// A sum or a mean.
pub const AGGREGATION: &str = "aggregation";

/// Warning, then ` "NAME"`: [`Difference::not_a_counter`](super::Difference::not_a_counter).
pub const NOT_A_COUNTER: &str = "this native histogram metric is not a counter:";

/// Warning, then ` "NAME"`: [`Difference::not_a_gauge`](super::Difference::not_a_gauge).
pub const NOT_A_GAUGE: &str = "this native histogram metric is not a gauge:";

/// Info, then ` for metric name "NAME"` where it has one: [`QuantileOfNan::IsNan`](super::QuantileOfNan::IsNan).
pub const QUANTILE_IS_NAN: &str = "input to histogram_quantile has NaN observations, result is NaN";

/// Info, then ` for metric name "NAME"` where it has one: [`QuantileOfNan::IsSkewed`](super::QuantileOfNan::IsSkewed).
pub const QUANTILE_IS_SKEWED: &str =
    "input to histogram_quantile has NaN observations, result is skewed higher";

/// Info, then ` for metric name "NAME"` where it has one: [`Fraction::has_nan`](super::Fraction::has_nan).
pub const FRACTION_WITHOUT_NAN: &str =
    "input to histogram_fraction has NaN observations, which are excluded from all fractions";

/// Info, then ` for metric name "NAME"` where it has one, and since Prometheus 3.9
/// `, from buckets LOWEST to HIGHEST, with a max diff of STEP, over N samples from TIME to TIME`:
/// [`ForcedMonotonicity`](super::ForcedMonotonicity).
pub const FORCED_MONOTONICITY: &str = "input to histogram_quantile needed to be fixed for monotonicity (see \
                                       https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

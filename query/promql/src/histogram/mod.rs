//! Histograms of a query: native ones as the evaluator calculates with them, and the buckets of classic ones.
//!
//! Pure arithmetic: no series, no steps, no I/O. What Prometheus would annotate comes back as typed facts beside the
//! answer ([`Reconciled`], [`Difference`], [`Quantile`], ...), for which [`annotation`] has its words.
//!
//! It follows Prometheus 3.13. In particular custom bounds that differ are reconciled instead of refused (since 3.8),
//! sums of many histograms are compensated for rounding, bucket by bucket (since 3.9), and `</` and `>/` cut a
//! histogram (since 3.11). Three things differ on purpose. Start timestamps, which Prometheus regards behind a flag, are
//! not regarded. Two spans that touch are the same layout as one, which `changes` of Prometheus tells apart. And
//! observations that a widened zero bucket takes in are not left in a coarser bucket as well (`body.rs`).

mod bound_table;
mod bounds;
mod cell;
mod side;

mod body;
mod bucket;
mod custom_bounds;
mod float_histogram;
mod reset;
mod zero_bucket;

mod fraction;
mod moments;
mod quantile;
mod trim;

mod accumulate;
mod window;

mod classic;

pub mod annotation;
mod notation;
mod number;
mod text;

pub use accumulate::{HistogramMean, HistogramSum};
pub use body::{MixedSchemas, Reconciled};
pub use bucket::Bucket;
pub use classic::{ClassicBucket, ClassicQuantile, ForcedMonotonicity, bucket_fraction, bucket_quantile};
pub use float_histogram::FloatHistogram;
pub use fraction::Fraction;
pub use notation::NotationError;
pub use number::{api_float, go_float};
pub use quantile::{Quantile, QuantileOfNan};
pub use trim::Keep;
pub use window::{Difference, changes, delta, increase, instant_delta, instant_increase, resets};

#[cfg(test)]
mod tests;

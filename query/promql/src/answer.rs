//! What a query gives.

use std::sync::Arc;

use barograph_model::Labels;

use crate::histogram::FloatHistogram;
use crate::meter::Hold;
use crate::{Annotations, QueryStats};

/// A float or a histogram at an instant.
#[derive(Debug, Clone)]
pub enum SampleValue {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<FloatHistogram>),
}

/// A sample of an answer.
#[derive(Debug, Clone)]
pub struct Point {
    /// Milliseconds since the epoch.
    pub ts: i64,
    /// What was there.
    pub value: SampleValue,
}

/// A series with one sample.
#[derive(Debug, Clone)]
pub struct InstantSeries {
    /// Its labels.
    pub labels: Arc<Labels>,
    /// Its sample.
    pub point: Point,
}

/// A series with its samples, ascending in time; at least one.
#[derive(Debug, Clone)]
pub struct RangeSeries {
    /// Its labels.
    pub labels: Arc<Labels>,
    /// Its samples.
    pub points: Vec<Point>,
}

/// The result of a query. Series of a matrix are sorted by labels; those of a vector have the order that the
/// expression gives, such as `sort`'s.
#[derive(Debug, Clone)]
pub enum QueryValue {
    /// A number at an instant.
    Scalar {
        /// Milliseconds since the epoch.
        ts: i64,
        /// The number.
        value: f64,
    },
    /// A text at an instant.
    String {
        /// Milliseconds since the epoch.
        ts: i64,
        /// The text.
        text: String,
    },
    /// Of an instant query.
    Vector(Vec<InstantSeries>),
    /// Of a range query, or of an instant query for a range vector.
    Matrix(Vec<RangeSeries>),
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The result.
    pub value: QueryValue,
    /// What is to be said about it.
    pub annotations: Annotations,
    /// What it cost.
    pub stats: QueryStats,
    /// what its points have drawn from the account of memory, given back with the last copy of the answer
    pub(crate) _holds: Arc<Vec<Hold>>,
}

//! The seam: what every detector is, and the one place that knows them by name.

use barograph_model::TimestampMs;

use crate::auto::Auto;
use crate::error::{DetectorError, nearest};
use crate::ml::Pca;
use crate::params::Params;
use crate::seasonal::Seasonal;
use crate::state;

/// What a detector says of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// `-log10(p)`, at least 0: the rarer such a row is in ordinary operation, the higher. 3 is one row in a
    /// thousand. Comparable between series and detectors.
    pub score: f64,
    /// The value that was expected, in the unit of the series; none for rows of several values.
    pub expected: Option<f64>,
    /// The lower edge of the band outside of which a value is an anomaly.
    pub lower: Option<f64>,
    /// The upper edge of that band.
    pub upper: Option<f64>,
    /// Whether the row is part of an alarm, at the target of `alarms_per_day`.
    pub is_anomaly: bool,
}

/// Learns from the rows it is fed what normal is, and judges each row before it learns from it.
pub trait Detector: Send {
    /// The name under which [`build`] knows it.
    fn name(&self) -> &'static str;

    /// One row of [`Context::width`] values at an instant. Causal: the verdict depends on this row and those
    /// fed before it. NaN and infinities are missing values. None = no opinion: still learning, or nothing to
    /// judge in this row. A row of another width is not judged and not learned from.
    fn observe(&mut self, ts: TimestampMs, row: &[f64]) -> Option<Verdict>;

    /// Everything that is needed to go on later with the same bits; see [`restore`].
    fn save(&self) -> Vec<u8>;
}

/// The rows a detector will be fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Values in a row, at least 1.
    pub width: usize,
    /// Nominal distance of two rows in milliseconds, at least 1. It turns alarms per day into a p-value and
    /// bounds the periods that can be learned; rows may be missing or late.
    pub step_ms: i64,
}

/// The widest row a detector takes.
pub(crate) const WIDTH_MAX: usize = 4096;

impl Context {
    /// Checks width and step.
    ///
    /// # Errors
    /// [`DetectorError::InvalidContext`].
    pub fn check(&self) -> Result<(), DetectorError> {
        let reason = if self.width == 0 {
            "a row needs a value"
        } else if self.width > WIDTH_MAX {
            "a row has at most 4096 values; split the columns"
        } else if self.step_ms < 1 {
            "the distance of rows must be at least 1 ms"
        } else if self.step_ms > 366 * 86_400_000 {
            "the distance of rows must be at most a year"
        } else {
            return Ok(());
        };
        Err(DetectorError::InvalidContext {
            width: self.width,
            step_ms: self.step_ms,
            reason,
        })
    }
}

const NAMES: &[&str] = &["auto", "pca", "seasonal"];

/// The names of the detectors that [`build`] knows.
#[must_use]
pub fn names() -> &'static [&'static str] {
    NAMES
}

/// A new detector that has seen nothing.
///
/// # Errors
/// An unknown name or parameter (with the nearest that exists), an unusable value, an unusable context.
pub fn build(name: &str, params: &Params, context: &Context) -> Result<Box<dyn Detector>, DetectorError> {
    context.check()?;
    match name {
        "auto" => Ok(Box::new(Auto::new(params, context)?)),
        "pca" => Ok(Box::new(Pca::new(params, context)?)),
        "seasonal" => Ok(Box::new(Seasonal::new(params, context)?)),
        _ => Err(unknown(name)),
    }
}

/// A detector as it was when [`Detector::save`] wrote `bytes`: fed the same rows, both give the same bits.
///
/// # Errors
/// [`DetectorError::Corrupt`] for damage, [`DetectorError::Version`] for state of a later program,
/// [`DetectorError::UnknownDetector`] for a detector that no longer exists.
pub fn restore(bytes: &[u8]) -> Result<Box<dyn Detector>, DetectorError> {
    let (name, mut reader) = state::open(bytes)?;
    match name.as_str() {
        "auto" => Ok(Box::new(Auto::restore(&mut reader)?)),
        "pca" => Ok(Box::new(Pca::restore(&mut reader)?)),
        "seasonal" => Ok(Box::new(Seasonal::restore(&mut reader)?)),
        _ => Err(unknown(&name)),
    }
}

pub(crate) fn unknown(name: &str) -> DetectorError {
    DetectorError::UnknownDetector {
        name: name.to_owned(),
        nearest: nearest(name, NAMES),
        known: NAMES.join(", "),
    }
}

//! Detectors: what is normal, and how far a point is from it.
//!
//! A [`Detector`] is fed one row of values at a time and answers with a [`Verdict`]: a score, a band and
//! whether the row is an anomaly at the target of false alarms that was asked for. [`detect`] runs one over a
//! whole [`Table`], causally or offline. Nothing here does I/O, reads a clock or knows Arrow.
//!
//! Invariants:
//! - a detector's answer at an instant depends only on what it was fed up to that instant, and on its
//!   parameters: the same rows give the same bits, also after [`Detector::save`] and [`restore`];
//! - memory is bounded, however long the series;
//! - NaN and infinities are missing values: they never panic and never poison a model;
//! - a score is `-log10(p)` of a calibrated p-value, so that detectors and series can be compared.

mod auto;
mod calibrate;
mod detect;
mod detector;
mod dot;
mod error;
pub mod eval;
mod ml;
mod params;
mod robust;
mod seasonal;
mod state;
mod table;

pub use detect::detect;
pub use detector::{Context, Detector, Verdict, build, names, restore};
pub use error::DetectorError;
pub use params::Params;
pub use table::{Mode, Table};

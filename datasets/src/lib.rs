//! Seeded fleets with labelled incidents, and loaders of labelled data.
//!
//! - [`Fleet`]: five services whose metrics are a pure function of (seed, span, instant), as a Prometheus would
//!   scrape them; the demo shows it, the detectors' tests measure on it.
//! - [`Incident`]: what goes wrong in a fleet, labelled; [`judge`] compares labels with what was detected.
//! - [`nab`]: reads the Numenta Anomaly Benchmark's files.
//!
//! Invariants: no I/O, no clock, no global state; the same arguments give the same bits on every machine, because
//! only the operations that IEEE 754 defines exactly are used (no `sin`, `exp` or `ln`).

mod noise;

mod fleet;
mod incident;
mod judge;

pub mod nab;

pub use fleet::{Fleet, Scrape, Scraper, Scrapes, Service};
pub use incident::{Expected, Incident, IncidentKind, LIVE_SLOT_MS, Selector};
pub use judge::{Caught, Detection, Judgement, judge};

//! Table `anomalies`: the detectors' verdicts, put together from the series that hold them.
//!
//! A verdict is stored as up to five samples at one instant, in series of the metrics
//! `barograph_detector_{score,expected,lower,upper,anomaly}` that agree in all labels: those of the watched
//! series, with its metric in `metric` and the detector's name in `detector`. A row is a score with what else is
//! known at its instant.

mod merge;
mod table;
mod watched;

pub(crate) use table::AnomaliesTable;

//! Detectors at work: each `[[detector]]` of the configuration follows its series and writes its verdicts back.
//!
//! One thread walks through the watches, since the work is computing and not waiting; the series of a watch are
//! spread over the cores. What a watch knows is rebuilt from the store when the program starts: the history is
//! replayed through the same code that follows live data, so a restart and a long run agree.

mod resample;
mod runner;
mod verdict_series;
mod watch;

pub use resample::Resampler;
pub use runner::{DetectorRunner, DetectorStats, RunnerHandle};
pub(crate) use verdict_series::watched_labels;
pub use verdict_series::{VERDICT_PREFIX, VerdictSeries};
pub use watch::{Watch, WatchError};

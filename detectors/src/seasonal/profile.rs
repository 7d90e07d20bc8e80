//! One season: what each phase of a period adds to the level, and how much wider or narrower it scatters.
//!
//! The period is cut into bins of equal width. A bin's offset follows its residuals by clipped steps whose
//! gain falls like 1 / cycles seen, down to [`GAIN_MIN`], so that one cycle's anomaly moves it by a fraction
//! of sigma. Between bin centres the offset is interpolated where bins are wider than the row distance.

use barograph_model::TimestampMs;

use crate::error::DetectorError;
use crate::robust::MAD_TO_SIGMA;
use crate::state::{Reader, Writer};

/// The smallest gain of a cycle: a memory of about ten cycles.
const GAIN_MIN: f64 = 0.1;
/// Cycles at which a bin's own scatter weighs as much as the common one.
const SPREAD_SHRINK: f64 = 0.5;

/// Offsets and relative scatter by phase.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    period_ms: i64,
    /// Cycles at which an offset counts half: 0 for the first season, more for what refines it.
    shrink: f64,
    interpolate: bool,
    /// What one row counts for in its bin: 1 / rows a cycle and bin.
    row_share: f64,
    offset: Vec<f64>,
    cycles: Vec<f64>,
    spread: Vec<f64>,
}

/// A place in a profile: two neighbouring bins and how far between their centres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    left: usize,
    right: usize,
    between: f64,
}

impl Profile {
    /// A profile from offsets that were measured over `cycles` cycles.
    pub(crate) fn new(
        period_ms: i64,
        step_ms: i64,
        shrink: f64,
        offset: Vec<f64>,
        cycles: Vec<f64>,
        spread: Vec<f64>,
    ) -> Self {
        let bin_ms = period_ms as f64 / offset.len() as f64;
        let row_share = (step_ms as f64 / bin_ms).min(1.0);
        let interpolate = bin_ms > 1.5 * step_ms as f64;
        Self {
            period_ms,
            shrink,
            interpolate,
            row_share,
            offset,
            cycles,
            spread,
        }
    }

    pub(crate) fn period_ms(&self) -> i64 {
        self.period_ms
    }

    pub(crate) fn phase(&self, ts: TimestampMs) -> Phase {
        let bins = self.offset.len();
        let place = ts.0.rem_euclid(self.period_ms) as f64 / self.period_ms as f64 * bins as f64;
        if !self.interpolate {
            let bin = (place as usize).min(bins - 1);
            return Phase {
                left: bin,
                right: bin,
                between: 0.0,
            };
        }
        let centred = place - 0.5;
        let left = centred.floor();
        let wrap = |bin: f64| (bin as i64).rem_euclid(bins as i64) as usize;
        Phase {
            left: wrap(left),
            right: wrap(left + 1.0),
            between: centred - left,
        }
    }

    /// What the phase adds to the level.
    pub(crate) fn offset(&self, phase: Phase) -> f64 {
        let at = |bin: usize| self.offset[bin] * self.trust(bin, self.shrink);
        at(phase.left) * (1.0 - phase.between) + at(phase.right) * phase.between
    }

    /// The phase's scatter relative to the whole series'.
    pub(crate) fn spread(&self, phase: Phase) -> f64 {
        let at = |bin: usize| 1.0 + (self.spread[bin] - 1.0) * self.trust(bin, SPREAD_SHRINK);
        at(phase.left) * (1.0 - phase.between) + at(phase.right) * phase.between
    }

    fn trust(&self, bin: usize, shrink: f64) -> f64 {
        self.cycles[bin] / (self.cycles[bin] + shrink).max(f64::MIN_POSITIVE)
    }

    /// Learns a residual that is already clipped; `z` is the residual in sigmas of its phase.
    pub(crate) fn learn(&mut self, phase: Phase, clipped: f64, z: f64, trust: f64) {
        let bin = if phase.between < 0.5 {
            phase.left
        } else {
            phase.right
        };
        let gain = (1.0 / (self.cycles[bin] + 1.0)).max(GAIN_MIN) * self.row_share * trust;
        self.offset[bin] += gain * clipped;
        self.cycles[bin] = (self.cycles[bin] + self.row_share).min(1000.0);
        let above = z.abs() * MAD_TO_SIGMA > 1.0;
        let factor = if above { 1.0 + gain } else { 1.0 - gain };
        self.spread[bin] = (self.spread[bin] * factor).clamp(0.2, 8.0);
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.i64(self.period_ms);
        writer.f64(self.shrink);
        writer.flag(self.interpolate);
        writer.f64(self.row_share);
        writer.floats(&self.offset);
        writer.floats(&self.cycles);
        writer.floats(&self.spread);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let (period_ms, shrink) = (reader.i64()?.max(1), reader.f64()?);
        let (interpolate, row_share) = (reader.flag()?, reader.f64()?);
        let mut offset = reader.floats()?;
        let mut cycles = reader.floats_of(offset.len())?;
        let mut spread = reader.floats_of(offset.len())?;
        if offset.is_empty() {
            (offset, cycles, spread) = (vec![0.0], vec![0.0], vec![1.0]);
        }
        Ok(Self {
            period_ms,
            shrink,
            interpolate,
            row_share,
            offset,
            cycles,
            spread,
        })
    }
}

//! A streaming scale: sigma such that half of the residuals are within 0.6745 of it, as for a MAD.
//!
//! Robbins-Monro on the logarithm: a residual above the current median of absolute residuals raises it by a
//! small factor, one below lowers it by the same. However wild a residual, it counts for one step.

use crate::error::DetectorError;
use crate::robust::MAD_TO_SIGMA;
use crate::state::{Reader, Writer};

/// The smallest step: a memory of about 500 residuals.
const GAIN_MIN: f64 = 0.002;
const GAIN_MAX: f64 = 0.05;

/// The scale of residuals; 0 until the first one that is not.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    sigma: f64,
    seen: f64,
}

impl Scale {
    /// A scale that was measured over `seen` residuals.
    pub(crate) fn new(sigma: f64, seen: f64) -> Self {
        Self { sigma, seen }
    }

    pub(crate) fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Multiplies the scale, as when a better model leaves smaller residuals.
    pub(crate) fn shrink(&mut self, factor: f64) {
        self.sigma *= factor;
    }

    /// Learns one residual as a lesson of weight `trust`; the scale does not sink below `floor`.
    pub(crate) fn learn(&mut self, residual: f64, floor: f64, trust: f64) {
        self.seen = (self.seen + 1.0).min(1e6);
        let gain = (1.0 / self.seen).clamp(GAIN_MIN, GAIN_MAX) * trust;
        let above = residual.abs() * MAD_TO_SIGMA > self.sigma;
        self.sigma = (self.sigma * if above { 1.0 + gain } else { 1.0 - gain }).max(floor);
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64(self.sigma);
        writer.f64(self.seen);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        Ok(Self {
            sigma: reader.f64()?,
            seen: reader.f64()?,
        })
    }
}

//! `pca`: distance of a window from the subspace in which the windows of the past lay.
//!
//! One series: a window is its last `window` values. Several columns: the last `lags + 1` rows of all of them.
//! Windows are standardised with medians and MADs of the first rows, summed into [`Moments`] with weights that
//! fall with the square of their distance (so that incidents hardly teach), and the subspace is fitted anew
//! from the moments on a schedule. Two departures are judged by the tail of their own past: the distance of
//! the whole window, and how far the last value is from what the rest of the window lets expect. The smaller
//! p-value counts, doubled. The second also gives the band of a single series.

use barograph_model::TimestampMs;

use super::moments::Moments;
use super::subspace::Subspace;
use super::window::Window;
use crate::calibrate::{Alarm, Tail, lesson_weight, score};
use crate::detector::{Context, Detector, Verdict};
use crate::error::DetectorError;
use crate::params::Params;
use crate::robust::median_and_sigma;
use crate::state::{self, Reader, Writer};

/// The keys `pca` takes.
pub(crate) const KEYS: &[&str] = &[Alarm::PARAM, "explained", "lags", "window"];
/// The widest row `pca` takes: its moments grow with the square.
pub(crate) const WIDTH_MAX: usize = 256;
/// Coordinates of a window at most.
const DIMS_MAX: usize = 512;
/// Rows from which centre and scale of each column are taken.
const WARMUP: usize = 128;
/// Standardised values are clipped here.
const CLIP: f64 = 20.0;
/// Variance of the noise of a series that has not moved yet: with the scale such a series gets, a move of half
/// a percent of the level is one sigma.
const CONSTANT_NOISE: f64 = 1e-2;
/// Windows after which the past is halved.
const MEMORY: f64 = 20_000.0;

/// The PCA detector; see the module.
#[derive(Debug, Clone)]
pub(crate) struct Pca {
    width: usize,
    rows: usize,
    step_ms: i64,
    explained: f64,
    /// The least variance of the noise around the subspace.
    noise_floor: f64,
    /// A window is learned every so many rows, and counted down.
    stride: usize,
    until_learning: usize,
    warmup: Vec<f64>,
    center: Vec<f64>,
    scale: Vec<f64>,
    window: Window,
    moments: Moments,
    next_fit: f64,
    fit: Option<Subspace>,
    whole: Tail,
    last: Tail,
    last_edge: f64,
    alarm: Alarm,
    last_ts: TimestampMs,
    standard: Vec<f64>,
    centred: Vec<f64>,
}

impl Pca {
    /// Reads the parameters: `window` rows of a single series, `lags` rows before the last of several columns,
    /// `explained` share of the variance that the subspace keeps.
    pub(crate) fn new(params: &Params, context: &Context) -> Result<Self, DetectorError> {
        params.check_keys("pca", KEYS)?;
        let (width, step_ms) = (context.width, context.step_ms);
        if width > WIDTH_MAX {
            let reason = "pca takes at most 256 columns; split them";
            return Err(DetectorError::InvalidContext {
                width,
                step_ms,
                reason,
            });
        }
        let explained = params.number("explained", if width == 1 { 0.995 } else { 0.9 }, 0.1, 0.9999)?;
        let window = params.number("window", 24, 4, DIMS_MAX)?;
        let lags_default = if width * 3 <= 64 { 2 } else { 0 };
        let lags = params.number("lags", lags_default, 0, DIMS_MAX / width.max(1) - 1)?;
        let rows = if width == 1 { window } else { lags + 1 };
        let alarm = Alarm::new(params, step_ms)?;
        let whole = Tail::new();
        Ok(Self {
            width,
            rows,
            step_ms,
            explained,
            noise_floor: 0.0,
            stride: (rows / 16).max(1),
            until_learning: 0,
            warmup: Vec::new(),
            center: Vec::new(),
            scale: Vec::new(),
            window: Window::new(width, rows),
            moments: Moments::new(width * rows, MEMORY),
            next_fit: 2.0 * (width * rows) as f64 / (rows / 16).max(1) as f64,
            fit: None,
            last_edge: whole.threshold(0.5 * alarm.level()),
            last: whole.clone(),
            whole,
            alarm,
            last_ts: TimestampMs(0),
            standard: Vec::new(),
            centred: Vec::new(),
        })
    }

    /// Standardises a row into `self.standard`; what is missing takes the last row's value. Gives how many are.
    fn standardise(&mut self, row: &[f64]) -> usize {
        let mut missing = 0;
        self.standard.resize(self.width, 0.0);
        for (index, value) in row.iter().enumerate() {
            if value.is_finite() {
                let z = (value - self.center[index]) / self.scale[index];
                self.standard[index] = z.clamp(-CLIP, CLIP);
            } else {
                missing += 1;
            }
        }
        missing
    }

    fn warm_up(&mut self, row: &[f64]) {
        self.warmup.extend_from_slice(row);
        if self.warmup.len() < WARMUP * self.width {
            return;
        }
        for column in 0..self.width {
            let values = self.warmup.iter().skip(column).step_by(self.width).copied();
            let mut known: Vec<f64> = values.filter(|value| value.is_finite()).collect();
            let mean_size = known.iter().map(|value| value.abs()).sum::<f64>() / known.len().max(1) as f64;
            let (center, mut sigma) = median_and_sigma(&mut known);
            if sigma == 0.0 {
                // Mostly constant: the mean excursion, or a share of the level where nothing moved.
                sigma = known.iter().sum::<f64>() / known.len().max(1) as f64;
            }
            if sigma == 0.0 {
                sigma = 0.05 * mean_size;
                self.noise_floor = CONSTANT_NOISE;
            }
            self.center.push(if center.is_finite() { center } else { 0.0 });
            self.scale.push(if sigma > 0.0 && sigma.is_finite() {
                sigma
            } else {
                1.0
            });
        }
        let rows = std::mem::take(&mut self.warmup);
        for row in rows.chunks_exact(self.width) {
            let missing = self.standardise(row);
            self.window.push(&self.standard, missing);
            self.learn(1.0);
        }
    }

    /// Learns the present window, and fits anew when it is time.
    fn learn(&mut self, weight: f64) {
        if self.until_learning > 0 {
            self.until_learning -= 1;
            return;
        }
        let Some(vector) = self.window.vector() else {
            return;
        };
        self.until_learning = self.stride - 1;
        self.moments.learn(vector, weight);
        if self.moments.weight() < self.next_fit && self.moments.weight() > 0.5 * self.next_fit {
            return;
        }
        let (mean, covariance) = self.moments.covariance();
        // A covariance that cannot be decomposed leaves the last fit in place.
        if let Ok(fit) = Subspace::fit(mean, covariance, self.explained, self.noise_floor) {
            self.fit = Some(fit);
        }
        let seen = self.moments.weight();
        self.next_fit = (seen * 1.4).min(seen + 1024.0);
    }

    fn fill_gap(&mut self, ts: TimestampMs) {
        let steps = ts.since(self.last_ts) as f64 / self.step_ms as f64;
        if steps > self.rows.max(8) as f64 {
            self.window.clear();
        } else {
            for _ in 1..steps.round() as usize {
                self.window.push(&self.standard, self.width);
            }
        }
    }
}

impl Detector for Pca {
    fn name(&self) -> &'static str {
        "pca"
    }

    fn observe(&mut self, ts: TimestampMs, row: &[f64]) -> Option<Verdict> {
        if row.len() != self.width || !row.iter().any(|value| value.is_finite()) {
            return None;
        }
        if self.center.is_empty() {
            self.last_ts = ts;
            self.warm_up(row);
            return None;
        }
        self.fill_gap(ts);
        self.last_ts = ts;
        let missing = self.standardise(row);
        self.window.push(&self.standard, missing);
        let (Some(fit), Some(vector)) = (&self.fit, self.window.vector()) else {
            self.learn(1.0);
            return None;
        };
        let distance = fit.distance(vector, &mut self.centred).sqrt();
        let mut p = self.whole.p(distance);
        let (mut expected, mut sigma) = (0.0, 0.0);
        if self.width == 1 {
            let surprise = fit.surprise(&self.centred);
            sigma = fit.surprise_sigma();
            expected = self.standard[0] - surprise;
            let departure = surprise.abs() / sigma;
            p = (2.0 * p.min(self.last.p(departure))).min(1.0);
            if self.last.learn(departure, lesson_weight(p, self.alarm.level())) {
                self.last_edge = self.last.threshold(0.5 * self.alarm.level());
            }
        }
        self.whole.learn(distance, lesson_weight(p, self.alarm.level()));
        let typical = 2.0;
        self.learn(if distance > typical {
            (typical / distance).powi(2)
        } else {
            1.0
        });
        let restored = |z: f64| (self.width == 1).then(|| self.center[0] + self.scale[0] * z);
        Some(Verdict {
            score: score(p),
            expected: restored(expected),
            lower: restored(expected - self.last_edge * sigma),
            upper: restored(expected + self.last_edge * sigma),
            is_anomaly: self.alarm.ring(p),
        })
    }

    fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for number in [self.width, self.rows, self.stride, self.until_learning] {
            writer.usize(number);
        }
        writer.i64(self.step_ms);
        writer.i64(self.last_ts.0);
        for number in [self.explained, self.noise_floor, self.next_fit, self.last_edge] {
            writer.f64(number);
        }
        for values in [&self.warmup, &self.center, &self.scale, &self.standard] {
            writer.floats(values);
        }
        self.window.save(&mut writer);
        self.moments.save(&mut writer);
        writer.flag(self.fit.is_some());
        if let Some(fit) = &self.fit {
            fit.save(&mut writer);
        }
        self.whole.save(&mut writer);
        self.last.save(&mut writer);
        self.alarm.save(&mut writer);
        state::seal(self.name(), writer)
    }
}

impl Pca {
    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let (width, rows) = (reader.usize(WIDTH_MAX)?, reader.usize(DIMS_MAX)?);
        let (stride, until_learning) = (reader.usize(DIMS_MAX)?, reader.usize(DIMS_MAX)?);
        let (step_ms, last_ts) = (reader.i64()?.max(1), TimestampMs(reader.i64()?));
        let (explained, noise_floor) = (reader.f64()?, reader.f64()?);
        let (next_fit, last_edge) = (reader.f64()?, reader.f64()?);
        let (warmup, center) = (reader.floats()?, reader.floats()?);
        let scale = reader.floats_of(center.len())?;
        let standard = reader.floats()?;
        let (window, moments) = (Window::restore(reader)?, Moments::restore(reader)?);
        let fit = if reader.flag()? {
            Some(Subspace::restore(reader)?)
        } else {
            None
        };
        let (whole, last, alarm) = (
            Tail::restore(reader)?,
            Tail::restore(reader)?,
            Alarm::restore(reader)?,
        );
        reader.finish()?;
        Ok(Self {
            width,
            rows,
            step_ms,
            explained,
            noise_floor,
            stride: stride.max(1),
            until_learning,
            warmup,
            center,
            scale,
            window,
            moments,
            next_fit,
            fit,
            whole,
            last,
            last_edge,
            alarm,
            last_ts,
            standard,
            centred: Vec::new(),
        })
    }
}

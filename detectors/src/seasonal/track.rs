//! The model of one series: level + seasons, their scale, and what lingers of the last residual.
//!
//! Causal: a value is read against what was known before it, then learned. Everything is learned through
//! clipped residuals, so that a wild value moves nothing by more than a fraction of sigma.

use barograph_model::TimestampMs;

use super::history::{CAPACITY, History};
use super::level::Level;
use super::period::{self, Bins};
use super::profile::{Phase, Profile};
use super::scale::Scale;
use crate::error::DetectorError;
use crate::robust::{median, median_and_sigma};
use crate::state::{Reader, Writer};

const DAY_MS: i64 = 86_400_000;
/// Values before the first opinion.
const WARMUP: usize = 24;
/// Residuals are clipped here before anything learns them, in sigmas.
const CLIP: f64 = 3.0;
/// Values further from 0 than this are not numbers to reckon with.
const HUGE: f64 = 1e150;
/// Changes of value before the series' own moves say what a small move is.
const CHANGES_KNOWN: f64 = 8.0;
/// Until then a move of this share of the level is one sigma.
const MOVE_SHARE: f64 = 0.0025;

/// Where the periods come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Periods {
    Learn,
    Given(Vec<i64>),
}

/// A value beside what was expected of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    value: f64,
    /// Level and seasons.
    pub(crate) slow: f64,
    /// What lingers of the last residual.
    lingering: f64,
    pub(crate) sigma: f64,
    pub(crate) sigma_sudden: f64,
}

impl Reading {
    /// The expected value.
    pub(crate) fn expected(&self) -> f64 {
        self.slow + self.lingering
    }

    /// Sigmas from level and seasons, signed.
    pub(crate) fn lasting(&self) -> f64 {
        (self.value - self.slow) / self.sigma
    }

    /// Sigmas from the expected value, signed.
    pub(crate) fn sudden(&self) -> f64 {
        (self.value - self.expected()) / self.sigma_sudden
    }
}

/// The model of one series.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    step_ms: i64,
    memory_ms: i64,
    periods: Periods,
    warmup: Vec<f64>,
    history: History,
    next_lesson: f64,
    rows: f64,
    level: Level,
    profiles: Vec<Profile>,
    scale: Scale,
    scale_sudden: Scale,
    /// Lag-1 moments of the clipped residuals: their ratio is how much of one lingers.
    moment_lag: f64,
    moment_self: f64,
    last_residual: f64,
    last_ts: TimestampMs,
    last_value: f64,
    /// Median size of the moves that are not 0, and how many there were.
    change: f64,
    changes_seen: f64,
    nonnegative: bool,
    /// The seasons changed after the last reading.
    relearned: bool,
}

impl Track {
    pub(crate) fn new(periods: Periods, memory_ms: Option<i64>, step_ms: i64) -> Self {
        let memory_ms = memory_ms.unwrap_or_else(|| DAY_MS.max(step_ms.saturating_mul(96)));
        Self {
            step_ms,
            memory_ms,
            periods,
            warmup: Vec::new(),
            history: History::new(step_ms),
            next_lesson: 48.0,
            rows: 0.0,
            level: Level::new(memory_ms, step_ms, 0.0),
            profiles: Vec::new(),
            scale: Scale::new(0.0, 0.0),
            scale_sudden: Scale::new(0.0, 0.0),
            moment_lag: 0.0,
            moment_self: 0.0,
            last_residual: 0.0,
            last_ts: TimestampMs(0),
            last_value: f64::NAN,
            change: 0.0,
            changes_seen: 0.0,
            nonnegative: true,
            relearned: false,
        }
    }

    /// Whether every value so far was 0 or more.
    pub(crate) fn nonnegative(&self) -> bool {
        self.nonnegative
    }

    /// Whether the seasons changed since this was last asked.
    pub(crate) fn take_relearned(&mut self) -> bool {
        std::mem::take(&mut self.relearned)
    }

    /// Reads a value, then learns it as a lesson of weight `trust`, at most 1. None while warming up or where the value is missing.
    pub(crate) fn read(&mut self, ts: TimestampMs, value: f64, trust: f64) -> Option<Reading> {
        if !value.is_finite() || value.abs() > HUGE {
            return None;
        }
        let ready = self.warmup.len() >= WARMUP;
        let reading = if ready {
            Some(self.judge_and_learn(ts, value, trust))
        } else {
            None
        };
        self.nonnegative &= value >= 0.0;
        self.note_change(value);
        self.rows += 1.0;
        self.history.push(ts, value);
        if !ready {
            self.warmup.push(value);
            if self.warmup.len() == WARMUP {
                self.start(ts);
            }
        }
        if self.rows >= self.next_lesson {
            self.take_lesson(ts);
        }
        self.last_ts = ts;
        self.last_value = value;
        reading
    }

    fn start(&mut self, ts: TimestampMs) {
        let (level, sigma) = median_and_sigma(&mut self.warmup.clone());
        self.level = Level::new(self.memory_ms, self.step_ms, level);
        for value in &self.warmup {
            self.level.learn(ts, *value);
        }
        let moves = self.warmup.windows(2).map(|pair| pair[1] - pair[0]);
        let (_, sigma_moves) = median_and_sigma(&mut moves.collect::<Vec<_>>());
        self.scale = Scale::new(sigma, WARMUP as f64);
        self.scale_sudden = Scale::new(sigma.min(sigma_moves), WARMUP as f64);
    }

    fn judge_and_learn(&mut self, ts: TimestampMs, value: f64, trust: f64) -> Reading {
        let (mut season, mut spread) = (0.0, 1.0);
        let mut phases = [None::<Phase>; 2];
        for (index, profile) in self.profiles.iter().enumerate() {
            let phase = profile.phase(ts);
            season += profile.offset(phase);
            if index == 0 {
                spread = profile.spread(phase);
            }
            phases[index] = Some(phase);
        }
        let floor = self.floor();
        let slow = self.level.level() + season;
        let lingering = self.linger(ts) * self.last_residual;
        let sigma = (self.scale.sigma() * spread).max(floor);
        let sigma_sudden = (self.scale_sudden.sigma() * spread).max(floor);
        let reading = Reading {
            value,
            slow,
            lingering,
            sigma,
            sigma_sudden,
        };

        let residual = value - slow;
        let clipped = residual.clamp(-CLIP * sigma, CLIP * sigma);
        let z = residual / sigma;
        for (profile, phase) in self.profiles.iter_mut().zip(phases) {
            if let Some(phase) = phase {
                profile.learn(phase, clipped, z, trust);
            }
        }
        self.level.learn(ts, value - season);
        self.scale.learn(residual / spread, floor, trust);
        self.scale_sudden
            .learn((residual - lingering) / spread, floor, trust);
        let gain = 0.01;
        self.moment_lag += gain * (clipped * self.last_residual / (sigma * sigma) - self.moment_lag);
        self.moment_self += gain * ((self.last_residual / sigma).powi(2) - self.moment_self);
        self.last_residual = clipped;
        reading
    }

    /// How much of the last residual is still expected at an instant.
    fn linger(&self, ts: TimestampMs) -> f64 {
        if self.moment_self <= 0.0 {
            return 0.0;
        }
        let share = (self.moment_lag / self.moment_self).clamp(0.0, 0.99);
        let steps = ts.since(self.last_ts) as f64 / self.step_ms as f64;
        if steps <= 1.5 {
            share
        } else {
            share.powf(steps.min(1e6))
        }
    }

    /// The least that a sigma may be: a good part of an ordinary move of this series. While the series has
    /// hardly moved, a small share of its level stands in for that.
    fn floor(&self) -> f64 {
        let own = 0.4 * self.change;
        if self.changes_seen >= CHANGES_KNOWN {
            return own.max(f64::MIN_POSITIVE);
        }
        let known = self.changes_seen / CHANGES_KNOWN;
        (MOVE_SHARE * self.level.level().abs() * (1.0 - known))
            .max(own * known)
            .max(1e-9)
    }

    /// Follows the median size of the moves that are not 0, as [`Scale`] does for residuals.
    fn note_change(&mut self, value: f64) {
        let change = (value - self.last_value).abs();
        if change > 0.0 {
            self.changes_seen += 1.0;
            if self.change == 0.0 {
                self.change = change;
            } else {
                let gain = (1.0 / self.changes_seen).max(0.02);
                self.change *= if change > self.change {
                    1.0 + gain
                } else {
                    1.0 - gain
                };
            }
        }
    }

    fn take_lesson(&mut self, now: TimestampMs) {
        let full = self.history.len() > CAPACITY / 2;
        let rows_per_bin = (self.history.bin_ms() / self.step_ms).max(1) as f64;
        self.next_lesson = self.rows
            + if full {
                1024.0 * rows_per_bin
            } else {
                (self.rows * 0.5).max(24.0)
            };
        let means = self.history.means();
        let bin_ms = self.history.bin_ms();
        let bins = Bins {
            first: self.history.instant(0).0.div_euclid(bin_ms),
            bin_ms,
            means: &means,
        };
        let known: Vec<i64> = self.profiles.iter().map(Profile::period_ms).collect();
        let lesson = match &self.periods {
            Periods::Given(periods) if periods.is_empty() || periods.len() == known.len() => return,
            Periods::Given(periods) => period::profiles(bins, periods),
            Periods::Learn => period::learn(bins),
        };
        let found: Vec<i64> = lesson.seasons.iter().map(|season| season.period_ms).collect();
        let same = found.len() == known.len()
            && found
                .iter()
                .zip(&known)
                .all(|(a, b)| (a - b).abs() as f64 <= 0.004 * *b as f64);
        // A season too short for the bins of by now cannot be seen any more; it stays while it serves.
        let unseen = known.first().is_some_and(|period_ms| *period_ms < 8 * bin_ms);
        if same || unseen || (found.is_empty() && known.is_empty()) {
            return;
        }
        self.profiles = (lesson.seasons.into_iter().enumerate())
            .map(|(index, season)| {
                let shrink = if index == 0 { 0.0 } else { 1.0 };
                Profile::new(
                    season.period_ms,
                    self.step_ms,
                    shrink,
                    season.offset,
                    season.cycles,
                    season.spread,
                )
            })
            .collect();
        self.scale
            .shrink(if known.is_empty() { lesson.shrink } else { 1.0 });
        let slot = (self.level.slot_ms() / bin_ms).max(1) as usize;
        let slots: Vec<f64> = (lesson.remainder.chunks(slot))
            .filter_map(|chunk| {
                let mut known: Vec<f64> = chunk.iter().copied().filter(|value| value.is_finite()).collect();
                (!known.is_empty()).then(|| median(&mut known))
            })
            .collect();
        self.level.restart(&slots);
        let season: f64 = self
            .profiles
            .iter()
            .map(|profile| profile.offset(profile.phase(now)))
            .sum();
        let sigma = self.scale.sigma();
        let last = self.last_value - season - self.level.level();
        self.last_residual = if last.is_finite() {
            last.clamp(-CLIP * sigma, CLIP * sigma)
        } else {
            0.0
        };
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.i64(self.step_ms);
        writer.i64(self.memory_ms);
        match &self.periods {
            Periods::Learn => writer.flag(true),
            Periods::Given(periods) => {
                writer.flag(false);
                writer.usize(periods.len());
                periods.iter().for_each(|period_ms| writer.i64(*period_ms));
            }
        }
        writer.floats(&self.warmup);
        self.history.save(writer);
        self.level.save(writer);
        writer.usize(self.profiles.len());
        self.profiles.iter().for_each(|profile| profile.save(writer));
        self.scale.save(writer);
        self.scale_sudden.save(writer);
        for value in [
            self.next_lesson,
            self.rows,
            self.moment_lag,
            self.moment_self,
            self.last_residual,
        ] {
            writer.f64(value);
        }
        writer.i64(self.last_ts.0);
        writer.f64(self.last_value);
        writer.f64(self.change);
        writer.f64(self.changes_seen);
        writer.flag(self.nonnegative);
        writer.flag(self.relearned);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let (step_ms, memory_ms) = (reader.i64()?.max(1), reader.i64()?);
        let periods = if reader.flag()? {
            Periods::Learn
        } else {
            let count = reader.len(8)?;
            Periods::Given((0..count).map(|_| reader.i64()).collect::<Result<_, _>>()?)
        };
        let warmup = reader.floats()?;
        let history = History::restore(reader)?;
        let level = Level::restore(reader)?;
        let profiles = (0..reader.usize(2)?)
            .map(|_| Profile::restore(reader))
            .collect::<Result<_, _>>()?;
        let (scale, scale_sudden) = (Scale::restore(reader)?, Scale::restore(reader)?);
        let (next_lesson, rows, moment_lag) = (reader.f64()?, reader.f64()?, reader.f64()?);
        let (moment_self, last_residual) = (reader.f64()?, reader.f64()?);
        let (last_ts, last_value) = (TimestampMs(reader.i64()?), reader.f64()?);
        let (change, changes_seen) = (reader.f64()?, reader.f64()?);
        let (nonnegative, relearned) = (reader.flag()?, reader.flag()?);
        Ok(Self {
            step_ms,
            memory_ms,
            periods,
            warmup,
            history,
            next_lesson,
            rows,
            level,
            profiles,
            scale,
            scale_sudden,
            moment_lag,
            moment_self,
            last_residual,
            last_ts,
            last_value,
            change,
            changes_seen,
            nonnegative,
            relearned,
        })
    }
}

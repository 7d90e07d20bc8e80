//! From p-values to alarms: the level that a target of false alarms a day implies, with hysteresis.
//!
//! With `n` rows a day and p-values that hold, `p < a / n` happens `a` times a day. Departures come in runs,
//! and a run is one alarm to a person: an alarm begins at the level and goes on while p stays below ten
//! times the level, so that a value on the edge does not ring twice.

use crate::error::DetectorError;
use crate::params::Params;
use crate::state::{Reader, Writer};

const DAY_MS: f64 = 86_400_000.0;
/// How much less rare a row may be than the level and still belong to a running alarm.
const HOLD: f64 = 10.0;

/// The score of a p-value: `-log10(p)`.
pub(crate) fn score(p: f64) -> f64 {
    (-p.log10()).max(0.0)
}

/// How much a departure of this p-value teaches the tail: what is an alarm, little. Only where alarms are rare,
/// though: at a target of many a day they are part of the ordinary distribution, and leaving them out would
/// lower the threshold, which would leave out more.
pub(crate) fn lesson_weight(p: f64, level: f64) -> f64 {
    if p < level.min(1e-3) { 0.2 } else { 1.0 }
}

/// One alarm bell: its level and whether it rings.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    level: f64,
    ringing: bool,
}

impl Alarm {
    /// The key of the target.
    pub(crate) const PARAM: &'static str = "alarms_per_day";
    /// Alarms a day and series where nothing else is asked for.
    pub(crate) const DEFAULT_PER_DAY: f64 = 0.5;

    /// Reads the target; rows come every `step_ms`.
    pub(crate) fn new(params: &Params, step_ms: i64) -> Result<Self, DetectorError> {
        let per_day = params.number(Self::PARAM, Self::DEFAULT_PER_DAY, 1e-6, 1e6)?;
        let rows_per_day = DAY_MS / step_ms as f64;
        // Rows that are a day or more apart must not all be alarms.
        Ok(Self {
            level: (per_day / rows_per_day).clamp(1e-12, 0.05),
            ringing: false,
        })
    }

    /// The p-value below which an alarm begins.
    pub(crate) fn level(&self) -> f64 {
        self.level
    }

    /// Whether a row of this p-value is part of an alarm.
    pub(crate) fn ring(&mut self, p: f64) -> bool {
        self.ringing = p < self.level || (self.ringing && p < (self.level * HOLD).min(0.2));
        self.ringing
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64(self.level);
        writer.flag(self.ringing);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        Ok(Self {
            level: reader.f64()?,
            ringing: reader.flag()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_follows_the_step() {
        let minute = Alarm::new(&Params::new(), 60_000).expect("default");
        assert!((minute.level() - 0.5 / 1440.0).abs() < 1e-12);
        let daily = Alarm::new(&Params::new().with("alarms_per_day", 10), 86_400_000).expect("given");
        assert_eq!(daily.level(), 0.05);
        assert!(Alarm::new(&Params::new().with("alarms_per_day", 0), 60_000).is_err());
    }

    #[test]
    fn a_run_on_the_edge_is_one_alarm() {
        let mut alarm = Alarm::new(&Params::new().with("alarms_per_day", 1.44), 60_000).expect("given");
        let rang: Vec<bool> = [5e-3, 5e-4, 5e-3, 9e-4, 2e-2, 5e-3]
            .map(|p| alarm.ring(p))
            .to_vec();
        assert_eq!(rang, [false, true, true, true, false, false]);
    }
}

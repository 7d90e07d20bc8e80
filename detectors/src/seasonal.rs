//! `seasonal`: robust bands by phase of the day, the week, or whatever period the series has.
//!
//! Each column is modelled on its own by a [`Track`](track): a slowly moving robust level, profiles by phase
//! for at most two periods, a scale by phase, and the part of the last residual that lingers. A value is
//! judged twice: against the slow model alone (has it left its band, however gradually?) and against the
//! model with the lingering part (did it jump?). Both departures are turned into p-values by the tail of
//! their own past; the smaller one counts, doubled because there were two chances. Rows of several columns
//! are judged by their most extreme column, again calibrated against the past.

mod history;
mod level;
mod period;
mod profile;
mod scale;
mod track;

use barograph_model::{TimestampMs, parse_duration_ms};

use crate::calibrate::{Alarm, Suspicion, Tail, lesson_weight, score};
use crate::detector::{Context, Detector, Verdict, WIDTH_MAX};
use crate::error::DetectorError;
use crate::params::{Params, invalid};
use crate::state::{self, Reader, Writer};

use track::{Periods, Reading, Track};

/// The keys `seasonal` takes.
pub(crate) const KEYS: &[&str] = &[Alarm::PARAM, "direction", "memory", "period"];

/// Which departures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Both,
    Up,
    Down,
}

/// The seasonal detector; see the module.
#[derive(Debug, Clone)]
pub(crate) struct Seasonal {
    direction: Direction,
    columns: Vec<Column>,
    /// How rare the most extreme column of a row is; used for rows of several columns only.
    joint: Tail,
    alarm: Alarm,
}

#[derive(Debug, Clone)]
struct Column {
    track: Track,
    lasting: Tail,
    sudden: Tail,
    suspicion: Suspicion,
    /// Departures at which either p-value reaches the alarm level.
    lasting_edge: f64,
    sudden_edge: f64,
}

impl Seasonal {
    /// Reads the parameters: `period` is `auto`, `none`, or one or two durations such as `1d,1w`; `memory` is
    /// the time over which the level is learned; `direction` is `both`, `up` or `down`.
    pub(crate) fn new(params: &Params, context: &Context) -> Result<Self, DetectorError> {
        params.check_keys("seasonal", KEYS)?;
        let periods = read_periods(params, context.step_ms)?;
        let memory_ms = params.duration_ms("memory")?;
        let direction = match params.get("direction") {
            None | Some("both") => Direction::Both,
            Some("up") => Direction::Up,
            Some("down") => Direction::Down,
            Some(other) => return Err(invalid("direction", other, "both, up or down")),
        };
        let alarm = Alarm::new(params, context.step_ms)?;
        let suspect_rows = memory_ms.unwrap_or(86_400_000) as f64 / context.step_ms as f64;
        let column = Column {
            track: Track::new(periods, memory_ms, context.step_ms),
            lasting: Tail::new(),
            sudden: Tail::new(),
            suspicion: Suspicion::new(suspect_rows),
            lasting_edge: 0.0,
            sudden_edge: 0.0,
        };
        let mut columns = vec![column; context.width];
        for column in &mut columns {
            column.find_edges(alarm.level());
        }
        Ok(Self {
            direction,
            columns,
            joint: Tail::new(),
            alarm,
        })
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let direction = match reader.usize(2)? {
            0 => Direction::Both,
            1 => Direction::Up,
            _ => Direction::Down,
        };
        let alarm = Alarm::restore(reader)?;
        let joint = Tail::restore(reader)?;
        let width = reader.usize(WIDTH_MAX)?;
        let columns = (0..width)
            .map(|_| Column::restore(reader))
            .collect::<Result<Vec<_>, _>>()?;
        reader.finish()?;
        Ok(Self {
            direction,
            columns,
            joint,
            alarm,
        })
    }

    fn judge_one(&mut self, ts: TimestampMs, value: f64) -> Option<Verdict> {
        let column = &mut self.columns[0];
        let reading = column.track.read(ts, value, column.suspicion.trust())?;
        let p = column.p(&reading, self.direction);
        let (lower, upper) = column.band(&reading, self.direction);
        let is_anomaly = self.alarm.ring(p);
        column.learn(&reading, self.direction, p, self.alarm.level());
        let lower = if column.track.nonnegative() {
            lower.max(0.0)
        } else {
            lower
        };
        Some(Verdict {
            score: score(p),
            expected: Some(reading.expected()),
            lower: lower.is_finite().then_some(lower),
            upper: upper.is_finite().then_some(upper),
            is_anomaly,
        })
    }

    fn judge_row(&mut self, ts: TimestampMs, row: &[f64]) -> Option<Verdict> {
        let (mut smallest, mut opinions) = (1.0f64, 0.0);
        let level = self.alarm.level();
        for (column, value) in self.columns.iter_mut().zip(row) {
            let Some(reading) = column.track.read(ts, *value, column.suspicion.trust()) else {
                continue;
            };
            let p = column.p(&reading, self.direction);
            column.learn(&reading, self.direction, p, level);
            smallest = smallest.min(p);
            opinions += 1.0;
        }
        if opinions == 0.0 {
            return None;
        }
        // Sidak: the smallest of so many p-values, as if they were independent; the tail corrects the rest.
        let departure = -((-smallest).ln_1p() * opinions)
            .exp_m1()
            .abs()
            .max(f64::MIN_POSITIVE)
            .log10();
        let p = self.joint.p(departure.max(0.0));
        self.joint.learn(departure.max(0.0), lesson_weight(p, level));
        Some(Verdict {
            score: score(p),
            expected: None,
            lower: None,
            upper: None,
            is_anomaly: self.alarm.ring(p),
        })
    }
}

impl Detector for Seasonal {
    fn name(&self) -> &'static str {
        "seasonal"
    }

    fn observe(&mut self, ts: TimestampMs, row: &[f64]) -> Option<Verdict> {
        if row.len() != self.columns.len() {
            return None;
        }
        if let [value] = row {
            self.judge_one(ts, *value)
        } else {
            self.judge_row(ts, row)
        }
    }

    fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.usize(self.direction as usize);
        self.alarm.save(&mut writer);
        self.joint.save(&mut writer);
        writer.usize(self.columns.len());
        for column in &self.columns {
            column.save(&mut writer);
        }
        state::seal(self.name(), writer)
    }
}

impl Column {
    fn p(&self, reading: &Reading, direction: Direction) -> f64 {
        let lasting = self.lasting.p(one_sided(reading.lasting(), direction));
        let sudden = self.sudden.p(one_sided(reading.sudden(), direction));
        (2.0 * lasting.min(sudden)).min(1.0)
    }

    /// The values at which neither departure would be an alarm.
    fn band(&self, reading: &Reading, direction: Direction) -> (f64, f64) {
        let (slow, fast) = (
            self.lasting_edge * reading.sigma,
            self.sudden_edge * reading.sigma_sudden,
        );
        let mut lower = (reading.slow - slow).max(reading.expected() - fast);
        let mut upper = (reading.slow + slow).min(reading.expected() + fast);
        if lower > upper {
            (lower, upper) = (reading.slow - slow, reading.slow + slow);
        }
        match direction {
            Direction::Both => (lower, upper),
            Direction::Up => (f64::NEG_INFINITY, upper),
            Direction::Down => (lower, f64::INFINITY),
        }
    }

    fn learn(&mut self, reading: &Reading, direction: Direction, p: f64, level: f64) {
        let weight = lesson_weight(p, level) * self.suspicion.trust().sqrt();
        self.suspicion.learn(p);
        let slow = self
            .lasting
            .learn(one_sided(reading.lasting(), direction), weight);
        let fast = self.sudden.learn(one_sided(reading.sudden(), direction), weight);
        let relearned = self.track.take_relearned();
        if relearned {
            self.lasting.forget();
            self.sudden.forget();
        }
        if slow || fast || relearned {
            self.find_edges(level);
        }
    }

    fn find_edges(&mut self, level: f64) {
        self.lasting_edge = self.lasting.threshold(0.5 * level);
        self.sudden_edge = self.sudden.threshold(0.5 * level);
    }

    fn save(&self, writer: &mut Writer) {
        self.track.save(writer);
        self.lasting.save(writer);
        self.sudden.save(writer);
        self.suspicion.save(writer);
        writer.f64(self.lasting_edge);
        writer.f64(self.sudden_edge);
    }

    fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        Ok(Self {
            track: Track::restore(reader)?,
            lasting: Tail::restore(reader)?,
            sudden: Tail::restore(reader)?,
            suspicion: Suspicion::restore(reader)?,
            lasting_edge: reader.f64()?,
            sudden_edge: reader.f64()?,
        })
    }
}

fn one_sided(departure: f64, direction: Direction) -> f64 {
    match direction {
        Direction::Both => departure.abs(),
        Direction::Up => departure.max(0.0),
        Direction::Down => (-departure).max(0.0),
    }
}

fn read_periods(params: &Params, step_ms: i64) -> Result<Periods, DetectorError> {
    let text = match params.get("period") {
        None | Some("auto") => return Ok(Periods::Learn),
        Some("none") => return Ok(Periods::Given(Vec::new())),
        Some(text) => text,
    };
    let mut periods = Vec::new();
    for part in text.split(',') {
        let ms = parse_duration_ms(part.trim()).map_err(|error| {
            invalid(
                "period",
                text,
                &format!("auto, none, or durations like 1d,1w: {error}"),
            )
        })?;
        if ms / 2 < step_ms {
            return Err(invalid("period", text, "at least two rows long"));
        }
        periods.push(ms);
    }
    periods.sort_unstable();
    periods.dedup();
    if periods.len() > 2 {
        return Err(invalid("period", text, "one or two durations, such as 1d,1w"));
    }
    Ok(Periods::Given(periods))
}

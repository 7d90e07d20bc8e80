//! Scraping: counters carried forward from minute to minute, gauges worked out at the instant.

use barograph_model::{Sample, TimestampMs};

use super::meter::{Gauge, Meter};
use super::moment::Moment;
use super::topology::INSTANCES;
use super::{Fleet, MINUTE_MS};
use crate::noise::mix;

/// Scrapes are late by up to this much, each target by its own amount.
const JITTER_MS: u64 = 7;

/// What one round of scrapes brought: a target's series share an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Scrape {
    /// The instant at which the scrapes were due.
    pub due: TimestampMs,
    /// When each series was scraped: `due` and up to 6 ms more, in the order of [`Fleet::series`].
    pub ts: Vec<TimestampMs>,
    /// What each series showed, in the same order; `None` where its target could not be scraped.
    pub values: Vec<Option<f64>>,
}

impl Scrape {
    /// The series that are there, each as its place in [`Fleet::series`] and its sample.
    pub fn samples(&self) -> impl Iterator<Item = (usize, Sample)> {
        let pairs = self.ts.iter().zip(&self.values).enumerate();
        pairs.filter_map(|(i, (ts, value))| value.map(|value| (i, Sample { ts: *ts, value })))
    }
}

/// Scrapes a fleet again and again. Going forward costs the minutes passed, going back starts over.
#[derive(Debug, Clone)]
pub struct Scraper<'a> {
    fleet: &'a Fleet,
    /// The minute (since the epoch) that counters have reached, once there is one.
    minute: Option<i64>,
    /// Units counted before `minute` since the last restart, by series.
    totals: Vec<i64>,
    /// Units counted in `minute`, by series.
    increments: Vec<i64>,
    started_ms: [i64; INSTANCES],
    next_restart_ms: [i64; INSTANCES],
}

impl<'a> Scraper<'a> {
    pub(super) fn new(fleet: &'a Fleet) -> Self {
        let series = fleet.specs.len();
        Self {
            fleet,
            minute: None,
            totals: vec![0; series],
            increments: vec![0; series],
            started_ms: [0; INSTANCES],
            next_restart_ms: [0; INSTANCES],
        }
    }

    /// What is scraped at an instant.
    pub fn scrape(&mut self, due: TimestampMs) -> Scrape {
        self.advance(due.0.div_euclid(MINUTE_MS));
        let moment = Moment::of(self.fleet, due.0);
        let into_minute_ms = due.0.rem_euclid(MINUTE_MS);
        let late: [i64; INSTANCES] =
            std::array::from_fn(|i| (mix(self.fleet.instance_keys[i], due.0) % JITTER_MS) as i64);
        let mut scrape = Scrape {
            due,
            ts: Vec::with_capacity(self.fleet.specs.len()),
            values: Vec::with_capacity(self.fleet.specs.len()),
        };
        for (i, spec) in self.fleet.specs.iter().enumerate() {
            let there = !moment.disturbance.silent[spec.instance] || spec.meter == Meter::Gauge(Gauge::Up);
            scrape.ts.push(due.saturating_add(late[spec.instance]));
            scrape.values.push(there.then(|| match spec.meter {
                Meter::Gauge(gauge) => gauge.value(spec, &moment, self.started_ms[spec.instance]),
                Meter::Counter(counter) => {
                    // Within a minute a counter rises in a straight line.
                    let units = self.totals[i] + self.increments[i] * into_minute_ms / MINUTE_MS;
                    units as f64 / counter.units_per_one()
                }
            }));
        }
        scrape
    }

    /// Moves the counters to a minute: from where they are, or from the oldest process's start.
    fn advance(&mut self, to: i64) {
        let from = match self.minute {
            Some(minute) if minute <= to => minute,
            _ => self.restart_from(to),
        };
        if self.minute != Some(from) {
            self.enter(from);
        }
        for minute in from + 1..=to {
            self.leave();
            self.enter(minute);
        }
    }

    /// Forgets the counters; gives the minute from which they must be added up to be right at `to`.
    fn restart_from(&mut self, to: i64) -> i64 {
        self.minute = None;
        self.totals.fill(0);
        let started = (0..INSTANCES).map(|i| self.fleet.last_restart(i, to * MINUTE_MS));
        let oldest_ms = started.fold(i64::MAX, i64::min);
        self.started_ms = std::array::from_fn(|i| self.fleet.last_restart(i, oldest_ms));
        self.next_restart_ms = std::array::from_fn(|i| self.fleet.next_restart(i, oldest_ms));
        oldest_ms.div_euclid(MINUTE_MS)
    }

    fn leave(&mut self) {
        for (total, increment) in self.totals.iter_mut().zip(&self.increments) {
            *total += increment;
        }
    }

    fn enter(&mut self, minute: i64) {
        self.minute = Some(minute);
        let at_ms = minute * MINUTE_MS;
        for instance in 0..INSTANCES {
            if at_ms >= self.next_restart_ms[instance] {
                self.started_ms[instance] = at_ms;
                self.next_restart_ms[instance] = self.fleet.next_restart(instance, at_ms);
                for (total, spec) in self.totals.iter_mut().zip(&self.fleet.specs) {
                    if spec.instance == instance {
                        *total = 0;
                    }
                }
            }
        }
        let moment = Moment::of(self.fleet, at_ms + MINUTE_MS / 2);
        for (increment, spec) in self.increments.iter_mut().zip(&self.fleet.specs) {
            if let Meter::Counter(counter) = spec.meter {
                *increment = counter.units_in_minute(spec, &moment);
            }
        }
    }
}

/// Scrapes at equal distances; see [`Fleet::scrapes`].
#[derive(Debug, Clone)]
pub struct Scrapes<'a> {
    scraper: Scraper<'a>,
    next: TimestampMs,
    to: TimestampMs,
    step_ms: i64,
}

impl<'a> Scrapes<'a> {
    pub(super) fn new(scraper: Scraper<'a>, from: TimestampMs, to: TimestampMs, step_ms: i64) -> Self {
        Self {
            scraper,
            next: from,
            to,
            step_ms: step_ms.max(1),
        }
    }
}

impl Iterator for Scrapes<'_> {
    type Item = Scrape;

    fn next(&mut self) -> Option<Scrape> {
        if self.next >= self.to {
            return None;
        }
        let due = self.next;
        self.next = due.saturating_add(self.step_ms);
        Some(self.scraper.scrape(due))
    }
}

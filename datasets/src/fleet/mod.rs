//! Five services that never existed, and everything a Prometheus would have scraped from them.
//!
//! Invariants:
//! - a value is a pure function of (seed, span, series, instant): scraping in any order, in any portions, at any
//!   step gives the same bits, and a live scrape continues a back-fill without a seam;
//! - counters are whole numbers of their smallest unit and fall only at a restart of their process;
//! - no value is NaN, infinite or negative; what is not there is absent;
//! - values are as round as exporters write them (whole requests, milliseconds' tenths, pages of memory).

mod gauge;
mod meter;
mod moment;
mod restart;
mod scraper;
pub(crate) mod season;
pub(crate) mod topology;

#[cfg(test)]
mod tests;

use barograph_model::{Labels, TimestampMs};

pub use scraper::{Scrape, Scraper, Scrapes};
pub use topology::Service;

use crate::incident::plan::{self, LIVE_SLOT_MS};
use crate::incident::{Incident, effect::Disturbance};
use crate::noise::key_of;
use meter::Spec;
use season::{ENTRIES, Entry};
use topology::INSTANCES;

/// The length of a minute: the grain on which counters are drawn, restarts happen and incidents begin and end.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// A seeded fleet. Cheap to keep; holds no history.
#[derive(Debug, Clone)]
pub struct Fleet {
    start: TimestampMs,
    now: TimestampMs,
    faulty: bool,
    history: Vec<Incident>,
    series: Vec<Labels>,
    specs: Vec<Spec>,
    entry_keys: [u64; ENTRIES],
    service_keys: [u64; 5],
    instance_keys: [u64; INSTANCES],
    restart_key: u64,
    planned_restarts: Vec<(usize, i64)>,
}

impl Fleet {
    /// The fleet with its incidents: six before `now`, counted back from it as far as `start` allows, and live
    /// ones from `now` on. Both instants are aligned down to full minutes.
    #[must_use]
    pub fn new(seed: u64, start: TimestampMs, now: TimestampMs) -> Self {
        Self::build(seed, start, now, true)
    }

    /// The same fleet, deploys included, on which nothing ever goes wrong: for counting false alarms, and for
    /// seeing what an incident changes.
    #[must_use]
    pub fn clean(seed: u64, start: TimestampMs, now: TimestampMs) -> Self {
        Self::build(seed, start, now, false)
    }

    fn build(seed: u64, start: TimestampMs, now: TimestampMs, faulty: bool) -> Self {
        let (start, now) = (start.align(MINUTE_MS), now.align(MINUTE_MS));
        let mut history = plan::history(now.0);
        history.retain(|incident| incident.start >= start);
        let key = |kind: &str, name: &str| key_of(key_of(seed, kind), name);
        let (series, specs) = meter::catalogue(seed).into_iter().unzip();
        Self {
            start,
            now,
            faulty,
            planned_restarts: history.iter().flat_map(plan::restarts).collect(),
            history,
            series,
            specs,
            entry_keys: Entry::ALL.map(|entry| key("entry", entry.route())),
            service_keys: Service::ALL.map(|service| key("service", service.name())),
            instance_keys: std::array::from_fn(|i| key("instance", &i.to_string())),
            restart_key: key_of(seed, "restart"),
        }
    }

    /// The labels of every series, `__name__`, `job` and `instance` among them; unique, in a fixed order.
    #[must_use]
    pub fn series(&self) -> &[Labels] {
        &self.series
    }

    /// The first instant of the back-fill.
    #[must_use]
    pub fn start(&self) -> TimestampMs {
        self.start
    }

    /// The end of the back-fill, where the first live incident begins.
    #[must_use]
    pub fn now(&self) -> TimestampMs {
        self.now
    }

    /// The incidents of the back-fill in order of time; empty for a clean fleet.
    #[must_use]
    pub fn incidents(&self) -> &[Incident] {
        if self.faulty { &self.history } else { &[] }
    }

    /// The incidents that have begun by an instant, live ones included, in order of time.
    #[must_use]
    pub fn incidents_until(&self, until: TimestampMs) -> Vec<Incident> {
        if !self.faulty {
            return Vec::new();
        }
        let slots = if until < self.now {
            0
        } else {
            until.since(self.now) / LIVE_SLOT_MS + 1
        };
        let history = self.history.iter().filter(|i| i.start <= until).cloned();
        history
            .chain((0..slots).map(|k| plan::live(self.now.0, k)))
            .collect()
    }

    /// The live incident number `k`, which begins `k * LIVE_SLOT_MS` after [`Fleet::now`].
    #[must_use]
    pub fn live_incident(&self, k: u32) -> Incident {
        plan::live(self.now.0, i64::from(k))
    }

    /// What is scraped at an instant. Has to add counters up from the last restart: O(a week of minutes); use a
    /// [`Scraper`] for many instants.
    #[must_use]
    pub fn scrape(&self, at: TimestampMs) -> Scrape {
        self.scraper().scrape(at)
    }

    /// Scrapes at `from`, `from + step_ms`, ... up to and without `to`.
    pub fn scrapes(&self, from: TimestampMs, to: TimestampMs, step_ms: i64) -> Scrapes<'_> {
        Scrapes::new(self.scraper(), from, to, step_ms)
    }

    /// Something to scrape with repeatedly: O(minutes passed) from one instant to a later one.
    #[must_use]
    pub fn scraper(&self) -> Scraper<'_> {
        Scraper::new(self)
    }

    /// What is out of order at an instant.
    fn disturbance(&self, at_ms: i64) -> Disturbance {
        let mut disturbance = Disturbance::NONE;
        if !self.faulty {
            return disturbance;
        }
        for incident in &self.history {
            for effect in &incident.effects {
                disturbance.add(effect, at_ms);
            }
        }
        if at_ms >= self.now.0 {
            for effect in &plan::live(self.now.0, (at_ms - self.now.0) / LIVE_SLOT_MS).effects {
                disturbance.add(effect, at_ms);
            }
        }
        disturbance
    }
}

//! What an incident changes in the fleet's mechanics, and by how much at an instant.

use crate::fleet::season::{ENTRIES, Entry};
use crate::fleet::topology::{INSTANCES, Service};

/// One thing that an incident changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    /// Latency times this factor: p95 and p99 in full, the median by three fifths of the excess.
    Latency { service: Service, factor: f64 },
    /// This share of the service's requests fails on top of the usual.
    Errors { service: Service, ratio: f64 },
    /// This share of one gateway route's requests is answered with 502.
    GatewayErrors { entry: Entry, ratio: f64 },
    /// The traffic of an entry times this factor.
    Traffic { entry: Entry, factor: f64 },
    /// The season of an entry stands still at its level of the start.
    HoldSeason { entry: Entry },
    /// This much resident memory more, in bytes.
    Memory { instance: usize, bytes: f64 },
    /// The database connections of a service are all taken.
    PoolFull { service: Service },
    /// Scrapes of the instance fail.
    Silent { instance: usize },
}

/// A change over a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effect {
    pub(crate) change: Change,
    /// The first instant, in ms since the epoch.
    pub(crate) from_ms: i64,
    /// The first instant after it.
    pub(crate) to_ms: i64,
    /// How long it takes to full strength.
    pub(crate) ramp_ms: i64,
}

impl Effect {
    /// 0 outside, rising to 1 over the ramp.
    fn strength(&self, at_ms: i64) -> f64 {
        if at_ms < self.from_ms || at_ms >= self.to_ms {
            0.0
        } else if at_ms - self.from_ms >= self.ramp_ms {
            1.0
        } else {
            (at_ms - self.from_ms) as f64 / self.ramp_ms as f64
        }
    }
}

/// Everything that is out of order in the fleet at one instant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Disturbance {
    /// Factor of p95 and p99 by service.
    pub(crate) latency: [f64; 5],
    /// Extra share of failing requests by service.
    pub(crate) errors: [f64; 5],
    /// Extra share of 502 by gateway route.
    pub(crate) gateway_errors: [f64; ENTRIES],
    /// Factor of traffic by entry.
    pub(crate) traffic: [f64; ENTRIES],
    /// The instant at which an entry's season stands still.
    pub(crate) hold_ms: [Option<i64>; ENTRIES],
    /// Extra resident bytes by instance.
    pub(crate) memory: [f64; INSTANCES],
    /// Share of the pool that is taken by force, by service.
    pub(crate) pool: [f64; 5],
    /// Instances that cannot be scraped.
    pub(crate) silent: [bool; INSTANCES],
}

impl Disturbance {
    /// All is well.
    pub(crate) const NONE: Self = Self {
        latency: [1.0; 5],
        errors: [0.0; 5],
        gateway_errors: [0.0; ENTRIES],
        traffic: [1.0; ENTRIES],
        hold_ms: [None; ENTRIES],
        memory: [0.0; INSTANCES],
        pool: [0.0; 5],
        silent: [false; INSTANCES],
    };

    /// Adds what an effect does at an instant; nothing outside its time.
    pub(crate) fn add(&mut self, effect: &Effect, at_ms: i64) {
        if at_ms < effect.from_ms || at_ms >= effect.to_ms {
            return;
        }
        let strength = effect.strength(at_ms);
        match effect.change {
            Change::Latency { service, factor } => {
                self.latency[service as usize] *= 1.0 + (factor - 1.0) * strength;
            }
            Change::Errors { service, ratio } => self.errors[service as usize] += ratio * strength,
            Change::GatewayErrors { entry, ratio } => self.gateway_errors[entry as usize] += ratio * strength,
            Change::Traffic { entry, factor } => {
                self.traffic[entry as usize] *= 1.0 + (factor - 1.0) * strength;
            }
            Change::HoldSeason { entry } => self.hold_ms[entry as usize] = Some(effect.from_ms),
            Change::Memory { instance, bytes } => self.memory[instance] += bytes * strength,
            Change::PoolFull { service } => self.pool[service as usize] += strength,
            Change::Silent { instance } => self.silent[instance] = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_ramp_up_and_end_sharply() {
        let change = Change::Latency {
            service: Service::Search,
            factor: 3.0,
        };
        let effect = Effect {
            change,
            from_ms: 1_000,
            to_ms: 2_000,
            ramp_ms: 100,
        };
        let factor = |at_ms| {
            let mut disturbance = Disturbance::NONE;
            disturbance.add(&effect, at_ms);
            disturbance.latency[Service::Search as usize]
        };
        assert_eq!(
            [999, 1_000, 1_050, 1_100, 1_999, 2_000].map(factor),
            [1.0, 1.0, 2.0, 3.0, 3.0, 1.0]
        );
    }
}

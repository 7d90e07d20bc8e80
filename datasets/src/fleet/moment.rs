//! How busy the fleet is at an instant, and what is wrong with it: what every value is worked out from.

use super::Fleet;
use super::season::{ENTRIES, Entry};
use super::topology::{INSTANCES, Service, service_of};
use crate::incident::effect::Disturbance;
use crate::noise::wander;

/// The state of the fleet at an instant.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) at_ms: i64,
    pub(super) disturbance: Disturbance,
    /// Requests a second of each entry.
    pub(super) entries: [f64; ENTRIES],
    /// Load by service as a share of its peak.
    pub(super) utilisation: [f64; 5],
    /// The share of its service's requests that each instance gets.
    pub(super) share: [f64; INSTANCES],
    /// What all latencies of a service have in common, in [-1, 1].
    pub(super) mood: [f64; 5],
}

impl Moment {
    pub(super) fn of(fleet: &Fleet, at_ms: i64) -> Self {
        let disturbance = fleet.disturbance(at_ms);
        let entries = Entry::ALL.map(|entry| {
            let i = entry as usize;
            let season_at_ms = disturbance.hold_ms[i].unwrap_or(at_ms);
            entry.rps(fleet.entry_keys[i], season_at_ms, at_ms) * disturbance.traffic[i]
        });
        Self {
            at_ms,
            entries,
            utilisation: Service::ALL.map(|service| service.rps(&entries) / service.peak_rps()),
            share: std::array::from_fn(|i| {
                (1.0 + 0.06 * wander(fleet.instance_keys[i], at_ms)) / service_of(i).instance_count() as f64
            }),
            mood: Service::ALL.map(|service| wander(fleet.service_keys[service as usize], at_ms)),
            disturbance,
        }
    }

    /// Requests a second that an instance answers.
    pub(super) fn instance_rps(&self, instance: usize) -> f64 {
        service_of(instance).rps(&self.entries) * self.share[instance]
    }
}

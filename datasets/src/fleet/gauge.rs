//! What each gauge shows at an instant, rounded as an exporter would write it.

use super::meter::{Gauge, Spec};
use super::moment::Moment;
use super::topology::Service;
use crate::noise::{Draw, count, gauss, mix, sub_key, unit, wander};

const MIB: f64 = 1_048_576.0;
const PAGE: f64 = 4_096.0;
const DAY_MS: i64 = 86_400_000;
/// Connections in a database pool.
const POOL: f64 = 40.0;

impl Gauge {
    /// The value at a moment of a process that was started at `started_ms`; finite and not negative.
    pub(super) fn value(self, spec: &Spec, moment: &Moment, started_ms: i64) -> f64 {
        let (service, at_ms) = (spec.service, moment.at_ms);
        let load = moment.utilisation[service as usize];
        let slow = || wander(spec.key, at_ms);
        let white = || gauss(mix(sub_key(spec.key, Draw::White, 0), at_ms));
        match self {
            Self::Up => f64::from(u8::from(!moment.disturbance.silent[spec.instance])),
            Self::StartTime => {
                let hundredths = mix(spec.key, started_ms) % 100;
                (started_ms / 10 + hundredths as i64) as f64 / 100.0
            }
            Self::LatencyP50 => latency_s(spec, moment, 1.0, 0.35, 0.6, 0.06 * slow() + 0.02 * white()),
            Self::LatencyP95 => latency_s(spec, moment, 2.9, 0.5, 1.0, 0.08 * slow() + 0.03 * white()),
            Self::LatencyP99 => latency_s(spec, moment, 5.4, 0.7, 1.0, 0.12 * slow() + 0.05 * white()),
            Self::InFlight => {
                let mean_s = latency_s(spec, moment, 1.4, 0.4, 0.8, 0.0);
                count(spec.key, at_ms, moment.instance_rps(spec.instance) * mean_s) as f64
            }
            Self::Memory => {
                let base = service.base_memory_mib() * MIB;
                let age_min = (at_ms - started_ms) as f64 / 60_000.0;
                // Caches fill in the hours after a start; the collector lets garbage pile up and sweeps it away.
                let warm = 0.12 * age_min / (age_min + 90.0);
                let garbage = 0.03 * ((age_min / 37.0) - (age_min / 37.0).floor());
                let bytes = base * (1.0 + 0.10 * load + warm + garbage + 0.02 * slow());
                ((bytes + moment.disturbance.memory[spec.instance]) / PAGE).floor() * PAGE
            }
            Self::Threads => {
                let busy = service.base_threads() * (1.0 + 0.5 * load + 0.06 * slow());
                (busy + 20.0 * moment.disturbance.pool[service as usize]).round()
            }
            Self::DiskFree => {
                // Logs grow through the day and are rotated away at three in the morning.
                let day = (at_ms - 3 * 3_600_000).rem_euclid(DAY_MS) as f64 / DAY_MS as f64;
                let constant = unit(mix(sub_key(spec.key, Draw::Constant, 0), 0));
                let free = 38e9 + 12e9 * constant - 1.6e9 * day + 0.08e9 * slow();
                (free / PAGE).floor() * PAGE
            }
            Self::CacheHitRatio => {
                let usual = if service == Service::Search { 0.84 } else { 0.93 };
                round_to(usual + 0.03 * load + 0.02 * slow() + 0.004 * white(), 10_000.0).min(1.0)
            }
            Self::DbConnections => {
                let used = (2.0 + 15.0 * load * (1.0 + 0.1 * slow()) + 0.7 * white()).max(0.0);
                (used + (POOL - used) * moment.disturbance.pool[service as usize]).round()
            }
            Self::Sessions => {
                let [login, ..] = moment.entries;
                (login * moment.share[spec.instance] * 210.0 * (1.0 + 0.03 * slow() + 0.005 * white()))
                    .round()
            }
        }
    }
}

/// A latency in seconds, in whole tenths of a millisecond: the service's median times `spread`, rising with the
/// square of the load by `bend`, feeling `excess` of what an incident adds.
fn latency_s(spec: &Spec, moment: &Moment, spread: f64, bend: f64, excess: f64, noise: f64) -> f64 {
    let i = spec.service as usize;
    let load = moment.utilisation[i];
    let incident = 1.0 + (moment.disturbance.latency[i] - 1.0) * excess;
    let usual = spec.service.base_latency_s() * spread * (1.0 + bend * load * load);
    round_to(usual * (1.0 + 0.05 * moment.mood[i] + noise) * incident, 10_000.0)
}

fn round_to(value: f64, per_one: f64) -> f64 {
    (value * per_one).round() / per_one
}

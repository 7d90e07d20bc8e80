//! The catalogue of series, and what each counter counts in a minute.

use barograph_model::{Labels, LabelsBuilder, METRIC_NAME};

use super::moment::Moment;
use super::season::{ENTRIES, Entry};
use super::topology::Service;
use crate::noise::{count, key_of};

/// How a series comes by its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meter {
    /// Adds up since the last restart; the value is the number of units divided by `units_per_one`.
    Counter(Counter),
    /// Worked out afresh at every scrape.
    Gauge(Gauge),
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Counter {
    /// Requests of one route and code: the share of each entry that reaches the route, the code's usual share,
    /// and whether the code is the route's success (+1 unit of loss), its failure, or neither.
    Requests {
        entries: [f64; ENTRIES],
        usual: f64,
        outcome: Outcome,
    },
    /// Failures of one type.
    Errors { share: f64 },
    /// CPU time, in hundredths of a second.
    Cpu,
    /// Orders placed.
    Orders,
    /// Revenue, in cents.
    Revenue,
    /// Logins that succeeded (`true`) or did not.
    Logins { ok: bool },
    /// Articles that went live.
    Articles,
}

/// What an incident's failures do to a code's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure,
    Refused,
}

/// What a gauge shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gauge {
    Up,
    StartTime,
    LatencyP50,
    LatencyP95,
    LatencyP99,
    InFlight,
    Memory,
    Threads,
    DiskFree,
    CacheHitRatio,
    DbConnections,
    Sessions,
}

/// A series: whose it is, what it shows, and the key of its own noise.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) service: Service,
    pub(super) instance: usize,
    pub(super) meter: Meter,
    pub(super) key: u64,
}

/// Every series of the fleet.
pub(super) fn catalogue(seed: u64) -> Vec<(Labels, Spec)> {
    let mut all = Vec::new();
    for service in Service::ALL {
        for (i, name) in service.instances().into_iter().enumerate() {
            let add = |metric: &str, extra: &[(&str, &str)], meter: Meter| {
                let mut builder = LabelsBuilder::default();
                builder
                    .push(METRIC_NAME, metric)
                    .push("job", service.name())
                    .push("service", service.name());
                builder.push("instance", &name);
                for (label, value) in extra {
                    builder.push(label, value);
                }
                // The names above are distinct and not empty, so the set is always valid.
                let labels = builder.build().unwrap_or_default();
                let key = key_of(seed, &labels.to_string());
                all.push((
                    labels,
                    Spec {
                        service,
                        instance: service.first_instance() + i,
                        meter,
                        key,
                    },
                ));
            };
            add_instance(service, add);
        }
    }
    all
}

fn add_instance(service: Service, mut add: impl FnMut(&str, &[(&str, &str)], Meter)) {
    for (metric, gauge) in [
        ("up", Gauge::Up),
        ("process_start_time_seconds", Gauge::StartTime),
        ("http_request_duration_seconds_p50", Gauge::LatencyP50),
        ("http_request_duration_seconds_p95", Gauge::LatencyP95),
        ("http_request_duration_seconds_p99", Gauge::LatencyP99),
        ("http_requests_in_flight", Gauge::InFlight),
        ("process_resident_memory_bytes", Gauge::Memory),
        ("process_threads", Gauge::Threads),
        ("disk_free_bytes", Gauge::DiskFree),
    ] {
        add(metric, &[], Meter::Gauge(gauge));
    }
    add("process_cpu_seconds_total", &[], Meter::Counter(Counter::Cpu));
    for route in service.routes() {
        let others: f64 = route.other_codes.iter().map(|(_, share)| share).sum();
        for (code, usual) in [("200", 1.0 - others)].iter().chain(route.other_codes) {
            let outcome = match code.as_bytes()[0] {
                b'2' => Outcome::Success,
                b'5' => Outcome::Failure,
                _ => Outcome::Refused,
            };
            let counter = Counter::Requests {
                entries: route.share_of_entry,
                usual: *usual,
                outcome,
            };
            add(
                "http_requests_total",
                &[("route", route.path), ("code", code)],
                Meter::Counter(counter),
            );
        }
    }
    for (kind, share) in service.error_types() {
        add(
            "errors_total",
            &[("type", kind)],
            Meter::Counter(Counter::Errors { share: *share }),
        );
    }
    if matches!(service, Service::Search | Service::Publishing) {
        add("cache_hit_ratio", &[], Meter::Gauge(Gauge::CacheHitRatio));
    }
    if matches!(service, Service::Login | Service::Orders) {
        add("db_connections_in_use", &[], Meter::Gauge(Gauge::DbConnections));
    }
    match service {
        Service::Login => {
            add(
                "logins_total",
                &[("result", "ok")],
                Meter::Counter(Counter::Logins { ok: true }),
            );
            add(
                "logins_total",
                &[("result", "failed")],
                Meter::Counter(Counter::Logins { ok: false }),
            );
            add("login_sessions_active", &[], Meter::Gauge(Gauge::Sessions));
        }
        Service::Orders => {
            add("orders_placed_total", &[], Meter::Counter(Counter::Orders));
            add("revenue_euros_total", &[], Meter::Counter(Counter::Revenue));
        }
        Service::Publishing => add("articles_published_total", &[], Meter::Counter(Counter::Articles)),
        Service::Gateway | Service::Search => {}
    }
}

impl Counter {
    /// How many units make one of the metric's unit.
    pub(super) fn units_per_one(self) -> f64 {
        match self {
            Self::Cpu | Self::Revenue => 100.0,
            _ => 1.0,
        }
    }

    /// What is added in the minute around a moment.
    pub(super) fn units_in_minute(self, spec: &Spec, moment: &Moment) -> i64 {
        let minute = moment.at_ms.div_euclid(super::MINUTE_MS);
        count(spec.key, minute, self.expected_in_minute(spec, moment))
    }

    fn expected_in_minute(self, spec: &Spec, moment: &Moment) -> f64 {
        let seconds = 60.0 * moment.share[spec.instance];
        let lost = moment.disturbance.errors[spec.service as usize];
        let [login, orders, _, articles] = moment.entries;
        match self {
            Self::Requests {
                entries,
                usual,
                outcome,
            } => {
                let lost = if spec.service == Service::Gateway {
                    gateway_loss(moment, &entries)
                } else {
                    lost
                };
                let ratio = match outcome {
                    Outcome::Success => (usual - lost).max(0.0),
                    Outcome::Failure => usual + lost,
                    Outcome::Refused => usual,
                };
                let rps: f64 = entries
                    .iter()
                    .zip(moment.entries)
                    .map(|(share, rps)| share * rps)
                    .sum();
                rps * ratio * seconds
            }
            Self::Errors { share } => {
                let rps = spec.service.rps(&moment.entries);
                let failing = if spec.service == Service::Gateway {
                    let each = Entry::ALL
                        .map(|e| moment.disturbance.gateway_errors[e as usize] * moment.entries[e as usize]);
                    each.iter().sum::<f64>() + rps * spec.service.base_error_ratio()
                } else {
                    rps * (lost + spec.service.base_error_ratio())
                };
                failing * share * seconds
            }
            Self::Cpu => {
                let busy = moment.instance_rps(spec.instance) * spec.service.cpu_s_per_request();
                (busy * (1.0 + 0.05 * moment.mood[spec.service as usize]) + 0.004) * 60.0 * 100.0
            }
            Self::Orders => 0.24 * orders * (1.0 - lost) * seconds,
            Self::Revenue => 0.24 * orders * (1.0 - lost) * seconds * 4_370.0,
            Self::Logins { ok: true } => 0.94 * login * (1.0 - lost) * seconds,
            Self::Logins { ok: false } => (0.06 + 0.94 * lost) * login * seconds,
            Self::Articles => 0.0009 * articles * seconds,
        }
    }
}

/// The extra share of failures of the gateway's route that leads to an entry.
fn gateway_loss(moment: &Moment, entries: &[f64; ENTRIES]) -> f64 {
    entries
        .iter()
        .zip(moment.disturbance.gateway_errors)
        .map(|(share, loss)| share * loss)
        .sum()
}

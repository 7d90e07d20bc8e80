//! When which incident happens.
//!
//! Six lie in the back-fill, counted back from its end, so that each has at least ten days of a fortnight before it
//! to learn from. Live ones follow from the end on, one every [`LIVE_SLOT_MS`], the kinds in turn, the first at
//! once.

use barograph_model::TimestampMs;

use super::effect::{Change, Effect};
use super::{Expected, Incident, IncidentKind, Selector};
use crate::fleet::season::Entry;
use crate::fleet::topology::Service;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const MIB: f64 = 1_048_576.0;

/// Live incidents begin this far apart: number k starts k slots after the end of the back-fill.
pub const LIVE_SLOT_MS: i64 = 20 * MINUTE_MS;

/// How long the live form of each kind lasts, and the order in which they take turns.
const LIVE_TURNS: [(IncidentKind, i64); 6] = [
    (IncidentKind::ErrorBurst, 8 * MINUTE_MS),
    (IncidentKind::Cascade, 8 * MINUTE_MS),
    (IncidentKind::MissingData, 6 * MINUTE_MS),
    (IncidentKind::LevelShift, 10 * MINUTE_MS),
    (IncidentKind::SeasonalBreak, 10 * MINUTE_MS),
    (IncidentKind::SlowLeak, 14 * MINUTE_MS),
];

/// How many slots it takes until every kind has had its turn.
pub(crate) const LIVE_ROUND: i64 = LIVE_TURNS.len() as i64;

/// The six of a back-fill that ends at `now_ms`, in order of time. The windows do not overlap.
pub(crate) fn history(now_ms: i64) -> Vec<Incident> {
    let before = |kind, hours: i64, minutes: i64| {
        let start_ms = now_ms - hours * HOUR_MS;
        build(kind, start_ms, start_ms + minutes * MINUTE_MS, false)
    };
    // The morning must lie on the clock, not at a distance from now: the latest from 5:00 to 12:00 that ended at
    // least 17 hours ago, which is never more than 41.
    let morning_end_ms = (now_ms - 17 * HOUR_MS - 12 * HOUR_MS).div_euclid(DAY_MS) * DAY_MS + 12 * HOUR_MS;
    vec![
        before(IncidentKind::LevelShift, 84, 6 * 60),
        before(IncidentKind::SlowLeak, 76, 24 * 60),
        build(
            IncidentKind::SeasonalBreak,
            morning_end_ms - 7 * HOUR_MS,
            morning_end_ms,
            false,
        ),
        before(IncidentKind::ErrorBurst, 15, 12),
        before(IncidentKind::Cascade, 9, 45),
        before(IncidentKind::MissingData, 4, 20),
    ]
}

/// The live incident number `k` after a back-fill that ended at `now_ms`.
pub(crate) fn live(now_ms: i64, k: i64) -> Incident {
    let (kind, length_ms) = LIVE_TURNS[k.rem_euclid(LIVE_ROUND) as usize];
    let start_ms = now_ms + k * LIVE_SLOT_MS;
    build(kind, start_ms, start_ms + length_ms, true)
}

fn build(kind: IncidentKind, start_ms: i64, end_ms: i64, live: bool) -> Incident {
    let effect = |change, lag_ms: i64, ramp_ms: i64| Effect {
        change,
        from_ms: start_ms + lag_ms,
        to_ms: end_ms,
        ramp_ms,
    };
    let latency =
        |service, factor, lag_ms, ramp_ms| effect(Change::Latency { service, factor }, lag_ms, ramp_ms);
    let p95 = |service: Service| {
        Selector::new(
            "http_request_duration_seconds_p95",
            &[("service", service.name())],
        )
    };
    let p99 = |service: Service| {
        Selector::new(
            "http_request_duration_seconds_p99",
            &[("service", service.name())],
        )
    };
    let in_service = |metric, service: Service| Selector::new(metric, &[("service", service.name())]);
    let seasonal = Expected::Detector("seasonal");
    let pca = Expected::Detector("pca");
    let (title, services, selectors, effects, expected, what, story) = match kind {
        IncidentKind::LevelShift => (
            "search is slower since its deploy",
            vec![Service::Search],
            vec![p95(Service::Search), p99(Service::Search)],
            vec![latency(Service::Search, if live { 2.6 } else { 1.9 }, 0, 0)],
            vec![seasonal, pca],
            "latency of every search instance steps up with a deploy and back down with the roll-back",
            "A release switched on a ranking model that reads twice as many postings for each query.",
        ),
        IncidentKind::SlowLeak => {
            let instance = Service::Orders.first_instance() + 1;
            let bytes = if live { 700.0 * MIB } else { 1_400.0 * MIB };
            (
                "orders-2 leaks memory",
                vec![Service::Orders],
                vec![Selector::new(
                    "process_resident_memory_bytes",
                    &[
                        ("service", "orders"),
                        ("instance", &Service::Orders.instances()[1]),
                    ],
                )],
                vec![effect(Change::Memory { instance, bytes }, 0, end_ms - start_ms)],
                vec![seasonal],
                "resident memory of one orders instance climbs in a straight line until the process is restarted",
                "A cache of price lists keyed by session was never emptied on the one instance with the new flag.",
            )
        }
        IncidentKind::SeasonalBreak => (
            if live {
                "logins drop to a quarter"
            } else {
                "the morning rush of logins does not come"
            },
            vec![Service::Login, Service::Gateway],
            vec![
                in_service("login_sessions_active", Service::Login),
                in_service("logins_total", Service::Login),
                Selector::new("http_requests_total", &[("service", "login"), ("code", "200")]),
                Selector::new(
                    "http_requests_total",
                    &[("service", "gateway"), ("route", "/api/login"), ("code", "200")],
                ),
            ],
            vec![if live {
                effect(
                    Change::Traffic {
                        entry: Entry::Login,
                        factor: 0.25,
                    },
                    0,
                    MINUTE_MS,
                )
            } else {
                effect(Change::HoldSeason { entry: Entry::Login }, 0, 0)
            }],
            vec![seasonal],
            if live {
                "login traffic falls to a quarter of what the hour usually brings"
            } else {
                "login traffic stays at its night level all morning; no value is unusual, only its hour"
            },
            "The identity provider's DNS record had expired: users never got as far as the login page.",
        ),
        IncidentKind::ErrorBurst => (
            "orders answers 500",
            vec![Service::Orders, Service::Gateway],
            vec![
                Selector::new("http_requests_total", &[("service", "orders"), ("code", "500")]),
                Selector::new(
                    "http_requests_total",
                    &[("service", "gateway"), ("route", "/api/orders"), ("code", "502")],
                ),
                in_service("errors_total", Service::Orders),
                in_service("db_connections_in_use", Service::Orders),
                p95(Service::Orders),
                p99(Service::Orders),
            ],
            vec![
                effect(
                    Change::Errors {
                        service: Service::Orders,
                        ratio: 0.3,
                    },
                    0,
                    0,
                ),
                effect(
                    Change::GatewayErrors {
                        entry: Entry::Orders,
                        ratio: 0.29,
                    },
                    0,
                    0,
                ),
                effect(
                    Change::PoolFull {
                        service: Service::Orders,
                    },
                    0,
                    0,
                ),
                latency(Service::Orders, 4.0, 0, 0),
            ],
            vec![Expected::SqlRule, seasonal, pca],
            "three orders requests in ten fail, the database pool is full and latency quadruples",
            "A migration took a lock on the orders table; the connection pool filled up behind it.",
        ),
        IncidentKind::Cascade => (
            "slow search drags orders and the gateway",
            vec![Service::Search, Service::Orders, Service::Gateway],
            vec![
                p95(Service::Search),
                p95(Service::Orders),
                p95(Service::Gateway),
                p99(Service::Gateway),
            ],
            vec![
                latency(Service::Search, 6.0, 0, 2 * MINUTE_MS),
                effect(
                    Change::Errors {
                        service: Service::Search,
                        ratio: 0.02,
                    },
                    MINUTE_MS,
                    MINUTE_MS,
                ),
                latency(Service::Orders, 2.4, MINUTE_MS, 2 * MINUTE_MS),
                latency(Service::Gateway, 3.0, 2 * MINUTE_MS, 2 * MINUTE_MS),
                effect(
                    Change::GatewayErrors {
                        entry: Entry::Search,
                        ratio: 0.05,
                    },
                    2 * MINUTE_MS,
                    MINUTE_MS,
                ),
            ],
            vec![pca, seasonal, Expected::SqlRule],
            "search latency rises sixfold, orders follows a minute later, the gateway after two",
            "Search lost a shard's replica and ran every query on the disk of the survivor.",
        ),
        IncidentKind::MissingData => {
            let instance = Service::Publishing.first_instance() + 1;
            let name = &Service::Publishing.instances()[1];
            (
                "publishing-2 cannot be scraped",
                vec![Service::Publishing],
                vec![Selector::new(
                    "up",
                    &[("service", "publishing"), ("instance", name)],
                )],
                vec![effect(Change::Silent { instance }, 0, 0)],
                vec![Expected::SqlRule],
                "up is 0 and every other series of the instance ends, to continue when scrapes work again",
                "A firewall rule for the new network dropped the monitoring host's packets.",
            )
        }
    };
    Incident {
        kind,
        title,
        service: services[0],
        services,
        selectors,
        start: TimestampMs(start_ms),
        end: TimestampMs(end_ms),
        what,
        expected,
        story,
        live,
        effects,
    }
}

/// The restarts that incidents bring with them: (instance, instant in ms). They happen in a clean fleet too, so
/// that clean and faulty counters differ by the fault alone.
pub(crate) fn restarts(incident: &Incident) -> Vec<(usize, i64)> {
    match incident.kind {
        IncidentKind::LevelShift => {
            let first = Service::Search.first_instance();
            (first..first + Service::Search.instance_count())
                .flat_map(|instance| [(instance, incident.start.0), (instance, incident.end.0)])
                .collect()
        }
        IncidentKind::SlowLeak => vec![(Service::Orders.first_instance() + 1, incident.end.0)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_distinct_and_late_enough_whatever_the_hour() {
        for quarter in 0..4 * 24 * 7 {
            let now_ms = 1_767_571_200_000 + quarter * 15 * MINUTE_MS;
            let plan = history(now_ms);
            assert_eq!(plan.len(), IncidentKind::ALL.len());
            for pair in plan.windows(2) {
                assert!(
                    pair[0].end <= pair[1].start,
                    "{} before {} at {now_ms}",
                    pair[0].title,
                    pair[1].title
                );
            }
            assert!(plan[0].start.0 >= now_ms - 84 * HOUR_MS);
            assert!(plan[5].end.0 < now_ms);
            for incident in &plan {
                assert!(
                    incident
                        .effects
                        .iter()
                        .all(|e| e.from_ms >= incident.start.0 && e.to_ms <= incident.end.0)
                );
            }
        }
    }

    #[test]
    fn live_incidents_start_at_once_and_take_turns() {
        let now_ms = 1_767_571_200_000;
        assert_eq!(live(now_ms, 0).start.0, now_ms);
        let kinds: std::collections::BTreeSet<_> = (0..6).map(|k| live(now_ms, k).kind).collect();
        assert_eq!(kinds.len(), 6);
        assert!((0..12).all(|k| live(now_ms, k).end < live(now_ms, k + 1).start));
    }

    #[test]
    fn incidents_serialise_as_labels() {
        let json = serde_json::to_value(live(0, 2)).unwrap();
        assert_eq!(json["kind"], "missing_data");
        assert_eq!(
            json["selectors"][0],
            "up{service=\"publishing\",instance=\"publishing-2:8080\"}"
        );
        assert_eq!(json["expected"][0], "sql_rule");
        assert!(json.get("effects").is_none());
    }
}

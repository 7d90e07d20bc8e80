use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::incident::IncidentKind;

/// Wednesday 14 January 2026, 13:37 UTC.
const NOW: TimestampMs = TimestampMs(1_768_397_820_000);
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn fleets(seed: u64) -> (Fleet, Fleet) {
    let start = NOW.saturating_add(-14 * DAY_MS);
    (Fleet::new(seed, start, NOW), Fleet::clean(seed, start, NOW))
}

fn find(fleet: &Fleet, metric: &str, instance: &str) -> usize {
    let of = |l: &Labels| l.metric() == metric && l.get("instance") == instance;
    fleet
        .series()
        .iter()
        .position(of)
        .unwrap_or_else(|| panic!("no {metric} of {instance}"))
}

fn is_counter(labels: &Labels) -> bool {
    labels.metric().ends_with("_total")
}

#[test]
fn labels_are_unique_and_as_prometheus_attaches_them() {
    let (fleet, _) = fleets(1);
    let unique: BTreeSet<_> = fleet.series().iter().map(ToString::to_string).collect();
    assert_eq!(unique.len(), fleet.series().len());
    assert!((150..=250).contains(&unique.len()), "{} series", unique.len());
    let is_name = |name: &str| {
        name.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    for labels in fleet.series() {
        assert!(
            !labels.get("job").is_empty() && labels.get("instance").ends_with(":8080"),
            "{labels}"
        );
        assert_eq!(labels.get("job"), labels.get("service"));
        assert!(
            is_name(labels.metric()) && labels.iter().all(|(name, _)| is_name(name)),
            "{labels}"
        );
    }
}

#[test]
fn any_order_and_any_portions_give_the_same_bits() {
    let (fleet, _) = fleets(2);
    // Across the search deploys, the orders restart, the end of the back-fill, and off the minute.
    let instants: Vec<_> = [
        -84 * HOUR_MS - 7_000,
        -84 * HOUR_MS + 5_000,
        -52 * HOUR_MS + 61_000,
        -1,
        0,
        5_000,
        65_000,
    ]
    .map(|ms| NOW.saturating_add(ms))
    .into();
    let mut scraper = fleet.scraper();
    let forward: Vec<_> = instants.iter().map(|at| scraper.scrape(*at)).collect();
    let again: Vec<_> = fleet
        .clone()
        .scrapes(instants[0], NOW.saturating_add(1), 1_000_000_000)
        .collect();
    assert_eq!(again[0], forward[0]);
    for (at, scrape) in instants.iter().zip(&forward).rev() {
        assert_eq!(&scraper.scrape(*at), scrape, "backwards at {at}");
        assert_eq!(&fleet.scrape(*at), scrape, "alone at {at}");
    }
}

#[test]
fn live_scrapes_continue_the_back_fill() {
    let (fleet, _) = fleets(3);
    let from = NOW.saturating_add(-10 * MINUTE_MS);
    let coarse: Vec<_> = fleet
        .scrapes(from, NOW.saturating_add(20 * MINUTE_MS), MINUTE_MS)
        .collect();
    let fine: Vec<_> = fleet
        .scrapes(from, NOW.saturating_add(20 * MINUTE_MS), 5_000)
        .collect();
    let every_minute: Vec<_> = fine.iter().step_by(12).cloned().collect();
    assert_eq!(coarse, every_minute);
    let sum = fine
        .windows(2)
        .all(|w| w[0].due < w[1].due && w[0].ts.iter().max() < w[1].ts.iter().min());
    assert!(sum, "scrapes stay in order in spite of their jitter");
}

#[test]
fn counters_fall_only_when_their_process_restarts() {
    let (fleet, _) = fleets(4);
    let from = NOW.saturating_add(-5 * DAY_MS);
    let scrapes: Vec<_> = fleet
        .scrapes(from, NOW.saturating_add(3 * HOUR_MS), 5 * MINUTE_MS)
        .collect();
    let mut resets = 0;
    for (i, labels) in fleet.series().iter().enumerate().filter(|(_, l)| is_counter(l)) {
        let started = find(&fleet, "process_start_time_seconds", labels.get("instance"));
        for pair in scrapes.windows(2) {
            let [Some(before), Some(after)] = [pair[0].values[i], pair[1].values[i]] else {
                continue;
            };
            let restarted = pair[0].values[started] != pair[1].values[started];
            assert!(
                after >= before || restarted,
                "{labels} fell from {before} to {after} at {}",
                pair[1].due
            );
            resets += usize::from(after < before);
        }
    }
    assert!(resets > 50, "{resets}");
}

#[test]
fn days_resemble_each_other_and_weekends_differ() {
    let (_, clean) = fleets(5);
    let requests = |labels: &Labels| labels.metric() == "http_requests_total" && labels.get("code") == "200";
    let picked: Vec<_> = (0..clean.series().len())
        .filter(|i| requests(&clean.series()[*i]))
        .collect();
    let step_ms = 10 * MINUTE_MS;
    let scrapes: Vec<_> = clean.scrapes(clean.start(), NOW, step_ms).collect();
    let rates: Vec<f64> = scrapes
        .windows(2)
        .map(|w| {
            picked
                .iter()
                .map(|i| (w[1].values[*i].unwrap() - w[0].values[*i].unwrap()).max(0.0))
                .sum()
        })
        .collect();
    let lag = (DAY_MS / step_ms) as usize;
    assert!(correlation(&rates, lag) > 0.7, "{}", correlation(&rates, lag));
    assert!(correlation(&rates, 7 * lag) > correlation(&rates, lag) + 0.01);
    assert!(correlation(&rates, lag / 2) < 0.2, "noon is not midnight");

    // 10 January 2026 was a Saturday; half past eight in the morning.
    let logins = find(&clean, "login_sessions_active", "login-1:8080");
    let morning = |day: i64| clean.scrape(NOW.align(DAY_MS).saturating_add(day * DAY_MS + 17 * HOUR_MS / 2));
    assert!(morning(-1).values[logins] > morning(-4).values[logins].map(|weekend| weekend * 1.8));
}

fn correlation(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance: f64 = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let pairs = values.iter().zip(&values[lag..]);
    pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / ((values.len() - lag) as f64 * variance)
}

/// What changed between two scrapes at each instant: gauges as they are, counters as their increase.
fn shown(scraper: &mut Scraper<'_>, fleet: &Fleet, at: TimestampMs) -> Vec<Option<f64>> {
    let (before, after) = (scraper.scrape(at.saturating_add(-MINUTE_MS)), scraper.scrape(at));
    let increase =
        |i: usize| Some(after.values[i]? - before.values[i].unwrap_or(0.0)).filter(|more| *more >= 0.0);
    (0..fleet.series().len())
        .map(|i| {
            if is_counter(&fleet.series()[i]) {
                increase(i).map(round_cents)
            } else {
                after.values[i]
            }
        })
        .collect()
}

fn round_cents(x: f64) -> f64 {
    (x * 100.0).round()
}

#[test]
fn each_incident_changes_its_series_inside_its_window_and_nothing_outside() {
    let (faulty, clean) = fleets(6);
    let mut incidents = faulty.incidents().to_vec();
    incidents.extend((0..6).map(|k| faulty.live_incident(k)));
    assert_eq!(incidents.len(), 12);
    let (mut scrape_faulty, mut scrape_clean) = (faulty.scraper(), clean.scraper());
    let mut both = |at_ms: i64| {
        let at = TimestampMs(at_ms);
        (
            shown(&mut scrape_faulty, &faulty, at),
            shown(&mut scrape_clean, &clean, at),
        )
    };
    for incident in &incidents {
        let name = format!("{} (live: {})", incident.kind, incident.live);
        // In order of time, which lets the scrapers go forward.
        let (before, inside) = (both(incident.start.0 - 1), both(incident.end.0 - MINUTE_MS));
        let after = both(incident.end.0 + 2 * MINUTE_MS);
        let changed: Vec<_> = (0..inside.0.len())
            .filter(|i| inside.0[*i] != inside.1[*i])
            .map(|i| &faulty.series()[i])
            .collect();
        for selector in &incident.selectors {
            assert!(
                changed.iter().any(|labels| selector.matches(labels)),
                "{name}: {selector} is unchanged"
            );
        }
        for labels in &changed {
            assert!(incident.touches(labels), "{name}: {labels} changed too");
        }
        for (with, without) in [before, after] {
            for (i, labels) in faulty.series().iter().enumerate() {
                assert_eq!(with[i], without[i], "{name}: {labels} outside the window");
            }
        }
    }
    assert!(clean.incidents().is_empty() && clean.incidents_until(TimestampMs::MAX).is_empty());
}

#[test]
fn incidents_are_as_large_as_their_stories() {
    let (faulty, clean) = fleets(7);
    for incident in faulty.incidents() {
        let middle = TimestampMs(i64::midpoint(incident.start.0, incident.end.0));
        let ratio = |metric: &str, instance: &str| {
            let i = find(&faulty, metric, instance);
            faulty.scrape(middle).values[i].unwrap() / clean.scrape(middle).values[i].unwrap()
        };
        match incident.kind {
            IncidentKind::LevelShift => {
                assert!(ratio("http_request_duration_seconds_p95", "search-1:8080") > 1.7)
            }
            IncidentKind::SlowLeak => assert!(ratio("process_resident_memory_bytes", "orders-2:8080") > 1.8),
            IncidentKind::SeasonalBreak => assert!(ratio("login_sessions_active", "login-1:8080") < 0.5),
            IncidentKind::ErrorBurst => {
                assert!(ratio("http_request_duration_seconds_p99", "orders-3:8080") > 3.0)
            }
            IncidentKind::Cascade => {
                assert!(ratio("http_request_duration_seconds_p95", "gateway-2:8080") > 2.5)
            }
            IncidentKind::MissingData => {
                let scrape = faulty.scrape(middle);
                let of = |l: &Labels| l.get("instance") == "publishing-2:8080";
                let there: Vec<_> = scrape
                    .samples()
                    .filter(|(i, _)| of(&faulty.series()[*i]))
                    .collect();
                assert_eq!(there.len(), 1, "only `up` is left");
                assert_eq!(
                    (faulty.series()[there[0].0].metric(), there[0].1.value),
                    ("up", 0.0)
                );
            }
        }
    }
}

#[test]
fn a_live_incident_begins_at_the_end_of_the_back_fill() {
    let (fleet, _) = fleets(8);
    assert_eq!(fleet.live_incident(0).start, NOW);
    assert_eq!(fleet.incidents_until(NOW.saturating_add(-1)).len(), 6);
    assert_eq!(fleet.incidents_until(NOW).len(), 7);
    assert_eq!(fleet.incidents_until(NOW.saturating_add(HOUR_MS)).len(), 10);
    let short = Fleet::new(8, NOW.saturating_add(-DAY_MS), NOW);
    assert_eq!(short.incidents().len(), 3, "a short history holds what fits");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn values_are_finite_and_round_whatever_the_seed(seed: u64, minutes in -20_160i64..2_880, ms in 0i64..60_000) {
        let (fleet, _) = fleets(seed);
        let scrape = fleet.scrape(NOW.saturating_add(minutes * MINUTE_MS + ms));
        for (i, sample) in scrape.samples() {
            let labels = &fleet.series()[i];
            prop_assert!(sample.value.is_finite() && sample.value >= 0.0, "{labels} = {} (seed {seed})", sample.value);
            let text = sample.value.to_string();
            prop_assert!(text.len() <= 14, "{labels} = {text} (seed {seed})");
            prop_assert!((0..7).contains(&sample.ts.since(scrape.due)));
        }
        for quantiles in [["p50", "p95"], ["p95", "p99"]] {
            let [low, high] = quantiles
                .map(|q| scrape.values[find(&fleet, &format!("http_request_duration_seconds_{q}"), "orders-1:8080")]);
            prop_assert!(low < high, "{quantiles:?} (seed {seed})");
        }
    }
}

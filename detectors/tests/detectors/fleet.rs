//! Fourteen days of the demo's fleet: which of its incidents are caught within their windows, and how often the
//! bell rings for nothing where nothing ever goes wrong.

use std::collections::BTreeMap;

use barograph_datasets::{Detection, Fleet, IncidentKind, judge};
use barograph_detectors::eval::runs;
use barograph_detectors::{Context, Params, Verdict, build};
use barograph_model::{Labels, TimeRange, TimestampMs};

const NOW: TimestampMs = TimestampMs(1_767_571_200_000);
const DAY_MS: i64 = 86_400_000;
const SEED: u64 = 7;

/// One watch: a detector over the series of a metric, as the demo's configuration has them.
struct Watch {
    metric: &'static str,
    service: &'static str,
    code: &'static str,
    detector: &'static str,
    direction: &'static str,
    step_ms: i64,
    rate: bool,
}

const fn watch(metric: &'static str, service: &'static str, detector: &'static str) -> Watch {
    Watch {
        metric,
        service,
        code: "",
        detector,
        direction: "",
        step_ms: 60_000,
        rate: false,
    }
}

const WATCHES: &[Watch] = &[
    Watch {
        direction: "up",
        ..watch("http_request_duration_seconds_p95", "search", "seasonal")
    },
    Watch {
        direction: "up",
        ..watch("http_request_duration_seconds_p95", "gateway", "seasonal")
    },
    Watch {
        direction: "up",
        ..watch("http_request_duration_seconds_p95", "orders", "seasonal")
    },
    Watch {
        direction: "up",
        step_ms: 300_000,
        ..watch("process_resident_memory_bytes", "orders", "seasonal")
    },
    Watch {
        direction: "down",
        step_ms: 300_000,
        ..watch("login_sessions_active", "login", "seasonal")
    },
    Watch {
        step_ms: 300_000,
        rate: true,
        ..watch("logins_total", "login", "seasonal")
    },
    Watch {
        code: "500",
        rate: true,
        direction: "up",
        ..watch("http_requests_total", "orders", "seasonal")
    },
    watch("http_request_duration_seconds_p95", "gateway", "pca"),
    watch("http_request_duration_seconds_p95", "search", "pca"),
    watch("http_request_duration_seconds_p95", "orders", "pca"),
];

impl Watch {
    fn matches(&self, series: &Labels) -> bool {
        let code = self.code.is_empty() || series.get("code") == self.code;
        series.metric() == self.metric && series.get("service") == self.service && code
    }

    /// Alarms on one series, given its samples a minute apart.
    fn detections(&self, series: &Labels, samples: &[(TimestampMs, f64)]) -> Vec<Detection> {
        let mut params = Params::new().with("alarms_per_day", 0.1);
        if !self.direction.is_empty() {
            params = params.with("direction", self.direction);
        }
        let context = Context {
            width: 1,
            step_ms: self.step_ms,
        };
        let mut detector = build(self.detector, &params, &context).expect("usable");
        let (mut instants, mut alarms) = (Vec::new(), Vec::new());
        let mut before: Option<f64> = None;
        for (ts, value) in samples
            .iter()
            .filter(|(ts, _)| ts.0.rem_euclid(self.step_ms) < 60_000)
        {
            let judged = if self.rate {
                before.map(|b| if *value >= b { value - b } else { *value })
            } else {
                Some(*value)
            };
            before = Some(*value);
            let verdict: Option<Verdict> = judged.and_then(|value| detector.observe(*ts, &[value]));
            instants.push(*ts);
            alarms.push(verdict.is_some_and(|verdict| verdict.is_anomaly));
        }
        let found = runs(&alarms).into_iter();
        found
            .map(|(from, to)| Detection {
                series: series.clone(),
                start: instants[from],
                end: instants[to - 1],
            })
            .collect()
    }
}

/// Detections by detector's name, the number of watched series beside them.
fn run(fleet: &Fleet) -> BTreeMap<&'static str, (Vec<Detection>, usize)> {
    let wanted: Vec<usize> = (0..fleet.series().len())
        .filter(|series| {
            WATCHES
                .iter()
                .any(|watch| watch.matches(&fleet.series()[*series]))
        })
        .collect();
    let mut samples: Vec<Vec<(TimestampMs, f64)>> = vec![Vec::new(); fleet.series().len()];
    for scrape in fleet.scrapes(fleet.start(), NOW, 60_000) {
        for series in &wanted {
            if let Some(value) = scrape.values[*series] {
                samples[*series].push((scrape.ts[*series], value));
            }
        }
    }
    let mut found: BTreeMap<&'static str, (Vec<Detection>, usize)> = BTreeMap::new();
    for watch in WATCHES {
        for series in wanted
            .iter()
            .filter(|series| watch.matches(&fleet.series()[**series]))
        {
            let entry = found.entry(watch.detector).or_default();
            entry
                .0
                .extend(watch.detections(&fleet.series()[*series], &samples[*series]));
            entry.1 += 1;
        }
    }
    found
}

#[test]
fn the_fleets_incidents_are_caught_within_their_windows() {
    let fleet = Fleet::new(SEED, NOW.saturating_add(-14 * DAY_MS), NOW);
    let mut missed = Vec::new();
    let found = run(&fleet);
    for (detector, expected) in [
        (
            "seasonal",
            &[
                IncidentKind::LevelShift,
                IncidentKind::SlowLeak,
                IncidentKind::SeasonalBreak,
                IncidentKind::ErrorBurst,
                IncidentKind::Cascade,
            ][..],
        ),
        (
            "pca",
            &[
                IncidentKind::LevelShift,
                IncidentKind::ErrorBurst,
                IncidentKind::Cascade,
            ][..],
        ),
    ] {
        let judgement = judge(fleet.incidents(), &found[detector].0, 6 * 3_600_000);
        for kind in expected {
            let at = fleet
                .incidents()
                .iter()
                .position(|incident| incident.kind == *kind)
                .expect("planned");
            match judgement.caught.iter().find(|caught| caught.incident == at) {
                Some(caught) => println!("{detector} caught {kind} after {} min", caught.delay_ms / 60_000),
                None => missed.push(format!("{detector} missed {kind}")),
            }
        }
    }
    assert!(missed.is_empty(), "seed {SEED}: {missed:?}");
}

#[test]
fn a_clean_fleet_rings_about_as_often_as_asked() {
    let fleet = Fleet::clean(SEED, NOW.saturating_add(-14 * DAY_MS), NOW);
    // The first two days are for learning the day.
    let settled = TimeRange {
        start: fleet.start().saturating_add(2 * DAY_MS),
        end: NOW,
    };
    for (detector, (detections, series)) in run(&fleet) {
        let alarms = detections
            .iter()
            .filter(|detection| settled.contains(detection.start))
            .count();
        let per_day = alarms as f64 / 12.0 / series as f64;
        println!("{detector}: {per_day:.3} false alarms a day and series, over {series} series");
        assert!(
            per_day <= 0.2,
            "seed {SEED}: {detector} rang {per_day:.3} times a day and series, 0.1 were asked"
        );
    }
}

//! The whole bench at a tiny scale: that every part works and every answer is compared, never how long one takes.

use std::time::Duration;

use barograph_model::{Clock, SystemClock};

use super::*;
use crate::contestant::{Contestant, Kind};
use crate::workload::Extent;

/// Barograph as the profile that is tested built it, and the peers that are installed.
fn contestants() -> Vec<Contestant> {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let own = Contestant::barograph(Some(&profile.join("barograph"))).expect("cargo build -p barograph");
    let peers = [Kind::Prometheus, Kind::VictoriaMetrics]
        .into_iter()
        .filter_map(Contestant::installed);
    std::iter::once(own).chain(peers).collect()
}

fn extent(scale: f64, rounds: usize) -> Extent {
    Extent {
        scale,
        rounds: Some(rounds),
        connections: 2,
        request_samples: 500,
        now: SystemClock::new().now(),
    }
}

fn run(part: QueryPart, scale: f64, rounds: usize, cold: usize) -> QueryScores {
    let procedure = QueryProcedure {
        runs: 1,
        repeats: 3,
        case_time: Duration::from_secs(5),
        cold,
        variants: 2,
        connections: 2,
        quiet: Duration::from_millis(500),
        only: String::new(),
    };
    let workload = part.build(extent(scale, rounds)).unwrap();
    let scores = contest(&contestants(), part, &workload, &procedure, |line| {
        println!("{line}")
    })
    .unwrap();
    println!("{}\n{}", scores.warm_table(), scores.remarks().join("\n"));
    let answered = scores.columns.iter().flat_map(|column| &column.scores);
    assert!(answered.clone().count() > 0);
    for score in answered {
        assert_eq!(
            (score.warm.len(), score.cold.len()),
            (3, cold),
            "{:?}",
            score.verdict
        );
    }
    scores
}

#[test]
fn barograph_answers_about_hosts_as_prometheus_does() {
    // Ten hosts, 75 minutes: several steps of an hour's window, and variants at other times.
    let scores = run(QueryPart::Hosts100, 0.1, 450, 1);
    assert!(scores.barograph_is_right(), "{}", scores.remarks().join("\n"));
    assert_eq!(scores.cases.len(), 9);
    assert!(scores.cold_table().is_some());
    let text = scores.json().to_string();
    assert!(
        text.contains("double-groupby-all") && text.contains("cold_seconds"),
        "{text}"
    );
}

#[test]
fn barograph_answers_about_services_and_pods_as_prometheus_does() {
    for (part, scale, rounds) in [(QueryPart::Services, 0.2, 450), (QueryPart::Pods, 0.0003, 3)] {
        let scores = run(part, scale, rounds, 0);
        assert!(scores.barograph_is_right(), "{}", scores.remarks().join("\n"));
        assert!(scores.cold_table().is_none());
    }
}

#[test]
fn dashboards_are_answered_while_samples_come_in() {
    let workload = QueryPart::Dashboards.build(extent(0.01, 60)).unwrap();
    let procedure = DashboardProcedure {
        dashboards: 2,
        refresh: Duration::from_millis(100),
        time: Duration::from_millis(500),
        at_full_speed: 0.25,
        connections: 2,
    };
    let comparison = dashboards(&contestants(), &workload, procedure, |line| println!("{line}")).unwrap();
    println!("{}", comparison.table());
    for figures in comparison.runs.iter().flatten() {
        assert!(figures.names().count() >= 10);
        assert!(figures.names().all(|name| figures.get(name).is_finite()));
    }
}

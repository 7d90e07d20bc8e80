//! The whole procedure at a tiny scale: that every phase works and every figure is there, never how large one is.

use barograph_model::{Clock, SystemClock, TimestampMs};

use super::*;
use crate::contestant::Kind;
use crate::workload::{Extent, WorkloadName};

/// The binary of the profile that is tested; `cargo test --workspace` builds it before any test runs.
fn barograph() -> Contestant {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    Contestant::barograph(Some(&profile.join("barograph"))).expect("cargo build -p barograph")
}

fn workload(name: WorkloadName, scale: f64) -> Workload {
    let extent = Extent {
        scale,
        rounds: Some(4),
        connections: 4,
        request_samples: 50,
        now: SystemClock::new().now(),
    };
    let workload = Workload::build(name, extent).unwrap();
    assert!(workload.bodies.until > TimestampMs(0));
    workload
}

fn run(contestants: &[Contestant], workload: &Workload) -> Comparison {
    let procedure = Procedure {
        runs: 1,
        connections: 4,
        quiet: Duration::from_millis(500),
        // They take root and mount file systems.
        power_cuts: false,
    };
    let comparison = compare(contestants, workload, procedure, |line| println!("{line}")).unwrap();
    println!("{}", comparison.table());
    comparison
}

#[test]
fn barograph_alone_has_every_figure_and_loses_nothing() {
    let comparison = run(&[barograph()], &workload(WorkloadName::Churn, 0.0003));
    let figures = &comparison.runs[0][0];
    for name in figures.names() {
        let value = figures.get(name);
        assert!(value.is_finite() || name.starts_with("power cut"), "{name}");
    }
    assert!(figures.names().count() > 25);
    assert_eq!(figures.get("kill -9: samples lost"), 0.0);
    assert!(figures.get("bytes / sample, settled") <= figures.get("bytes / sample, whole folder"));
}

#[test]
fn all_that_are_installed_answer_the_same() {
    let mut contestants = vec![barograph()];
    contestants.extend(
        [Kind::Prometheus, Kind::VictoriaMetrics]
            .into_iter()
            .filter_map(Contestant::installed),
    );
    // `compare` fails when a sample is missing or an answer differs.
    let comparison = run(&contestants, &workload(WorkloadName::NodeJitter, 0.04));
    assert_eq!(comparison.runs.len(), contestants.len());
    let names: Vec<Vec<&str>> = comparison
        .runs
        .iter()
        // One of them is asked in a second language as well.
        .map(|runs| {
            let names = runs[0].names();
            names.filter(|name| !name.starts_with("query in ")).collect()
        })
        .collect();
    assert!(names.iter().all(|of_one| *of_one == names[0]));
    let json = comparison.json();
    assert_eq!(json["contestants"].as_array().unwrap().len(), contestants.len());
}

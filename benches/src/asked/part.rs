//! The parts of the bench: what is loaded, and which kinds of queries are asked about it.

use anyhow::Result;
use clap::ValueEnum;

use super::cases::{Case, of_hosts, of_pods, of_services};
use crate::workload::{Extent, Workload, WorkloadName};

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueryPart {
    /// 100 hosts with 10 series each, 28 hours, a scrape each 10 s
    #[value(name = "hosts-100")]
    Hosts100,
    /// 4,000 hosts with 10 series each, 42 minutes, a scrape each 10 s
    #[value(name = "hosts-4000")]
    Hosts4000,
    /// Counters and classic histograms of 10 services with 5 instances each, 6 hours, a scrape each 10 s
    Services,
    /// 1.05 million series of pods with two samples at most
    Pods,
    /// 16 dashboards while samples come in half as fast as they can, from 4,000 hosts
    Dashboards,
}

impl QueryPart {
    /// Its data. The scale and the rounds of the extent are a factor to, and in place of, the part's own.
    ///
    /// # Errors
    /// As [`Workload::build`].
    pub fn build(self, extent: Extent) -> Result<Workload> {
        let (name, scale, rounds) = match self {
            Self::Hosts100 => (WorkloadName::Tsbs, 100.0 / 4_000.0, 28 * 360),
            Self::Hosts4000 => (WorkloadName::Tsbs, 1.0, 42 * 6),
            Self::Services => return Workload::services(extent),
            Self::Pods => (WorkloadName::Churn, 1.0, 2),
            Self::Dashboards => (WorkloadName::Tsbs, 1.0, 800),
        };
        let extent = Extent {
            scale: extent.scale * scale,
            rounds: Some(extent.rounds.unwrap_or(rounds)),
            ..extent
        };
        Workload::build(name, extent)
    }

    /// What is asked about it, with so many variants where hosts or time may vary.
    #[must_use]
    pub(crate) fn cases(self, workload: &Workload, variants: usize) -> Vec<Case> {
        match self {
            Self::Hosts100 | Self::Hosts4000 => of_hosts(&workload.bodies, variants),
            Self::Services => of_services(&workload.bodies, variants),
            Self::Pods => of_pods(&workload.bodies),
            // Its panels are asked by `dashboards`, all at the same time.
            Self::Dashboards => Vec::new(),
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hosts100 => "hosts-100",
            Self::Hosts4000 => "hosts-4000",
            Self::Services => "services",
            Self::Pods => "pods",
            Self::Dashboards => "dashboards",
        }
    }
}

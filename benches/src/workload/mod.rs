//! What is sent: several fleets as real exporters show them, every request of them encoded before a clock starts.
//!
//! Invariants:
//! - the same scale, rounds and last instant give the same bytes (of `node`: for the same recording);
//! - a position is one place in the scrape of a target. It is in the same request of each round, and the request
//!   goes over the same connection, so that the samples of a series arrive in order of time;
//! - the last instant is a whole minute, and no sample lies in the last [`FREE_MS`] of a step: a window that ends
//!   there holds the same samples whether its ends are open or closed, which the contestants see differently.

mod bodies;
mod churn;
mod exposition;
mod node;
mod recording;
pub(crate) mod services;
mod steady;
pub(crate) mod tsbs;
mod values;

use anyhow::{Context, Result};
use barograph_model::{Labels, TimestampMs};
use barograph_proto::prometheus::{Label, TimeSeries};
use clap::ValueEnum;
use prost::Message;

pub use bodies::Bodies;
pub use steady::series_labels;
pub use values::Values;

/// Milliseconds at the end of each step in which nothing is sampled.
pub(crate) const FREE_MS: i64 = 100;

/// Which fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WorkloadName {
    /// 1,000 series, 2,000 scrapes 15 s apart
    Small,
    /// 100,000 series, 40 scrapes 15 s apart
    Steady,
    /// 4,000 hosts with 10 series each, 100 scrapes 10 s apart
    Tsbs,
    /// 954,600 series of pods, 2 scrapes, a tenth of the pods replaced between them: 1.05 million series
    Churn,
    /// A recorded node_exporter x 50, 300 scrapes 15 s apart, each exactly when it is due
    NodeAligned,
    /// The same, each scrape up to 4 ms late
    NodeJitter,
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// What the number of targets is multiplied with; at least one target remains.
    pub scale: f64,
    /// Scrapes, instead of the workload's own number.
    pub rounds: Option<usize>,
    /// Connections that send; there is a request for each of them in a round.
    pub connections: usize,
    /// Samples of a request at most.
    pub request_samples: usize,
    /// Now; the last scrape is due at the whole minute before.
    pub now: TimestampMs,
}

/// A fleet, encoded.
#[derive(Debug)]
pub struct Workload {
    /// Its name on the command line and in tables.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// The requests.
    pub bodies: Bodies,
    /// What is asked about it.
    pub subject: Subject,
}

/// What queries ask about a fleet.
#[derive(Debug, Clone)]
pub struct Subject {
    /// A metric of many series.
    pub metric: &'static str,
    /// Labels that select one series of it.
    pub one: Vec<(&'static str, String)>,
    /// A label of it with few values.
    pub by: &'static str,
    /// A label that says which target a series is of, and one of its values.
    pub target: (&'static str, String),
}

/// Targets, scraped one round after the other.
pub(crate) trait Fleet {
    /// Places in a scrape of all targets together; not every one has a sample in every round.
    fn positions(&self) -> usize;
    /// Names of all metrics.
    fn metrics(&self) -> Vec<String>;
    /// Milliseconds between two scrapes.
    fn step_ms(&self) -> i64;
    /// Gives every sample of the next round, in order of position.
    fn scrape(&mut self, round: usize, each: &mut dyn FnMut(Scraped<'_>) -> Result<()>) -> Result<()>;
}

/// One sample as a fleet gives it.
pub(crate) struct Scraped<'a> {
    /// Its place.
    pub(crate) position: usize,
    /// A `TimeSeries` message with its labels and nothing else.
    pub(crate) labels: &'a [u8],
    /// Whether no earlier round had this series.
    pub(crate) is_new: bool,
    /// Milliseconds after the begin of the step; below the step less [`FREE_MS`].
    pub(crate) offset_ms: i64,
    /// Its value.
    pub(crate) value: f64,
}

impl Workload {
    /// Counters and classic histograms of 50 instances of services, six hours. Not among the names, because what takes
    /// samples has no reason to find it different from `small`.
    ///
    /// # Errors
    /// When labels are refused.
    pub fn services(extent: Extent) -> Result<Self> {
        let instances = ((50.0 * extent.scale).round() as usize).max(1);
        let mut fleet = services::Instances::new(instances)?;
        Ok(Self {
            name: "services".to_owned(),
            about: "counters of requests and histograms of their durations, now and then begun anew"
                .to_owned(),
            bodies: Bodies::encode(&mut fleet, extent.rounds.unwrap_or(6 * 360), extent)?,
            subject: services::subject(),
        })
    }

    /// Makes a fleet and encodes everything it sends.
    ///
    /// # Errors
    /// When labels are refused, or node_exporter is needed and cannot be recorded.
    pub fn build(name: WorkloadName, extent: Extent) -> Result<Self> {
        let scaled = |targets: usize| ((targets as f64 * extent.scale).round() as usize).max(1);
        let rounds = |usual: usize| extent.rounds.unwrap_or(usual);
        let shown = name
            .to_possible_value()
            .context("a workload has a name")?
            .get_name()
            .to_owned();
        let encode = |fleet: &mut dyn Fleet, rounds| Bodies::encode(fleet, rounds, extent);
        let (bodies, subject, about) = match name {
            WorkloadName::Small | WorkloadName::Steady => {
                let (series, usual) = match name {
                    WorkloadName::Small => (1_000, 2_000),
                    _ => (100_000, 40),
                };
                let mut fleet = steady::Steady::new(scaled(series))?;
                let about = "node_exporter and kubelet, ten labels";
                (encode(&mut fleet, rounds(usual))?, steady::subject(), about)
            }
            WorkloadName::Tsbs => {
                let mut fleet = tsbs::Hosts::new(scaled(4_000))?;
                let about = "hosts with ten CPU figures and ten tags each, as TSBS makes them";
                (encode(&mut fleet, rounds(100))?, tsbs::subject(), about)
            }
            WorkloadName::Churn => {
                let mut fleet = churn::Pods::new(scaled(95_460));
                let about = "pods with ten series of ten labels, a tenth of them replaced between scrapes";
                (encode(&mut fleet, rounds(2))?, churn::subject()?, about)
            }
            WorkloadName::NodeAligned | WorkloadName::NodeJitter => {
                let rounds = rounds(300);
                let recording = recording::Recording::obtain(rounds)?;
                let late_ms = match name {
                    WorkloadName::NodeAligned => 0,
                    _ => 4,
                };
                let mut fleet = node::Nodes::new(&recording, scaled(50), late_ms)?;
                let about = match name {
                    WorkloadName::NodeAligned => "recorded node_exporters, scraped exactly when due",
                    _ => "recorded node_exporters, each scrape up to 4 ms late",
                };
                (encode(&mut fleet, rounds)?, node::subject(), about)
            }
        };
        Ok(Self {
            name: shown,
            about: about.to_owned(),
            bodies,
            subject,
        })
    }
}

/// A `TimeSeries` message that has labels and nothing else.
fn encoded(labels: &Labels) -> Vec<u8> {
    let pairs = labels.iter().map(|(name, value)| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    });
    let series = TimeSeries {
        labels: pairs.collect(),
        ..TimeSeries::default()
    };
    series.encode_to_vec()
}

/// A number that looks like chance and is the same every time (the finalizer of SplitMix64).
fn scrambled(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

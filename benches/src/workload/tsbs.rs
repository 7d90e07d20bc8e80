//! Hosts as the Time Series Benchmark Suite's `cpu-only` case makes them: ten figures of the CPU in whole per cent
//! that walk at random between 0 and 100, ten tags, all hosts at the same instants.

use anyhow::{Context, Result};
use barograph_model::{LabelError, Labels, METRIC_NAME};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Fleet, Scraped, Subject, encoded, scrambled};

const STEP_MS: i64 = 10_000;

/// Names of the figures, each a metric.
pub(crate) const FIELDS: [&str; 10] = [
    "cpu_usage_user",
    "cpu_usage_system",
    "cpu_usage_idle",
    "cpu_usage_nice",
    "cpu_usage_iowait",
    "cpu_usage_irq",
    "cpu_usage_softirq",
    "cpu_usage_steal",
    "cpu_usage_guest",
    "cpu_usage_guest_nice",
];

/// Regions, each with so many datacenters, told apart by a letter.
const REGIONS: [(&str, u64); 9] = [
    ("us-east-1", 5),
    ("us-west-1", 2),
    ("us-west-2", 3),
    ("eu-west-1", 3),
    ("eu-central-1", 2),
    ("ap-southeast-1", 2),
    ("ap-southeast-2", 2),
    ("ap-northeast-1", 2),
    ("sa-east-1", 3),
];

/// Hosts, every one in every round.
#[derive(Debug)]
pub(crate) struct Hosts {
    labels: Vec<Vec<u8>>,
    current: Vec<i32>,
    random: ChaCha8Rng,
}

impl Hosts {
    /// So many hosts.
    pub(crate) fn new(hosts: usize) -> Result<Self> {
        let mut labels = Vec::with_capacity(hosts * FIELDS.len());
        for host in 0..hosts {
            for field in FIELDS {
                let set = host_labels(host, field).with_context(|| format!("host {host}"))?;
                labels.push(encoded(&set));
            }
        }
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let current = labels.iter().map(|_| random.random_range(0..=100)).collect();
        Ok(Self {
            labels,
            current,
            random,
        })
    }
}

impl Fleet for Hosts {
    fn positions(&self) -> usize {
        self.labels.len()
    }

    fn metrics(&self) -> Vec<String> {
        FIELDS.map(str::to_owned).to_vec()
    }

    fn step_ms(&self) -> i64 {
        STEP_MS
    }

    fn scrape(&mut self, round: usize, each: &mut dyn FnMut(Scraped<'_>) -> Result<()>) -> Result<()> {
        for (position, labels) in self.labels.iter().enumerate() {
            let current = &mut self.current[position];
            *current = (*current + self.random.random_range(-1..=1)).clamp(0, 100);
            each(Scraped {
                position,
                labels,
                is_new: round == 0,
                offset_ms: 0,
                value: f64::from(*current),
            })?;
        }
        Ok(())
    }
}

fn host_labels(host: usize, field: &str) -> Result<Labels, LabelError> {
    let chance = |what: u64, choices: u64| scrambled(host as u64 * 16 + what) % choices;
    let (region, datacenters) = REGIONS[chance(0, REGIONS.len() as u64) as usize];
    let letter = char::from(b'a' + chance(1, datacenters) as u8);
    let of = |choices: &[&str], what| choices[chance(what, choices.len() as u64) as usize].to_owned();
    Labels::from_pairs([
        (METRIC_NAME, field.to_owned()),
        ("hostname", format!("host_{host}")),
        ("region", region.to_owned()),
        ("datacenter", format!("{region}{letter}")),
        ("rack", chance(2, 100).to_string()),
        ("os", of(&["Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"], 3)),
        ("arch", of(&["x64", "x86"], 4)),
        ("team", of(&["SF", "NYC", "LON", "CHI"], 5)),
        ("service", chance(6, 20).to_string()),
        ("service_version", chance(7, 2).to_string()),
        ("service_environment", of(&["production", "staging", "test"], 8)),
    ])
}

/// What is asked about hosts.
pub(crate) fn subject() -> Subject {
    Subject {
        metric: FIELDS[0],
        one: vec![("hostname", "host_0".to_owned())],
        by: "region",
        target: ("hostname", "host_0".to_owned()),
    }
}

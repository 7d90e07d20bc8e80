//! Pods as the kubelet shows their containers: ten series a pod, ten labels a series, and in each round after the
//! first a tenth of the pods is another one in the same place, with every label that tells pods apart new.

use anyhow::{Context, Result};
use barograph_model::{LabelError, Labels, METRIC_NAME};

use super::{FREE_MS, Fleet, Scraped, Subject, Values, encoded, scrambled};

const STEP_MS: i64 = 15_000;

/// One in so many pods is replaced in a round.
const REPLACED_ONE_IN: usize = 10;
/// Pods of one node, which one kubelet shows.
const PODS_OF_NODE: usize = 50;

const METRICS: [&str; 10] = [
    "container_cpu_usage_seconds_total",
    "container_cpu_cfs_throttled_seconds_total",
    "container_fs_reads_bytes_total",
    "container_fs_writes_bytes_total",
    "container_memory_cache",
    "container_memory_rss",
    "container_memory_working_set_bytes",
    "container_processes",
    "container_spec_memory_limit_bytes",
    "container_threads",
];

/// Places for pods.
#[derive(Debug)]
pub(crate) struct Pods {
    places: usize,
    values: Values,
}

impl Pods {
    /// So many pods at a time.
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places,
            values: Values::new(3, places * METRICS.len()),
        }
    }
}

impl Fleet for Pods {
    fn positions(&self) -> usize {
        self.places * METRICS.len()
    }

    fn metrics(&self) -> Vec<String> {
        METRICS.map(str::to_owned).to_vec()
    }

    fn step_ms(&self) -> i64 {
        STEP_MS
    }

    fn scrape(&mut self, round: usize, each: &mut dyn FnMut(Scraped<'_>) -> Result<()>) -> Result<()> {
        let mut offset_ms = 0;
        for place in 0..self.places {
            if place % PODS_OF_NODE == 0 {
                let of_node = (place / PODS_OF_NODE) as i64 * 37 % (STEP_MS - FREE_MS - 5);
                offset_ms = of_node + self.values.late_ms();
            }
            let pod = generation(place, round);
            let is_new = round == 0 || pod != generation(place, round - 1);
            for (i, metric) in METRICS.iter().enumerate() {
                let position = place * METRICS.len() + i;
                let labels =
                    pod_labels(place, pod, metric).with_context(|| format!("pod {pod} in place {place}"))?;
                each(Scraped {
                    position,
                    labels: &encoded(&labels),
                    is_new,
                    offset_ms,
                    value: self.values.next(position),
                })?;
            }
        }
        Ok(())
    }
}

/// How many pods were in a place before that of a round.
fn generation(place: usize, round: usize) -> usize {
    // The tenth of the places whose turn it is changes with the round.
    (round + REPLACED_ONE_IN - 1 - place % REPLACED_ONE_IN) / REPLACED_ONE_IN
}

fn pod_labels(place: usize, generation: usize, metric: &str) -> Result<Labels, LabelError> {
    let node = place / PODS_OF_NODE;
    let service = scrambled(place as u64) % 211;
    let pod = scrambled((place as u64) << 24 | generation as u64);
    let uid = scrambled(pod);
    let container = format!("{:016x}{pod:016x}{:032x}", uid, u128::from(pod) * u128::from(uid));
    let id = format!(
        "/kubepods/burstable/pod{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}/{container}",
        pod >> 32,
        pod >> 16 & 0xffff,
        pod & 0xfff,
        uid >> 52,
        uid & 0xffff_ffff_ffff
    );
    Labels::from_pairs([
        (METRIC_NAME, metric.to_owned()),
        ("container", format!("service-{service}")),
        ("id", id),
        (
            "image",
            format!("registry.internal/service-{service}:v1.{}", service % 40),
        ),
        (
            "instance",
            format!("10.{}.{}.10:10250", node >> 8 & 255, node & 255),
        ),
        ("job", "kubelet".to_owned()),
        ("name", container),
        ("namespace", format!("team-{}", service % 23)),
        (
            "node",
            format!("ip-10-{}-{}.internal", node >> 8 & 255, node & 255),
        ),
        (
            "pod",
            format!("service-{service}-{:09x}-{:05x}", pod >> 28, uid & 0xf_ffff),
        ),
    ])
}

/// What is asked about pods: one of them is of a place whose first pod stays for six rounds.
pub(crate) fn subject() -> Result<Subject> {
    let labels = pod_labels(5, 0, METRICS[6]).context("the pod that is asked for")?;
    Ok(Subject {
        metric: METRICS[6],
        one: vec![("name", labels.get("name").to_owned())],
        by: "namespace",
        target: ("instance", "10.0.0.10:10250".to_owned()),
    })
}

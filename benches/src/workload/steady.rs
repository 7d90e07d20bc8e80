//! The series of a large fleet of machines and containers, as node_exporter and the kubelet would expose them.

use anyhow::{Context, Result};
use barograph_model::{LabelError, Labels, METRIC_NAME};

use super::{FREE_MS, Fleet, Scraped, Subject, Values, encoded};

const STEP_MS: i64 = 15_000;

/// Series of one scraped target.
const SERIES_OF_TARGET: usize = 500;

/// Families a target has; each has `SERIES_OF_TARGET / FAMILIES.len()` series told apart by one more label.
const FAMILIES: [(&str, &str); 20] = [
    ("node_cpu_seconds_total", "cpu"),
    ("node_disk_read_bytes_total", "device"),
    ("node_disk_written_bytes_total", "device"),
    ("node_disk_io_time_seconds_total", "device"),
    ("node_filesystem_avail_bytes", "mountpoint"),
    ("node_filesystem_files_free", "mountpoint"),
    ("node_network_receive_bytes_total", "device"),
    ("node_network_transmit_bytes_total", "device"),
    ("node_network_receive_errs_total", "device"),
    ("node_network_up", "device"),
    ("container_cpu_usage_seconds_total", "container_id"),
    ("container_memory_working_set_bytes", "container_id"),
    ("container_memory_rss", "container_id"),
    ("container_fs_writes_bytes_total", "container_id"),
    ("container_network_receive_bytes_total", "container_id"),
    ("kube_pod_status_ready", "uid"),
    ("kube_pod_container_status_restarts_total", "uid"),
    ("kube_pod_container_resource_limits", "uid"),
    ("http_request_duration_seconds_bucket", "le"),
    ("http_requests_total", "handler"),
];

/// The labels of series number `i`: ten of them. Series of one target follow each other.
///
/// # Errors
/// Never for these names and values; [`LabelError`] is what the model would refuse.
pub fn series_labels(i: usize) -> Result<Labels, LabelError> {
    let (target, of_target) = (i / SERIES_OF_TARGET, i % SERIES_OF_TARGET);
    let (metric, distinct) = FAMILIES[of_target % FAMILIES.len()];
    let member = of_target / FAMILIES.len();
    let pod = target * 7919 % 1_000_003;
    Labels::from_pairs([
        (METRIC_NAME, metric.to_owned()),
        ("cluster", "production-1".to_owned()),
        (distinct, format!("{distinct}-{member}")),
        (
            "instance",
            format!(
                "10.{}.{}.{}:9100",
                target >> 16 & 255,
                target >> 8 & 255,
                target & 255
            ),
        ),
        (
            "job",
            if metric.starts_with("node_") {
                "node-exporter"
            } else {
                "kubelet"
            }
            .to_owned(),
        ),
        ("namespace", format!("team-{}", target % 23)),
        (
            "node",
            format!("ip-10-{}-{}.internal", (target / 16) >> 8, (target / 16) & 255),
        ),
        ("pod", format!("service-{}-{pod:07x}", target % 61)),
        ("service", format!("service-{}", target % 61)),
        ("zone", format!("zone-{}", target % 3)),
    ])
}

/// The same series in every round.
#[derive(Debug)]
pub(crate) struct Steady {
    labels: Vec<Vec<u8>>,
    values: Values,
}

impl Steady {
    /// The first so many series.
    pub(crate) fn new(series: usize) -> Result<Self> {
        let labels = (0..series)
            .map(|i| Ok(encoded(&series_labels(i).with_context(|| format!("series {i}"))?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            labels,
            values: Values::new(1, series),
        })
    }
}

impl Fleet for Steady {
    fn positions(&self) -> usize {
        self.labels.len()
    }

    fn metrics(&self) -> Vec<String> {
        FAMILIES.iter().map(|(metric, _)| (*metric).to_owned()).collect()
    }

    fn step_ms(&self) -> i64 {
        STEP_MS
    }

    fn scrape(&mut self, round: usize, each: &mut dyn FnMut(Scraped<'_>) -> Result<()>) -> Result<()> {
        let mut offset_ms = 0;
        for (position, labels) in self.labels.iter().enumerate() {
            if position % SERIES_OF_TARGET == 0 {
                // Each target has its place within the step, and is scraped there within a few ms.
                let place = (position / SERIES_OF_TARGET) as i64 * 37 % (STEP_MS - FREE_MS - 5);
                offset_ms = place + self.values.late_ms();
            }
            each(Scraped {
                position,
                labels,
                is_new: round == 0,
                offset_ms,
                value: self.values.next(position),
            })?;
        }
        Ok(())
    }
}

/// What is asked about these series.
pub(crate) fn subject() -> Subject {
    let first = "10.0.0.0:9100";
    Subject {
        metric: "node_cpu_seconds_total",
        one: vec![("instance", first.to_owned()), ("cpu", "cpu-0".to_owned())],
        by: "zone",
        target: ("instance", first.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_series_is_one_of_its_own_with_ten_labels() {
        let all: HashSet<_> = (0..5_000).map(|i| series_labels(i).unwrap()).collect();
        assert_eq!(all.len(), 5_000);
        assert!(all.iter().all(|labels| labels.len() == 10));
    }
}

//! A recorded node_exporter, many times.
//!
//! The first instance is the recording. Copies of it would be something that no fleet is and that a compressor across
//! series lives on, so every other instance takes the recorded steps from scrape to scrape in an order of its own:
//! the same constants, step sizes, digits behind the point and moments at which series move together.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use barograph_model::{Labels, METRIC_NAME};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::recording::{RecordedSeries, Recording};
use super::{Fleet, Scraped, Subject, encoded};

const STEP_MS: i64 = 15_000;

/// Instances of one recording.
pub(crate) struct Nodes<'a> {
    recording: &'a Recording,
    instances: Vec<Instance>,
    late_ms: i64,
    random: ChaCha8Rng,
}

struct Instance {
    /// Of each series of the recording.
    labels: Vec<Vec<u8>>,
    current: Vec<f64>,
    /// Which recorded step comes next: the values at `n` and `n + 1`.
    order: Vec<usize>,
}

impl<'a> Nodes<'a> {
    /// So many instances, each scrape of which is up to `late_ms` late.
    pub(crate) fn new(recording: &'a Recording, instances: usize, late_ms: i64) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let scrapes = recording.series[0].values.len();
        let instances = (0..instances)
            .map(|i| {
                let labels = recording.series.iter().map(|series| labels(series, i));
                let mut order: Vec<usize> = (0..scrapes - 1).collect();
                if i > 0 {
                    order.shuffle(&mut random);
                }
                Ok(Instance {
                    labels: labels.collect::<Result<_>>()?,
                    current: recording.series.iter().map(|series| series.values[0]).collect(),
                    order,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            recording,
            instances,
            late_ms,
            random,
        })
    }
}

impl Fleet for Nodes<'_> {
    fn positions(&self) -> usize {
        self.instances.len() * self.recording.series.len()
    }

    fn metrics(&self) -> Vec<String> {
        let names: BTreeSet<_> = self
            .recording
            .series
            .iter()
            .map(|series| series.metric.clone())
            .collect();
        names.into_iter().collect()
    }

    fn step_ms(&self) -> i64 {
        STEP_MS
    }

    fn scrape(&mut self, round: usize, each: &mut dyn FnMut(Scraped<'_>) -> Result<()>) -> Result<()> {
        let mut position = 0;
        for instance in &mut self.instances {
            let offset_ms = self.random.random_range(0..=self.late_ms);
            for (i, series) in self.recording.series.iter().enumerate() {
                let current = &mut instance.current[i];
                if round > 0 {
                    *current = stepped(*current, series, instance.order[round - 1]);
                }
                each(Scraped {
                    position,
                    labels: &instance.labels[i],
                    is_new: round == 0,
                    offset_ms,
                    value: *current,
                })?;
                position += 1;
            }
        }
        Ok(())
    }
}

/// A value after one recorded step, with as many digits as the recording has: adding floats would add digits.
fn stepped(current: f64, series: &RecordedSeries, step: usize) -> f64 {
    let (from, to) = (series.values[step], series.values[step + 1]);
    if from == to {
        return current;
    }
    let scale = 10f64.powi(series.decimals);
    let value = ((current + (to - from)) * scale).round() / scale;
    // Beyond what is exact, and for what is not a number, the recorded value itself.
    match value.is_finite() && (value * scale).abs() < 2f64.powi(53) {
        true => value,
        false => to,
    }
}

fn labels(series: &RecordedSeries, instance: usize) -> Result<Vec<u8>> {
    let host = format!("host-{instance:02}:9100");
    let added = [
        (METRIC_NAME, series.metric.as_str()),
        ("instance", &host),
        ("job", "node"),
    ];
    let own = series
        .labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    // The model refuses a name twice, and drops labels without a value, which the exporter has some of.
    let labels = Labels::from_pairs(added.into_iter().chain(own))
        .with_context(|| format!("the labels of {}", series.metric))?;
    Ok(encoded(&labels))
}

/// What is asked about nodes.
pub(crate) fn subject() -> Subject {
    let first = "host-00:9100";
    Subject {
        metric: "node_cpu_seconds_total",
        one: vec![
            ("instance", first.to_owned()),
            ("cpu", "0".to_owned()),
            ("mode", "idle".to_owned()),
        ],
        by: "mode",
        target: ("instance", first.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        let series = |metric: &str, values: &[f64], decimals| RecordedSeries {
            metric: metric.to_owned(),
            labels: vec![("cpu".to_owned(), "0".to_owned())],
            values: values.to_vec(),
            decimals,
        };
        let counter: Vec<f64> = (0..20i32).map(|n| f64::from(n * n) / 10.0).collect();
        Recording {
            series: vec![series("a_total", &counter, 1), series("b", &[5.0; 20], 0)],
        }
    }

    #[test]
    fn the_first_instance_is_the_recording_and_the_others_end_where_it_ends() {
        let recording = recording();
        let mut nodes = Nodes::new(&recording, 3, 4).unwrap();
        let mut values = vec![Vec::new(); nodes.positions()];
        for round in 0..20 {
            let mut offsets = Vec::new();
            nodes
                .scrape(round, &mut |scraped| {
                    values[scraped.position].push(scraped.value);
                    offsets.push(scraped.offset_ms);
                    Ok(())
                })
                .unwrap();
            assert!(offsets.iter().all(|offset| (0..=4).contains(offset)));
            assert!(
                offsets
                    .chunks(2)
                    .all(|of_instance| of_instance[0] == of_instance[1])
            );
        }
        assert_eq!(values[0], recording.series[0].values);
        assert_ne!(values[2], values[0]);
        for other in [2, 4] {
            assert_eq!(values[other][19], values[0][19]);
            // As many digits as were recorded.
            assert!(values[other].iter().all(|v| (v * 10.0).round() / 10.0 == *v));
            assert!(values[other].is_sorted());
            assert_eq!(values[other + 1], [5.0; 20]);
        }
    }
}

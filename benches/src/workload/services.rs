//! Instances of services as Prometheus' client libraries show them: counters of requests by handler and code, and a
//! classic histogram of their durations by handler. Counters begin anew where an instance is restarted.

use anyhow::{Context, Result};
use barograph_model::{Labels, METRIC_NAME};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{FREE_MS, Fleet, Scraped, Subject, encoded, scrambled};

const STEP_MS: i64 = 10_000;

/// Instances of one service.
const INSTANCES_OF_SERVICE: usize = 5;
/// An instance is restarted after about so many scrapes, each at another time.
const ROUNDS_OF_LIFE: u64 = 700;

/// Requests by handler and code.
pub(crate) const REQUESTS: &str = "http_requests_total";
/// Requests by handler that took no longer than a bound.
pub(crate) const BUCKETS: &str = "http_request_duration_seconds_bucket";
const COUNT: &str = "http_request_duration_seconds_count";
const SUM: &str = "http_request_duration_seconds_sum";

const HANDLERS: [&str; 2] = ["/api/items", "/api/orders"];
const CODES: [&str; 10] = [
    "200", "201", "204", "301", "400", "401", "404", "429", "500", "503",
];
/// The upper bounds of the buckets, in seconds; the last one holds everything.
const BOUNDS: [&str; 10] = [
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf",
];
/// Durations that stand for their bucket in the sum.
const DURATIONS: [f64; 10] = [
    0.003, 0.0075, 0.0175, 0.0375, 0.075, 0.175, 0.375, 0.75, 1.75, 3.5,
];

/// Series of one handler: its codes, its buckets, their count and sum.
const SERIES_OF_HANDLER: usize = CODES.len() + BOUNDS.len() + 2;
const SERIES_OF_INSTANCE: usize = SERIES_OF_HANDLER * HANDLERS.len();

/// Instances, every one in every round.
#[derive(Debug)]
pub(crate) struct Instances {
    labels: Vec<Vec<u8>>,
    current: Vec<f64>,
    random: ChaCha8Rng,
}

impl Instances {
    /// So many instances.
    pub(crate) fn new(instances: usize) -> Result<Self> {
        let mut labels = Vec::with_capacity(instances * SERIES_OF_INSTANCE);
        for instance in 0..instances {
            for handler in HANDLERS {
                let of = |metric: &str, more: Option<(&str, &str)>| -> Result<Vec<u8>> {
                    let pairs = [
                        (METRIC_NAME, metric.to_owned()),
                        ("instance", instance_name(instance)),
                        ("job", "services".to_owned()),
                        ("service", format!("service-{}", instance / INSTANCES_OF_SERVICE)),
                        ("handler", handler.to_owned()),
                    ];
                    let more = more.map(|(name, value)| (name, value.to_owned()));
                    let set = Labels::from_pairs(pairs.into_iter().chain(more));
                    Ok(encoded(&set.with_context(|| format!("instance {instance}"))?))
                };
                for code in CODES {
                    labels.push(of(REQUESTS, Some(("code", code)))?);
                }
                for bound in BOUNDS {
                    labels.push(of(BUCKETS, Some(("le", bound)))?);
                }
                labels.push(of(COUNT, None)?);
                labels.push(of(SUM, None)?);
            }
        }
        Ok(Self {
            current: vec![0.0; labels.len()],
            random: ChaCha8Rng::seed_from_u64(4),
            labels,
        })
    }

    /// What one handler of an instance did since the last scrape.
    fn work(&mut self, first: usize) {
        let mut of_bucket = [0.0; BOUNDS.len()];
        for code in 0..CODES.len() {
            // Most requests succeed, and most are fast; every code is seen now and then.
            let requests = self.random.random_range(0..=100u32 >> code.min(5));
            self.current[first + code] += f64::from(requests);
            for _ in 0..requests {
                let slow = self.random.random_range(0..BOUNDS.len());
                of_bucket[slow.min(self.random.random_range(0..BOUNDS.len()))] += 1.0;
            }
        }
        let mut up_to_bound = 0.0;
        let buckets = first + CODES.len();
        for (bucket, seen) in of_bucket.into_iter().enumerate() {
            up_to_bound += seen;
            self.current[buckets + bucket] += up_to_bound;
            self.current[buckets + BOUNDS.len() + 1] += seen * DURATIONS[bucket];
        }
        self.current[buckets + BOUNDS.len()] += up_to_bound;
    }
}

impl Fleet for Instances {
    fn positions(&self) -> usize {
        self.labels.len()
    }

    fn metrics(&self) -> Vec<String> {
        [REQUESTS, BUCKETS, COUNT, SUM].map(str::to_owned).to_vec()
    }

    fn step_ms(&self) -> i64 {
        STEP_MS
    }

    fn scrape(&mut self, round: usize, each: &mut dyn FnMut(Scraped<'_>) -> Result<()>) -> Result<()> {
        for instance in 0..self.labels.len() / SERIES_OF_INSTANCE {
            let begin = instance * SERIES_OF_INSTANCE;
            let turn = scrambled(instance as u64) % ROUNDS_OF_LIFE;
            if round as u64 % ROUNDS_OF_LIFE == turn {
                self.current[begin..begin + SERIES_OF_INSTANCE].fill(0.0);
            }
            for handler in 0..HANDLERS.len() {
                self.work(begin + handler * SERIES_OF_HANDLER);
            }
            // Each instance has its place within the step, and is scraped there within a few ms.
            let place = instance as i64 * 37 % (STEP_MS - FREE_MS - 5);
            let offset_ms = place + self.random.random_range(0..5);
            for position in begin..begin + SERIES_OF_INSTANCE {
                each(Scraped {
                    position,
                    labels: &self.labels[position],
                    is_new: round == 0,
                    offset_ms,
                    value: self.current[position],
                })?;
            }
        }
        Ok(())
    }
}

fn instance_name(instance: usize) -> String {
    format!("10.1.{}.{}:8080", instance >> 8 & 255, instance & 255)
}

/// What is asked about services.
pub(crate) fn subject() -> Subject {
    Subject {
        metric: REQUESTS,
        one: vec![
            ("instance", instance_name(0)),
            ("handler", HANDLERS[0].to_owned()),
            ("code", CODES[0].to_owned()),
        ],
        by: "service",
        target: ("instance", instance_name(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_those_below_them_and_counters_begin_anew() {
        let mut fleet = Instances::new(1).unwrap();
        let mut last = vec![0.0; fleet.positions()];
        let mut resets = 0;
        for round in 0..1_000 {
            let mut now = Vec::new();
            fleet
                .scrape(round, &mut |scraped| {
                    now.push(scraped.value);
                    Ok(())
                })
                .unwrap();
            let buckets = &now[CODES.len()..CODES.len() + BOUNDS.len()];
            assert!(buckets.is_sorted());
            assert_eq!(buckets.last(), Some(&now[CODES.len() + BOUNDS.len()]));
            resets += usize::from(now.iter().zip(&last).any(|(now, last)| now < last));
            last = now;
        }
        assert!((1..=2).contains(&resets), "{resets}");
    }
}

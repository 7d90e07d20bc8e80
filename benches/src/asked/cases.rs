//! Kinds of queries, each in several variants, which differ in hosts and time as those of the Time Series Benchmark
//! Suite do.
//!
//! Invariants:
//! - the same workload and number of variants give the same queries;
//! - every instant asked for is a millisecond before a whole minute, at which hosts have no sample, so that windows
//!   hold the same samples whether their begin is open (Prometheus 3) or closed (Prometheus 2).
//!
//! A query about several metrics asks for each and joins the answers by `or`: Prometheus drops the metric's name in
//! `max_over_time`, and refuses series that only the name tells apart.

use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::asking::PromQl;
use crate::workload::{Bodies, services, tsbs};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Hosts of a query about some of them.
const SOME_HOSTS: usize = 8;

/// A kind of query.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// As tables show it.
    pub(crate) name: &'static str,
    /// At least one; they are asked in turn.
    pub(crate) variants: Vec<PromQl>,
}

/// Makes variants for the data of a workload.
struct Maker<'a> {
    bodies: &'a Bodies,
    random: ChaCha8Rng,
    variants: usize,
    /// how much of the data's beginning no question is about
    begins_after_ms: i64,
}

impl<'a> Maker<'a> {
    fn new(bodies: &'a Bodies, variants: usize) -> Self {
        let random = ChaCha8Rng::seed_from_u64(5);
        Self {
            bodies,
            random,
            variants,
            begins_after_ms: 0,
        }
    }

    fn last_ms(&self) -> i64 {
        self.bodies.until.0 - 1
    }

    /// Expressions over an interval that lies anywhere in the data.
    fn over(
        &mut self,
        name: &'static str,
        (interval_ms, step_ms): (i64, i64),
        mut expr: impl FnMut(&mut ChaCha8Rng) -> String,
    ) -> Case {
        let whole_ms = self.bodies.until.0 - self.bodies.from.0 - self.begins_after_ms;
        let interval_ms = interval_ms.min(whole_ms);
        let variants = (0..self.variants).map(|_| {
            let expr = expr(&mut self.random);
            let spare = (whole_ms - interval_ms) / MINUTE_MS;
            let end_ms = self.bodies.until.0 - 1 - self.random.random_range(0..=spare) * MINUTE_MS;
            // The first window begins where the interval does.
            let start_ms = end_ms - (interval_ms / step_ms - 1).max(0) * step_ms;
            PromQl::Range {
                expr,
                start_ms,
                end_ms,
                step_ms,
            }
        });
        let variants = variants.collect();
        Case { name, variants }
    }

    /// An expression at the end of the data.
    fn last(&self, name: &'static str, expr: &str) -> Case {
        let (expr, at_ms) = (expr.to_owned(), self.last_ms());
        Case {
            name,
            variants: vec![PromQl::Instant { expr, at_ms }],
        }
    }
}

/// What the suite asks of hosts, as far as PromQL can say it.
pub(crate) fn of_hosts(bodies: &Bodies, variants: usize) -> Vec<Case> {
    let fields = tsbs::FIELDS;
    let first = fields[0];
    let hosts = bodies.series / fields.len();
    let some_hosts = move |random: &mut ChaCha8Rng| -> String {
        let chosen = index::sample(random, hosts, SOME_HOSTS.min(hosts)).into_iter();
        let names: Vec<_> = chosen.map(|host| format!("host_{host}")).collect();
        format!("hostname=~\"{}\"", names.join("|"))
    };
    let maximum = |fields: &[&str], hosts: &str, window: &str| {
        by_field(fields, |field| {
            format!("max(max_over_time({field}{{{hosts}}}[{window}]))")
        })
    };
    let mut maker = Maker::new(bodies, variants);
    vec![
        maker.over("single-groupby-1-1-1", (HOUR_MS, MINUTE_MS), |random| {
            let host = random.random_range(0..hosts);
            format!("max(max_over_time({first}{{hostname=\"host_{host}\"}}[1m]))")
        }),
        maker.over("single-groupby-5-8-1", (HOUR_MS, MINUTE_MS), |random| {
            maximum(&fields[..5], &some_hosts(random), "1m")
        }),
        maker.over("cpu-max-all-8", (8 * HOUR_MS, HOUR_MS), |random| {
            maximum(&fields, &some_hosts(random), "1h")
        }),
        maker.over("double-groupby-1", (12 * HOUR_MS, HOUR_MS), |_| {
            format!("avg by (hostname) (avg_over_time({first}[1h]))")
        }),
        maker.over("double-groupby-all", (12 * HOUR_MS, HOUR_MS), |_| {
            by_field(&fields, |field| {
                format!("avg by (hostname) (avg_over_time({field}[1h]))")
            })
        }),
        maker.over("high-cpu-all", (12 * HOUR_MS, MINUTE_MS), |_| {
            format!("max by (hostname) (max_over_time({first}[1m])) > 90")
        }),
        maker.last("lastpoint", first),
        maker.last("lastpoint, all metrics", r#"{__name__=~"cpu_.*"}"#),
        maker.over("groupby-orderby-limit", (5 * MINUTE_MS, MINUTE_MS), |_| {
            format!("max(max_over_time({first}[1m]))")
        }),
    ]
}

/// What dashboards ask of counters and histograms.
pub(crate) fn of_services(bodies: &Bodies, variants: usize) -> Vec<Case> {
    let (requests, buckets) = (services::REQUESTS, services::BUCKETS);
    let mut maker = Maker::new(bodies, variants);
    // Where counters begin, Prometheus 2.42 and 3 extrapolate by different rules.
    maker.begins_after_ms = 10 * MINUTE_MS;
    vec![
        maker.over("rate over all counters", (HOUR_MS, MINUTE_MS), |_| {
            format!("sum by (service) (rate({requests}[5m]))")
        }),
        maker.over("histogram_quantile by service", (HOUR_MS, MINUTE_MS), |_| {
            format!("histogram_quantile(0.99, sum by (service, le) (rate({buckets}[5m])))")
        }),
    ]
}

/// What has to touch every one of very many series. The last points are summed, so that writing a million series as
/// JSON is not what is measured.
pub(crate) fn of_pods(bodies: &Bodies) -> Vec<Case> {
    let maker = Maker::new(bodies, 1);
    vec![
        maker.last("count of everything", r#"count({__name__=~".+"})"#),
        maker.last(
            "last point of everything, summed by metric",
            r#"sum by (__name__) ({__name__=~"container_.+"})"#,
        ),
    ]
}

fn by_field(fields: &[&str], expr: impl Fn(&str) -> String) -> String {
    let labelled = fields.iter().map(|field| {
        let expr = expr(field);
        format!("label_replace({expr}, \"field\", \"{field}\", \"\", \"\")")
    });
    labelled.collect::<Vec<_>>().join(" or ")
}

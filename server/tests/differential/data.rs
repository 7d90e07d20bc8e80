//! The data that both programs are given: always the same.
//!
//! No sample is at a whole second and every query is at one, so that windows which hold their first instant (Prometheus 2)
//! and those which do not (Prometheus 3) have the same samples in them.

use std::ops::Range;

use barograph_model::stale_nan;

use crate::program::{Pairs, pairs};

/// 2026-01-01 00:00:00 UTC.
pub const START_MS: i64 = 1_767_225_600_000;

/// Samples of each series that is scraped all the time.
const SCRAPES: i64 = 180;

/// The distance of two scrapes.
const INTERVAL_MS: i64 = 15_000;

/// A series with its samples.
pub type Series = (Pairs, Vec<(i64, f64)>);

/// The upper bounds of the histogram.
const BOUNDS: [&str; 7] = ["0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf"];

/// Numbers that look random and are the same in every run. Source: G. Marsaglia, "Xorshift RNGs" (2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A whole number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// When a scrape takes place: between two whole seconds.
    fn instant(&mut self, scrape: i64) -> i64 {
        START_MS + scrape * INTERVAL_MS + 100 + self.below(800) as i64
    }
}

/// All series, each with ascending samples.
pub fn series() -> Vec<Series> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut all = Vec::new();
    for (job, instance) in [
        ("api", "1"),
        ("api", "2"),
        ("api", "3"),
        ("db", "1"),
        ("db", "4"),
        ("db", "5"),
    ] {
        let of = |metric: &str| pairs(&[("__name__", metric), ("job", job), ("instance", instance)]);
        for code in ["200", "404", "500"] {
            let mut labels = of("requests_total");
            labels.push(("code".to_owned(), code.to_owned()));
            labels.sort();
            all.push((labels, counter(&mut dice)));
        }
        all.push((of("temperature"), walk(&mut dice)));
        all.push((
            of("up"),
            scraped(&mut dice, |dice| f64::from(u8::from(dice.below(12) != 0))),
        ));
    }
    for instance in ["1", "2", "3"] {
        let of = |metric: &str| pairs(&[("__name__", metric), ("instance", instance)]);
        all.push((of("queue_length"), scraped(&mut dice, odd_number)));
        all.push((of("gone"), gone(&mut dice)));
        all.push((of("sparse"), sparse(&mut dice)));
        all.push((of("near_zero_total"), near_zero(&mut dice)));
        let mut labels = of("build_info");
        labels.push(("version".to_owned(), format!("v{instance}")));
        all.push((labels, scraped(&mut dice, |_| 1.0)));
        histogram(&mut dice, instance, &mut all);
    }
    all
}

fn scraped(dice: &mut Dice, mut value: impl FnMut(&mut Dice) -> f64) -> Vec<(i64, f64)> {
    (0..SCRAPES)
        .map(|scrape| (dice.instant(scrape), value(dice)))
        .collect()
}

/// A counter that begins anew now and then, far from zero, and is not always scraped.
fn counter(dice: &mut Dice) -> Vec<(i64, f64)> {
    let mut value = 20_000.0;
    let mut samples = Vec::new();
    let mut missing = 0;
    for scrape in 0..SCRAPES {
        // Fractions, since of two equal values it is open which one `topk` keeps.
        value += dice.below(60_000) as f64 / 1_000.0;
        if dice.below(50) == 0 {
            value = 10_000.0 - value / 10.0;
        }
        if dice.below(25) == 0 {
            missing = dice.below(5);
        }
        if missing > 0 {
            missing -= 1;
            continue;
        }
        samples.push((dice.instant(scrape), value));
    }
    samples
}

/// A gauge that wanders around zero.
fn walk(dice: &mut Dice) -> Vec<(i64, f64)> {
    let mut value = 3.0;
    scraped(dice, |dice| {
        value += dice.below(6_000) as f64 / 1_000.0 - 3.0 - value / 50.0;
        value
    })
}

/// Small whole numbers, and what is none.
fn odd_number(dice: &mut Dice) -> f64 {
    match dice.below(60) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        other => (other % 7) as f64,
    }
}

/// A series that goes and comes back, each time with a staleness marker.
fn gone(dice: &mut Dice) -> Vec<(i64, f64)> {
    let mut samples = Vec::new();
    let mut is_there = true;
    for scrape in 0..SCRAPES {
        let turns = dice.below(15) == 0;
        if is_there {
            let value = if turns {
                stale_nan()
            } else {
                (dice.below(100) + 1) as f64
            };
            samples.push((dice.instant(scrape), value));
        }
        is_there = is_there != turns;
    }
    samples
}

/// A sample every few minutes: often older than the lookback.
fn sparse(dice: &mut Dice) -> Vec<(i64, f64)> {
    let mut value = 1_000.0;
    let mut scrape = 0;
    let mut samples = Vec::new();
    while scrape < SCRAPES {
        value += dice.below(100) as f64;
        samples.push((dice.instant(scrape), value));
        scrape += 8 + dice.below(20) as i64;
    }
    samples
}

/// A counter that often begins at zero again, behind a gap.
fn near_zero(dice: &mut Dice) -> Vec<(i64, f64)> {
    let mut value = 0.0;
    let mut samples = Vec::new();
    for scrape in 0..SCRAPES {
        if scrape % 17 < 4 {
            value = 0.0;
            continue;
        }
        value += dice.below(5) as f64;
        samples.push((dice.instant(scrape), value));
    }
    samples
}

/// Buckets, count and sum of one histogram.
fn histogram(dice: &mut Dice, instance: &str, all: &mut Vec<Series>) {
    let mut buckets = vec![Vec::new(); BOUNDS.len()];
    let mut counts = [5_000.0; BOUNDS.len()];
    let (mut sum, mut sums) = (1_000.0, Vec::new());
    for scrape in 0..SCRAPES {
        let ts = dice.instant(scrape);
        for _ in 0..dice.below(30) {
            let bucket = dice.below(BOUNDS.len() as u64) as usize;
            counts[bucket..].iter_mut().for_each(|count| *count += 1.0);
            sum += 0.25 * (bucket + 1) as f64;
        }
        buckets
            .iter_mut()
            .zip(counts)
            .for_each(|(bucket, count)| bucket.push((ts, count)));
        sums.push((ts, sum));
    }
    let of = |metric: &str| pairs(&[("__name__", metric), ("instance", instance)]);
    all.push((of("latency_seconds_sum"), sums));
    all.push((of("latency_seconds_count"), buckets[BOUNDS.len() - 1].clone()));
    for (bound, bucket) in BOUNDS.iter().zip(buckets) {
        let mut labels = of("latency_seconds_bucket");
        labels.push(("le".to_owned(), (*bound).to_owned()));
        labels.sort();
        all.push((labels, bucket));
    }
}

/// The series cut into parts by time, since Prometheus takes nothing that is an hour behind the newest.
pub fn parts(series: &[Series]) -> Vec<Vec<Series>> {
    const PART_MS: i64 = 600_000;
    let end = START_MS + SCRAPES * INTERVAL_MS;
    let starts = (START_MS..end).step_by(PART_MS as usize);
    starts
        .map(|start| {
            let inside = |samples: &[(i64, f64)]| -> Vec<(i64, f64)> {
                let is_inside = |(ts, _): &&(i64, f64)| (start..start + PART_MS).contains(ts);
                samples.iter().filter(is_inside).copied().collect()
            };
            let all = series
                .iter()
                .map(|(labels, samples)| (labels.clone(), inside(samples)));
            all.filter(|(_, samples)| !samples.is_empty()).collect()
        })
        .collect()
}

/// The series cut in two: what is written before a start of the program, which then lies in segments, and what is written
/// after it, which is in memory. The first twenty minutes are on disk alone, the last fifteen in memory alone, and in
/// between the samples of each series alternate: so a window has what it needs in one place, in the other, or in both.
pub fn around_a_start(series: &[Series]) -> [Vec<Series>; 2] {
    const MIXED: Range<i64> = START_MS + 1_200_000..START_MS + 1_800_000;
    let is_before = |place: usize, ts: i64| ts < MIXED.start || (ts < MIXED.end && place.is_multiple_of(2));
    [true, false].map(|before| {
        let chosen = |samples: &[(i64, f64)]| -> Vec<(i64, f64)> {
            let places = samples.iter().copied().enumerate();
            places
                .filter(|(place, (ts, _))| is_before(*place, *ts) == before)
                .map(|(_, sample)| sample)
                .collect()
        };
        let all = series
            .iter()
            .map(|(labels, samples)| (labels.clone(), chosen(samples)));
        all.filter(|(_, samples)| !samples.is_empty()).collect()
    })
}

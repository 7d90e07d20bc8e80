//! Native histograms, exemplars and metadata beside samples, in all that the simulated store goes through.
//!
//! Each thing that is written has a number, from which it can be made again. So the model holds the number, and what
//! is read is compared as a whole with what its number makes.

use barograph_model::{
    Exemplar, Histogram, HistogramCounts, HistogramParts, Metadata, MetricType, ResetHint, Span,
};

use super::faults::{faults_in_merges, flip_a_bit};
use super::*;
use crate::{LaneKind, SeriesSet, Snapshot};

/// Families are of no instant: nothing deletes them and they do not expire.
const OF_NO_INSTANT: i64 = i64::MAX;
const FAMILIES: u64 = 5;

/// Adds a histogram, an exemplar or metadata to a batch; gives its place in the model and its value there. Instants are
/// whole minutes, so that many are written again when the first write is in a segment already.
pub(super) fn push(
    columns: &mut SampleColumns,
    labels: &Labels,
    ts: i64,
    kind: u32,
    number: u64,
) -> (Key, u64) {
    let series = columns.head().series(labels);
    let ts = ts - ts.rem_euclid(60_000);
    match kind {
        0..2 => {
            columns.push_histogram(series, ts, histogram(number));
            (histogram_key(labels, ts), number)
        }
        2..4 => {
            let exemplar = exemplar(number, ts);
            let written = (exemplar_key(labels, &exemplar), exemplar.value.to_bits());
            columns.push_exemplar(series, exemplar);
            written
        }
        _ => {
            let family = format!("family {}", number % FAMILIES);
            columns.push_metadata(family.clone(), metadata(number));
            ((family, OF_NO_INSTANT), number)
        }
    }
}

/// Adds all that a snapshot has beside samples to a view.
pub(super) fn read(snapshot: &Snapshot, set: &SeriesSet, view: &mut View) -> Result<()> {
    let mut enter = |key: Key, number: u64| {
        let earlier = view.insert(key.clone(), number);
        assert_eq!(earlier, None, "{key:?} comes twice");
    };
    let (mut histograms, mut count) = (snapshot.histograms(set, TimeRange::ALL), 0);
    let mut rows = Vec::new();
    while let Some(position) = histograms.next_series(&mut rows)? {
        let labels = set.labels(position)?;
        for (ts, found) in rows.drain(..) {
            let number = found.parts().created.map_or(0, |created| created.0 as u64);
            assert_eq!(found, histogram(number), "{labels} at {ts}");
            enter(histogram_key(&labels, ts), number);
            count += 1;
        }
    }
    assert_eq!(rows_in_batches(snapshot, LaneKind::Histograms, set)?, count);
    let (mut exemplars, mut count) = (snapshot.exemplars(set, TimeRange::ALL), 0);
    let mut rows = Vec::new();
    while let Some(position) = exemplars.next_series(&mut rows)? {
        let labels = set.labels(position)?;
        for (ts, found) in rows.drain(..) {
            assert_eq!(found.ts, TimestampMs(ts));
            enter(exemplar_key(&labels, &found), found.value.to_bits());
            count += 1;
        }
    }
    assert_eq!(rows_in_batches(snapshot, LaneKind::Exemplars, set)?, count);
    for (family, found) in snapshot.metadata().iter() {
        let number = found.help.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(*found, metadata(number), "{family}");
        enter((family.to_owned(), OF_NO_INSTANT), number);
    }
    Ok(())
}

/// How many rows of a lane SQL would see.
fn rows_in_batches(snapshot: &Snapshot, kind: LaneKind, set: &SeriesSet) -> Result<usize> {
    let batches = snapshot.lane_batches(kind, set, TimeRange::ALL);
    batches.map(|batch| Ok(batch?.positions.len())).sum()
}

fn histogram_key(labels: &Labels, ts: i64) -> Key {
    (format!("{labels} histogram"), ts)
}

/// Exemplars of an instant differ in their labels.
fn exemplar_key(labels: &Labels, exemplar: &Exemplar) -> Key {
    (format!("{labels} exemplar {}", exemplar.labels), exemplar.ts.0)
}

/// Integers and floats, exponential and custom buckets, markers of staleness, gauges, sums that are no number.
fn histogram(number: u64) -> Histogram {
    let span = |offset, length| Span { offset, length };
    let exponential = HistogramParts {
        schema: (number % 13) as i32 - 4,
        created: Some(TimestampMs(number as i64)),
        sum: number as f64 / 10.0,
        zero_threshold: 1e-9,
        positive_spans: vec![span(-3, 2), span(4, 1)],
        negative_spans: vec![span(number as i32, 2)],
        ..HistogramParts::default()
    };
    let custom = HistogramParts {
        schema: -53,
        zero_threshold: 0.0,
        positive_spans: vec![span(0, 1), span(1, 2)],
        negative_spans: Vec::new(),
        custom_values: vec![-1.5, 0.1 + 0.2, number as f64 + 1.0],
        ..exponential.clone()
    };
    let integers = |zero_count, positive: [u64; 3], negative: &[u64]| HistogramCounts::Integer {
        count: zero_count + positive.iter().chain(negative).sum::<u64>(),
        zero_count,
        positive: positive.to_vec(),
        negative: negative.to_vec(),
    };
    let floats = |zero_count, positive: [f64; 3], negative: &[f64]| HistogramCounts::Float {
        count: number as f64,
        zero_count,
        positive: positive.to_vec(),
        negative: negative.to_vec(),
    };
    let third = number as f64 / 3.0;
    let parts = match number % 6 {
        0 => HistogramParts {
            counts: integers(number % 5, [number, 0, 1 << 40], &[3, number]),
            ..exponential
        },
        1 => HistogramParts {
            reset_hint: ResetHint::Gauge,
            counts: floats(0.25, [third, 0.0, 1e300], &[third, 0.5]),
            ..exponential
        },
        2 => HistogramParts {
            counts: integers(0, [number, 1, 0], &[]),
            ..custom
        },
        3 => HistogramParts {
            reset_hint: ResetHint::Yes,
            counts: floats(0.0, [third, third, f64::MIN_POSITIVE], &[]),
            ..custom
        },
        4 => HistogramParts {
            created: exponential.created,
            sum: stale_nan(),
            ..HistogramParts::default()
        },
        _ => HistogramParts {
            sum: f64::NAN,
            reset_hint: ResetHint::No,
            counts: integers(0, [u64::from(u32::MAX), number, 9], &[0, 0]),
            ..exponential
        },
    };
    Histogram::new(parts).unwrap()
}

fn exemplar(number: u64, ts: i64) -> Exemplar {
    let trace = format!("trace {}", number % 3);
    let labels = match number % 5 {
        0 => Labels::from_pairs::<&str, &str>([]),
        1 => Labels::from_pairs([("trace_id", trace.as_str()), ("ünï", "code")]),
        _ => Labels::from_pairs([("trace_id", trace.as_str())]),
    };
    let value = match number % 11 {
        0 => f64::NAN,
        1 => f64::NEG_INFINITY,
        _ => number as f64 / 7.0,
    };
    Exemplar {
        labels: labels.unwrap(),
        value,
        ts: TimestampMs(ts),
    }
}

fn metadata(number: u64) -> Metadata {
    Metadata {
        metric_type: MetricType::from_number(number % 8),
        help: format!("{}what it is {number}", "ü".repeat((number % 40) as usize)),
        unit: ["", "seconds"][(number % 2) as usize].to_owned(),
    }
}

#[test]
fn lives_with_lanes_that_end_in_power_cuts_kills_and_failing_disks() {
    for_each_seed(2, |seed| lives(Simulation::with_lanes(seed)));
}

#[test]
fn a_power_cut_after_operations_of_one_life_with_lanes() {
    // Every twelfth of the operations, other ones for each seed.
    for_each_seed(1, |seed| {
        let mut some = (seed * 5 % 12..).step_by(12);
        assert!(some.any(|operations| life_cut_after(operations, Simulation::with_lanes(seed))));
    });
}

#[test]
fn a_power_cut_a_full_disk_or_a_failing_sync_in_merges_of_lanes() {
    for_each_seed(1, |seed| faults_in_merges(seed, 800, Simulation::with_lanes));
}

#[test]
fn a_flipped_bit_in_lanes_is_served_by_nobody_and_reported() {
    for_each_seed(12, |seed| flip_a_bit(Simulation::with_lanes(seed)));
}

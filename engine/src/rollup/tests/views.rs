//! Buckets as a scan of buckets gives them, and as they follow from a scan of rows, of one snapshot.

use std::collections::BTreeMap;

use barograph_model::{Labels, TimeRange};

use crate::rollup::bucket::buckets_of;
use crate::rollup::{Bucket, BucketBlock, BucketParts, RollupWidth};
use crate::segment::DAY_MS;
use crate::{Result, SampleBlock, Snapshot};

/// Buckets by series, end, and instant of the first row, since one at the start of a day has two parts.
pub(crate) type Buckets = BTreeMap<(Labels, i64, i64), Bucket>;

/// By a scan of buckets.
pub(crate) fn scanned(snapshot: &Snapshot, range: TimeRange, width: RollupWidth) -> Result<Buckets> {
    let from = range.start.0.saturating_sub(width.ms());
    let set = snapshot.select(&[], TimeRange::new(from, range.end.0))?;
    let mut found = Buckets::new();
    let scan = snapshot.scan_rollup(&set, range, width, BucketParts::ALL);
    for mut partition in scan.partitions(0..set.len()) {
        let mut block = BucketBlock::default();
        while partition.next_block(&mut block)? {
            for (series, buckets) in block.iter() {
                assert!(buckets.windows(2).all(|pair| pair[0].end < pair[1].end));
                let labels = set.labels(series)?;
                for bucket in buckets {
                    let key = (labels.as_ref().clone(), bucket.end, bucket.first_ts);
                    assert_eq!(found.insert(key, *bucket), None, "each bucket once");
                }
            }
        }
    }
    Ok(found)
}

/// By the rows that can be read.
pub(crate) fn from_rows(snapshot: &Snapshot, width: RollupWidth) -> Result<Buckets> {
    let set = snapshot.select(&[], TimeRange::ALL)?;
    let mut rows: BTreeMap<(Labels, i64), (Vec<i64>, Vec<f64>)> = BTreeMap::new();
    for mut partition in snapshot.scan(&set, TimeRange::ALL).into_partitions() {
        let mut block = SampleBlock::default();
        while partition.next_block(&mut block)? {
            let mut row = 0;
            for run in &block.runs {
                let labels = set.labels(run.series)?;
                for row in row..run.end {
                    let day = block.ts[row].div_euclid(DAY_MS);
                    let (ts, values) = rows.entry((labels.as_ref().clone(), day)).or_default();
                    ts.push(block.ts[row]);
                    values.push(block.values[row]);
                }
                row = run.end;
            }
        }
    }
    let mut buckets = Buckets::new();
    for ((labels, _), (ts, values)) in rows {
        for bucket in buckets_of(width, &ts, &values) {
            buckets.insert((labels.clone(), bucket.end, bucket.first_ts), bucket);
        }
    }
    Ok(buckets)
}

/// The first bucket that is in only one of two views, or not the same in both; those that `is_judged` says.
pub(crate) fn difference(
    a: &Buckets,
    b: &Buckets,
    is_judged: impl Fn(&Labels, i64) -> bool,
) -> Option<String> {
    let keys = a
        .keys()
        .chain(b.keys())
        .filter(|(labels, end, _)| is_judged(labels, *end));
    for key in keys {
        let is_same = match (a.get(key), b.get(key)) {
            (Some(x), Some(y)) => x.is_same(y),
            _ => false,
        };
        if !is_same {
            return Some(format!("{key:?}: {:?} and {:?}", a.get(key), b.get(key)));
        }
    }
    None
}

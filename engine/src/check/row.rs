//! One row of a segment of any kind: whether it is of the series whose turn it is, in order, and possible.

use arrow::array::{Array, Int64Array, TimestampMillisecondArray};
use barograph_model::is_stale;

use super::finding::FileFindings;
use super::segment::{Current, WRITTEN_SO};
use crate::Result;
use crate::rollup::{Bucket, BucketColumns, RollupWidth};
use crate::segment::{
    FLAG_STALE, LaneWalk, POW10, RollupWalk, SamplesBatch, SamplesWalk, SegmentKind, SegmentMeta, Walk,
};

/// Whole numbers are exact in a double up to here.
const MANTISSA_MAX: u64 = 1 << 53;

/// The batches of a file of any kind.
pub(super) enum Batches {
    Samples(SamplesWalk),
    Lane(LaneWalk),
    Buckets(RollupWalk),
}

impl Batches {
    pub(super) fn open(walk: &Walk, kind: SegmentKind) -> Result<Self> {
        Ok(match kind {
            SegmentKind::Samples => Self::Samples(walk.samples()?),
            SegmentKind::Histograms | SegmentKind::Exemplars => Self::Lane(walk.lane()?),
            SegmentKind::FiveMinutes | SegmentKind::OneHour => Self::Buckets(walk.buckets()?),
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<Batch>> {
        Ok(match self {
            Self::Samples(walk) => walk.next()?.map(Batch::Samples),
            Self::Lane(walk) => walk.next()?.map(|(ids, ts)| Batch::Lane(ids, ts)),
            Self::Buckets(walk) => walk.next()?.map(Batch::Buckets),
        })
    }
}

/// Some rows of any of them.
pub(super) enum Batch {
    Samples(SamplesBatch),
    Lane(Int64Array, TimestampMillisecondArray),
    Buckets(BucketColumns),
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.columns().1.len()
    }

    /// Whose rows, and what they are ordered by: their instant, or the end of the bucket.
    fn columns(&self) -> (&Int64Array, &TimestampMillisecondArray) {
        match self {
            Self::Samples(batch) => (&batch.ids, &batch.ts),
            Self::Lane(ids, ts) => (ids, ts),
            Self::Buckets(batch) => (&batch.ids, &batch.ends),
        }
    }
}

/// Looks at one row.
pub(super) fn check_row(
    current: &mut Current,
    batch: &Batch,
    i: usize,
    row: u64,
    meta: &SegmentMeta,
    findings: &mut FileFindings,
) {
    let (ids, keys) = batch.columns();
    let (id, key) = (ids.value(i), keys.value(i));
    if id != current.entry.id.0 {
        let what = format!(
            "row {row} is of series {id}, the series file says {}",
            current.entry.id
        );
        findings.damage(what, WRITTEN_SO);
    }
    // A series may have several exemplars at one instant, and one of anything else.
    let is_behind =
        key > current.last_key || (key == current.last_key && meta.kind == SegmentKind::Exemplars);
    if current.first_ts.is_some() && !is_behind {
        let what = format!(
            "row {row} of series {id}: instant {key} after {}",
            current.last_key
        );
        findings.damage(what, WRITTEN_SO);
    }
    current.last_key = key;
    let (first, last) = match batch {
        Batch::Samples(batch) => {
            check_value(batch, i, row, findings);
            (key, key)
        }
        Batch::Lane(..) => (key, key),
        Batch::Buckets(batch) => match (batch.row(i), meta.kind.width()) {
            (Ok(bucket), Some(width)) => {
                if let Err(what) = check_bucket(&bucket, width) {
                    findings.damage(format!("row {row} of series {id}: {what}"), WRITTEN_SO);
                }
                (bucket.first_ts, bucket.stale_ts.unwrap_or(bucket.last_ts))
            }
            (Err(found), _) => {
                findings.damage(format!("row {row} of series {id}: {found}"), WRITTEN_SO);
                (key, key)
            }
            (Ok(_), None) => (key, key), // a file of buckets has a width
        },
    };
    current.first_ts.get_or_insert(first);
    current.last_ts = last;
}

/// What holds of every bucket.
fn check_bucket(bucket: &Bucket, width: RollupWidth) -> std::result::Result<(), String> {
    if bucket.end != width.end_of(bucket.end) {
        return Err(format!("a bucket that ends at {}", bucket.end));
    }
    let newest = bucket.stale_ts.unwrap_or(bucket.last_ts);
    let inside = width.first_of(bucket.end)..=bucket.end;
    if !inside.contains(&bucket.first_ts)
        || !inside.contains(&newest)
        || !(bucket.first_ts..=newest).contains(&bucket.last_ts)
    {
        return Err(format!(
            "instants {}, {} and {newest} of the bucket that ends at {}",
            bucket.first_ts, bucket.last_ts, bucket.end
        ));
    }
    let steps = bucket.count.saturating_sub(1);
    if bucket.resets > bucket.changes || bucket.changes > steps {
        return Err(format!(
            "{} resets and {} changes in {} values",
            bucket.resets, bucket.changes, bucket.count
        ));
    }
    if bucket.count == 0 && bucket.stale_ts.is_none() {
        return Err("a bucket without any row".to_owned());
    }
    if bucket.min > bucket.max {
        return Err(format!("values from {} to {}", bucket.min, bucket.max));
    }
    Ok(())
}

/// The value of one row of samples.
fn check_value(batch: &SamplesBatch, i: usize, row: u64, findings: &mut FileFindings) {
    let id = batch.ids.value(i);
    let exponent = batch.exponents.value(i);
    if usize::try_from(exponent).map_or(true, |e| e >= POW10.len()) {
        let what = format!(
            "row {row} of series {id}: exponent {exponent} is not of 0 to {}",
            POW10.len() - 1
        );
        findings.damage(what, WRITTEN_SO);
    }
    let mantissa = batch.mantissas.value(i);
    if mantissa.unsigned_abs() > MANTISSA_MAX {
        let what = format!("row {row} of series {id}: mantissa {mantissa} is not exact in a double");
        findings.damage(what, WRITTEN_SO);
    }
    let float = (!batch.floats.is_null(i)).then(|| batch.floats.value(i));
    let flags = if float.is_some_and(is_stale) {
        FLAG_STALE
    } else {
        0
    };
    if batch.flags.value(i) != flags {
        let what = format!(
            "row {row} of series {id}: flags {} of a value that has {flags}",
            batch.flags.value(i)
        );
        findings.damage(what, WRITTEN_SO);
    }
}

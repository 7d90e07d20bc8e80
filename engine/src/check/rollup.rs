//! Rollups against the rows they were made of.
//!
//! A rollup may have less of a series than its day's segment at the front, because rows whose time is up are not rolled
//! up, and more, because it outlives them. From where both begin on they must be the same, bit for bit. Where a delete is
//! not carried out in both yet, or late samples have come, there is nothing to compare.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{SeriesId, TimeRange};

use super::finding::FileFindings;
use super::store::Part;
use crate::Result;
use crate::compaction::{merge, open_sources};
use crate::index::StorageKey;
use crate::manifest::Version;
use crate::rollup::{Accumulator, Bucket, Carried, Place, RollupWidth, age, is_behind, newest};
use crate::segment::{DAY_MS, SegmentKind, SegmentMeta};
use crate::tombstone::Tombstones;
use crate::vfs::Vfs;

/// A bucket that is as it was written, and wrong all the same.
const MADE_SO: &str = "the checksums are right, so it was made so: keep both files and report a bug of Barograph; without rollups (`[rollup]`) queries read the samples";

/// A rollup with what it was made of.
#[derive(Debug)]
pub(super) struct Pair {
    width: RollupWidth,
    rollup: Vec<SegmentMeta>,
    rows: Vec<SegmentMeta>,
}

/// The rollups of a store that can be compared.
pub(super) fn pairs(version: &Version) -> Vec<Pair> {
    let mut days: BTreeMap<(i64, RollupWidth), Vec<SegmentMeta>> = BTreeMap::new();
    for meta in &version.segments {
        if let Some(width) = meta.kind.width() {
            days.entry((meta.window, width)).or_default().push(meta.clone());
        }
    }
    let pairs = days.into_iter().filter_map(|((day, width), mut rollup)| {
        let of_day =
            |meta: &&SegmentMeta| meta.kind == SegmentKind::Samples && meta.level >= 2 && meta.window == day;
        let mut rows: Vec<SegmentMeta> = version.segments.iter().filter(of_day).cloned().collect();
        rows.sort_by(|a, b| (a.sequence, &a.name).cmp(&(b.sequence, &b.name)));
        let newest_age = rollup.iter().map(age).max()?;
        rollup.retain(|meta| age(meta) == newest_age);
        let range = TimeRange::new(day, day.saturating_add(DAY_MS - 1));
        let has_deletes = version.tombstones.iter().any(|t| t.range().overlaps(&range));
        let is_same = !rows.is_empty() && !is_behind(newest_age, newest(&rows)) && !has_deletes;
        is_same.then_some(Pair { width, rollup, rows })
    });
    pairs.collect()
}

/// Makes the buckets of the rows once more and compares them.
pub(super) fn check(vfs: &Arc<dyn Vfs>, pair: &Pair) -> Part {
    let path = pair.rollup.first().map(SegmentMeta::samples_path);
    let mut findings = FileFindings::new(path.unwrap_or_default());
    // A file that cannot be read has findings of its own.
    let _ = compare(vfs, pair, &mut findings);
    let mut part = Part::default();
    part.take(findings);
    part
}

fn compare(vfs: &Arc<dyn Vfs>, pair: &Pair, findings: &mut FileFindings) -> Result<()> {
    let none = Tombstones::default();
    let mut rollup = Carried::open(vfs, pair.width, &pair.rollup, &none)?;
    let mut made = Made::new(pair.width);
    merge(
        open_sources(vfs, &pair.rows, &none)?,
        &|_| i64::MIN,
        &mut |id, labels, ts, values| {
            if made.place.as_ref().is_none_or(|place| place.1 != id) {
                made.end(&mut rollup, findings)?;
                made.place = Some((StorageKey::of(labels), id));
            }
            made.accumulator.push(ts, values, &mut made.buckets);
            Ok(())
        },
        &|| false,
    )?;
    made.end(&mut rollup, findings)
}

/// The buckets of the series whose rows come by.
struct Made {
    width: RollupWidth,
    place: Option<Place>,
    accumulator: Accumulator,
    buckets: Vec<Bucket>,
}

impl Made {
    fn new(width: RollupWidth) -> Self {
        Self {
            width,
            place: None,
            accumulator: Accumulator::new(width),
            buckets: Vec::new(),
        }
    }

    /// Compares the series at hand with what the rollup has of it.
    fn end(&mut self, rollup: &mut Carried, findings: &mut FileFindings) -> Result<()> {
        let Some(place) = self.place.take() else {
            return Ok(());
        };
        self.accumulator.finish(&mut self.buckets);
        let made = std::mem::take(&mut self.buckets);
        while rollup.place().is_some_and(|there| *there < place) {
            rollup.take()?;
        }
        if rollup.place() != Some(&place) {
            return Ok(());
        }
        let there = rollup.take()?.map_or_else(Vec::new, |(_, buckets)| buckets);
        let (Some(first_made), Some(first_there)) = (made.first(), there.first()) else {
            return Ok(());
        };
        // Of the first bucket with rows some may be gone.
        let from = first_made
            .end
            .saturating_add(self.width.ms())
            .max(first_there.end);
        compare_series(place.1, from, &made, &there, findings);
        Ok(())
    }
}

fn compare_series(id: SeriesId, from: i64, made: &[Bucket], there: &[Bucket], findings: &mut FileFindings) {
    let after = |buckets: &[Bucket]| -> BTreeMap<i64, Bucket> {
        let after = buckets.iter().filter(|bucket| bucket.end >= from);
        after.map(|bucket| (bucket.end, *bucket)).collect()
    };
    let (made, there) = (after(made), after(there));
    for (end, bucket) in &made {
        match there.get(end) {
            None => findings.damage(format!("series {id}: no bucket that ends at {end}"), MADE_SO),
            Some(other) if !bucket.is_same(other) => {
                let what = format!("series {id}: {other:?}, while the samples give {bucket:?}");
                findings.damage(what, MADE_SO);
            }
            Some(_) => {}
        }
    }
    for end in there.keys().filter(|end| !made.contains_key(end)) {
        let what = format!("series {id}: a bucket that ends at {end} and has no samples");
        findings.damage(what, MADE_SO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: RollupWidth = RollupWidth::FiveMinutes;

    fn buckets(values: &[(i64, f64)]) -> Vec<Bucket> {
        let (ts, values): (Vec<i64>, Vec<f64>) = values.iter().copied().unzip();
        let (mut accumulator, mut out) = (Accumulator::new(WIDTH), Vec::new());
        accumulator.push(&ts, &values, &mut out);
        accumulator.finish(&mut out);
        out
    }

    fn found(from: i64, made: &[Bucket], there: &[Bucket]) -> Vec<String> {
        let mut findings = FileFindings::new("f");
        compare_series(SeriesId(7), from, made, there, &mut findings);
        findings
            .into_findings()
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn what_is_other_missing_or_too_much_is_found() {
        let made = buckets(&[(1, 1.0), (300_001, 2.0), (600_001, 3.0)]);
        assert_eq!(found(300_000, &made, &made), [""; 0]);
        let mut other = made.clone();
        other[1].sum = -0.0;
        other[0].count = 9;
        let what = found(600_000, &made, &other);
        assert!(what.len() == 1 && what[0].contains("sum: -0.0"), "{what:?}");
        assert_eq!(found(900_000, &made, &other), [""; 0], "not before both begin");
        let what = found(300_000, &made, &made[..2]);
        assert_eq!(what, ["series 7: no bucket that ends at 900000"]);
        let what = found(300_000, &made[..2], &made);
        assert_eq!(
            what,
            ["series 7: a bucket that ends at 900000 and has no samples"]
        );
    }
}

//! What merges have to know of segments beyond the manifest: which rows may go, and which files are damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barograph_model::TimestampMs;
use roaring::RoaringBitmap;

use super::plan::Surveyed;
use crate::retention::Retention;
use crate::rollup::NothingLeft;
use crate::segment::{Segment, SegmentMeta};
use crate::tombstone::Tombstones;
use crate::{EngineError, Result};

/// Remembers what was found in segments, which never change. Held by the one merge that runs.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// by segment: the rows of each class of retention
    rows: BTreeMap<String, Vec<u64>>,
    damaged: BTreeSet<String>,
    /// days without a rollup, because none of their buckets may be kept
    pub(super) nothing_left: NothingLeft,
}

impl Survey {
    /// Looks into the indexes of segments that are new and forgets those that are gone. Looks at nothing while all
    /// series are kept for one time: then segments go whole. Gives the segments that could not be read.
    pub(super) fn update(
        &mut self,
        retention: &Retention,
        segments: &[Arc<Segment>],
    ) -> Vec<(SegmentMeta, EngineError)> {
        let names: BTreeSet<&str> = segments.iter().map(|s| s.meta.name.as_str()).collect();
        self.rows.retain(|name, _| names.contains(name.as_str()));
        self.damaged.retain(|name| names.contains(name.as_str()));
        let mut failed = Vec::new();
        if retention.rules().is_empty() {
            return failed;
        }
        for segment in segments {
            let name = &segment.meta.name;
            if self.rows.contains_key(name) || self.damaged.contains(name) {
                continue;
            }
            match rows_by_class(retention, segment) {
                Ok(rows) => _ = self.rows.insert(name.clone(), rows),
                Err(error) => failed.push((segment.meta.clone(), error)),
            }
        }
        failed
    }

    /// Leaves a segment, and what overlaps it, alone from now on; whether that is news.
    pub(super) fn set_damaged(&mut self, segment: &SegmentMeta) -> bool {
        self.damaged.insert(segment.name.clone())
    }

    /// The segments as the plan wants them. A segment that was never looked into has nothing to lose.
    pub(super) fn surveyed(
        &self,
        segments: &[SegmentMeta],
        tombstones: &Tombstones,
        retention: &Retention,
        now: TimestampMs,
    ) -> Vec<Surveyed> {
        let surveyed = |meta: &SegmentMeta| {
            let rows = self.rows.get(&meta.name).map_or(&[][..], Vec::as_slice);
            // A class counts when no instant of the segment is kept of it: so a segment is written anew once for each
            // class, and not again and again while the end of a retention moves through it.
            let expired = rows
                .iter()
                .enumerate()
                .filter(|(class, _)| meta.ts_max < retention.oldest_of_class(*class, meta.kind, now).0);
            let mask = tombstones.mask(meta);
            Surveyed {
                meta: meta.clone(),
                expired_rows: expired.map(|(_, rows)| rows).sum(),
                deletes: mask.len(),
                delete_asked_ms: mask.first_asked_ms(),
                is_damaged: self.damaged.contains(&meta.name),
            }
        };
        segments.iter().map(surveyed).collect()
    }
}

/// The rows of each rule's series, a series counting for the first rule it passes, and those of the rest.
fn rows_by_class(retention: &Retention, segment: &Segment) -> Result<Vec<u64>> {
    let rows_of = |places: &RoaringBitmap| places.iter().map(|p| segment.rows_of(p).len() as u64).sum();
    let mut rest = segment.select(&[])?;
    let mut rows = Vec::with_capacity(retention.rules().len() + 1);
    for rule in retention.rules() {
        let of_rule = segment.select(&rule.matchers)? & &rest;
        rest -= &of_rule;
        rows.push(rows_of(&of_rule));
    }
    rows.push(rows_of(&rest));
    Ok(rows)
}

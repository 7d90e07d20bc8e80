//! What merges have to know of segments beyond the manifest: which rows may go, and which files are damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barograph_model::TimestampMs;

use super::plan::Surveyed;
use crate::Result;
use crate::retention::Retention;
use crate::segment::{SegmentMeta, SeriesTable};
use crate::tombstone::Tombstones;
use crate::vfs::Vfs;

/// The rows of a segment that belong to one class of retention.
#[derive(Debug, Clone, Copy)]
struct Share {
    rows: u64,
    ts_max: i64,
}

/// Remembers what was found in segments, which never change. Held by the one merge that runs.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    shares: BTreeMap<String, Vec<Share>>,
    damaged: BTreeSet<String>,
}

impl Survey {
    /// Looks into segments that are new and forgets those that are gone. Reads nothing while all series are kept for
    /// one time: then segments go whole. Gives the segments that could not be read.
    pub(super) fn update(
        &mut self,
        vfs: &Arc<dyn Vfs>,
        retention: &Retention,
        segments: &[SegmentMeta],
    ) -> Vec<(SegmentMeta, crate::EngineError)> {
        let names: BTreeSet<&str> = segments.iter().map(|meta| meta.name.as_str()).collect();
        self.shares.retain(|name, _| names.contains(name.as_str()));
        self.damaged.retain(|name| names.contains(name.as_str()));
        let mut failed = Vec::new();
        if retention.is_uniform() {
            return failed;
        }
        for meta in segments {
            if self.shares.contains_key(&meta.name) || self.damaged.contains(&meta.name) {
                continue;
            }
            match shares(vfs, retention, meta) {
                Ok(shares) => _ = self.shares.insert(meta.name.clone(), shares),
                Err(error) => failed.push((meta.clone(), error)),
            }
        }
        failed
    }

    /// Leaves a segment, and what overlaps it, alone from now on.
    pub(super) fn set_damaged(&mut self, segment: &SegmentMeta) {
        self.damaged.insert(segment.name.clone());
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
            let shares = self.shares.get(&meta.name).map_or(&[][..], Vec::as_slice);
            // A class counts when all of its rows may go: so a segment is written anew once for each class, and not
            // again and again while the end of a retention moves through it.
            let expired = shares.iter().enumerate().filter(|(class, share)| {
                share.rows > 0 && share.ts_max < retention.oldest_of_class(*class, now).0
            });
            Surveyed {
                meta: meta.clone(),
                expired_rows: expired.map(|(_, share)| share.rows).sum(),
                delete_asked_ms: tombstones.first_asked_ms(meta),
                is_damaged: self.damaged.contains(&meta.name),
            }
        };
        segments.iter().map(surveyed).collect()
    }
}

fn shares(vfs: &Arc<dyn Vfs>, retention: &Retention, meta: &SegmentMeta) -> Result<Vec<Share>> {
    let none = Share {
        rows: 0,
        ts_max: i64::MIN,
    };
    let mut shares = vec![none; retention.classes()];
    for series in SeriesTable::open(vfs, meta)? {
        let series = series?;
        let share = &mut shares[retention.class_of(&series.labels)];
        share.rows += series.rows;
        share.ts_max = share.ts_max.max(series.ts_max);
    }
    Ok(shares)
}

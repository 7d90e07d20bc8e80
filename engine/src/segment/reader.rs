//! Reads chosen series out of a segment, in the order they lie there.

use std::sync::Arc;

use barograph_model::TimeRange;

use super::Segment;
use super::pages::SamplePages;
use super::verified::VerifiedBytes;
use crate::Result;

/// A reader that moves forward through a segment. Places must be asked for ascending, each at most once. Pages are read
/// when rows of them are asked for.
pub(crate) struct SegmentCursor {
    segment: Arc<Segment>,
    pages: SamplePages<VerifiedBytes>,
}

impl SegmentCursor {
    /// A cursor before the first row.
    pub(crate) fn open(segment: &Arc<Segment>) -> Result<Self> {
        let path = segment.meta.samples_path();
        let pages = SamplePages::open(&path, &segment.samples, &segment.samples_footer)?;
        Ok(Self {
            segment: Arc::clone(segment),
            pages,
        })
    }

    /// Appends the rows of a place that are in a range to `ts` and `values`.
    pub(crate) fn take(
        &mut self,
        place: u32,
        range: TimeRange,
        ts: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) -> Result<()> {
        self.pages.read(self.segment.rows_of(place), range, ts, values)
    }
}

//! Segments: the sealed files that hold all but the newest samples.
//!
//! A segment is two Parquet files, both sorted by (metric, job, instance, series_id), and an index over them:
//!
//! ```text
//! <name>.samples.parquet   series_id INT64, ts TIMESTAMP(ms, UTC), vm INT64, ve INT32, vf DOUBLE?, flags INT32
//! <name>.series.parquet    series_id INT64, metric VARCHAR, target INT64, labels MAP<VARCHAR, VARCHAR>?,
//!                          first_row INT64, rows INT64, ts_min, ts_max TIMESTAMP(ms, UTC)
//! <name>.index             labels -> series, series -> rows, checksums of the two others' blocks; see `sidecar`
//! ```
//!
//! A sample's value is `coalesce(vf, vm / pow(10, ve))`, exactly; `flags & 1` marks staleness. The series file says
//! which rows are whose, and has each label set once (`label_sets`), and both are plain Parquet for anyone else. Whoever reads them through this program uses the
//! index, opens only the pages it needs, and has every byte checked before it is looked at.

mod decimal;
mod file_writer;
mod instants;
mod label_sets;
mod lane_cursor;
mod lane_writer;
mod meta;
mod pages;
mod reader;
mod rollup_reader;
mod rollup_writer;
mod schema;
mod seal;
mod sealed;
mod series_file;
mod sidecar;
mod stream;
mod verified;
mod walk;
mod writer;

pub(crate) use decimal::{Decimal, POW10, power_of_ten};
pub(crate) use file_writer::at;
pub(crate) use lane_cursor::LaneCursor;
pub(crate) use lane_writer::LaneWriter;
pub(crate) use meta::{DAY_MS, SegmentKind, SegmentMeta};
pub(crate) use pages::{BucketPages, SamplePages};
pub(crate) use reader::SegmentCursor;
pub(crate) use rollup_reader::{RollupCursor, RollupStream};
pub(crate) use rollup_writer::RollupWriter;
pub(crate) use schema::{FLAG_STALE, timestamp};
pub(crate) use sealed::Segment;
pub(crate) use series_file::SeriesRow;
pub(crate) use stream::{SegmentStream, SeriesTable};
pub(crate) use walk::{
    IndexWalk, LaneWalk, RollupWalk, SamplesBatch, SamplesWalk, SeriesEntry, SeriesWalk, Walk,
};
pub(crate) use writer::SegmentWriter;

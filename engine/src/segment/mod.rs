//! Segments: the sealed files that hold all but the newest samples.
//!
//! A segment is two Parquet files for one two-hour window, or for a day at level 2, both sorted by (metric, job, instance, series_id):
//!
//! ```text
//! <name>.samples.parquet   series_id INT64, ts TIMESTAMP(ms, UTC), vm INT64, ve INT32, vf DOUBLE?, flags INT32
//! <name>.series.parquet    series_id INT64, metric VARCHAR, labels MAP<VARCHAR, VARCHAR>,
//!                          first_row INT64, rows INT64, ts_min, ts_max TIMESTAMP(ms, UTC)
//! ```
//!
//! A sample's value is `coalesce(vf, vm / pow(10, ve))`, exactly; `flags & 1` marks staleness. The series file says
//! which rows are whose, so a reader opens only the pages it needs, and both are plain Parquet for anyone else.

mod decimal;
mod file_writer;
mod meta;
mod reader;
mod schema;
mod sealed;
mod series_file;
mod stream;
mod writer;

pub(crate) use meta::{DAY_MS, SegmentMeta};
pub(crate) use reader::SegmentCursor;
pub(crate) use sealed::Segment;
pub(crate) use stream::{SegmentStream, SeriesTable};
pub(crate) use writer::SegmentWriter;

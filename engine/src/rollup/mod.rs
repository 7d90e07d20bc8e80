//! Rollups: what is left of the rows of each series in buckets of five minutes and of an hour, for queries over long
//! ranges and for longer than the rows are kept.
//!
//! ```text
//! width, bucket    what a bucket is, and how it is made of rows
//! columns          buckets as columns of a file: <name>.rollup_5m.parquet, <name>.rollup_1h.parquet
//! options          which are made, how long they are kept
//! parts            which parts of buckets a reader wants
//! plan             what to make next
//! carried, target  the rows of a day, and what is carried over from the rollup before, into new files
//! job              one rollup from plan to manifest, on the thread that merges
//! scan, day        reading: buckets of files where they are the same as those of the rows, else made of the rows
//! ```
//!
//! A rollup is a segment of a UTC day whose rows are buckets. Its `sequence` says which rows it is made of: all of the day
//! in segments with a number up to it; its `purged`, which deletes are carried out in it.
//!
//! Invariants:
//! - a bucket that a reader takes from a rollup has the same bits as one that is made of the rows, as long as all of those
//!   are kept. What the rollup does not know yet, late rows and deletes, is seen by series and bucket, and the rows are
//!   read there;
//! - a bucket never lies across a day: the one that ends with the first instant of a day has a part in either day's rollup;
//! - a rollup that is lost, or was never made, costs time and no answer, as long as the rows are kept.

mod bucket;
mod carried;
mod columns;
mod day;
mod job;
mod options;
mod parts;
mod plan;
mod scan;
mod target;
mod width;

pub(crate) use bucket::Accumulator;
pub use bucket::Bucket;
#[cfg(test)]
pub(crate) use bucket::buckets_of;
pub(crate) use carried::{Carried, Place};
pub(crate) use columns::{BucketColumns, NUMBERS, PendingBuckets, schema};
pub(crate) use job::roll_up;
pub use options::{RollupKeep, RollupOptions};
pub use parts::BucketParts;
pub(crate) use plan::{NothingLeft, RollupJob, age, is_behind, newest, next_rollup};
pub use scan::{BucketBlock, RollupPartition, RollupScan};
pub use width::RollupWidth;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::views;

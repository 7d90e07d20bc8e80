//! What a series has beside its float samples: native histograms and exemplars, a lane each.
//!
//! ```text
//! columns   rows of a batch, on their way to the log and the memtable
//! memory    rows that are not in a segment yet
//! flush     from memory to segments of the lane, which `segment::LaneWriter` writes: <name>.histograms.parquet or
//!           <name>.exemplars.parquet, with the series file and the sidecar that a segment of samples has
//! merge     several segments of the lane into one, for `compaction`
//! scan      memory and segments, which `segment::LaneCursor` reads, as one
//! ```
//!
//! [`Lane`] is what the two lanes differ in: the columns of their files, and which rows are the same.
//!
//! Invariants:
//! - rows of a series ascend in time; of rows that are the same (series and instant, for exemplars their labels too) the
//!   newest write is the one that is read;
//! - a lane has segments of its own, so that whoever reads samples never opens them.

mod batches;
mod columns;
mod exemplar;
mod flush;
mod histogram;
mod histogram_columns;
mod lane;
mod memory;
mod merge;
mod scan;

pub use batches::{LaneBatch, LaneBatches, LaneKind};
pub(crate) use columns::{LaneColumns, LaneRow};
pub(crate) use flush::write_memory;
pub(crate) use lane::{Lane, settle};
pub(crate) use memory::LaneMemory;
pub(crate) use merge::merge;
pub use scan::{ExemplarScan, HistogramScan};

#[cfg(test)]
mod tests;

//! Merging segments into fewer and larger ones, without what was deleted or may not be kept any longer.
//!
//! [`plan`] says what to merge, [`merge`] reads the inputs row by row, [`output`] writes the result and splits it,
//! [`job`] does one merge from plan to manifest, [`worker`] is the thread that does one after the other. Rollups are made
//! by the same thread, when nothing is to be merged, see [`rollup`](crate::rollup).
//!
//! Invariants:
//! - a merge holds no lock while it reads and writes, so flushes, deletes and retention go on; only one runs at a time;
//! - its result is on disk before the manifest names it, and the manifest is on disk before the inputs go;
//! - a merge that fails, is called off or is cut short by a crash leaves the store as it was;
//! - memory is bounded whatever the sizes of the inputs are, see [`Budget`].

mod budget;
mod job;
mod merge;
mod output;
mod plan;
mod rows;
mod survey;
mod worker;

pub(crate) use budget::Budget;
pub use job::Compaction;
pub(crate) use job::{budget, carry_out_deletes, compact_once, install, is_stopping, open};
pub(crate) use merge::{merge, open_sources};
pub(crate) use plan::Surveyed;
pub(crate) use survey::Survey;
pub(crate) use worker::compaction_loop;

#[cfg(test)]
mod tests;

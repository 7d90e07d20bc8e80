//! A look at every byte of a data directory that nobody has open, without changing any of them.
//!
//! Opening a store checks what it needs to serve right answers and sets aside what is damaged. This looks at more
//! (every page of every segment, the order of rows, what the log's records refer to), changes nothing, and says
//! of each thing that is wrong where it is and what to do.
//!
//! Invariants:
//! - a check writes nothing but the `LOCK` file, and not even that when the caller says that the directory is a copy
//!   that nobody changes;
//! - damage never ends the check: what is behind it is looked at as far as it can be;
//! - memory is bounded whatever the size of the store: a batch of rows for each thread, a number for each series
//!   of the segments that are looked at, the findings of a file are capped.

mod finding;
mod journal;
mod leftovers;
mod log;
mod manifest;
mod repair;
mod report;
mod rollup;
mod row;
mod segment;
mod segments;
mod store;

pub use finding::{Finding, Severity};
pub use journal::read_journal;
pub use repair::{RepairPlan, plan_repair};
pub use report::{CheckReport, CheckedFigures};
pub use store::{CheckOptions, check_store};

#[cfg(test)]
mod tests;

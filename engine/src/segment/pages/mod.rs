//! Decodes the pages of a file of samples or of buckets: only those that hold wanted rows, and of them only what is wanted.
//!
//! The general reader of Parquet makes batches of rows, all columns of one length. Here each column is read by itself:
//! instants first, and values only of the rows whose instants are in the range. A column that says nothing (no exceptional
//! floats, one exponent for all rows) costs nothing, and neither do instants that come at even steps.
//!
//! What is read are files of this program, whose bytes were checked; whatever is in them, nothing here panics, reads
//! out of bounds, or takes more memory than [`PAGE_BYTES_MAX`] a column.
//!
//! Layouts: Apache Parquet, "File Format" and `Encodings.md` (`DELTA_BINARY_PACKED`, the RLE/bit-packing hybrid,
//! `BYTE_STREAM_SPLIT`).

mod buckets;
mod delta;
mod exponents;
mod header;
mod nullable;
mod numbers;
mod page;
mod repeated;
mod runs;
mod samples;
mod split;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use buckets::BucketPages;
pub(crate) use samples::SamplePages;

/// Bytes that a page may have when it is not compressed. A writer's pages have at most some hundred thousand.
const PAGE_BYTES_MAX: usize = 1 << 24;

/// What a decoder found that no writer makes.
type Malformed = &'static str;

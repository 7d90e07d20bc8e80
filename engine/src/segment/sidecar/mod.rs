//! The sidecar of a segment: which series have which labels, where their rows lie, and what the bytes of both
//! Parquet files should sum to. Everything in it can be made again from those files.
//!
//! A *place* is the row of a series in the series file, which is its position in storage order. A *group* is a run
//! of places with one storage key (metric, job, instance).
//!
//! ```text
//!   0  magic "BAROIDX\n"   8
//!   8  version             u32    2
//!  12  crc32c              u32    of this header without these four bytes
//!  16  series, rows        u64 x 2
//!  32  samples bytes       u64
//!  40  samples crc32c      u32
//!  44  series crc32c       u32
//!  48  series bytes        u64
//!  56  sections            7 x { offset u64, length u64, crc32c u32, zero u32 }
//! 224  section IDS         series x i64: the id of each place
//!      section ROWS        (series + 1) x u32: the first row of each place, and the number of rows
//!      section GROUPS      FST: storage key -> number of the group, counting from 0
//!      section STARTS      (groups + 1) x u32: the first place of each group, and the number of series
//!      section LABELS      FST: name 0xFF value -> postings: even = twice a place that alone has it,
//!                          odd = twice the offset in POSTINGS, plus one
//!      section POSTINGS    sets of places, one behind the other; see `postings`
//!      section BLOCKS      u32 each: CRC-32C of every 256 KiB of the samples file, then of the series file
//! ```
//!
//! Numbers are little-endian. 0xFF stands in no UTF-8 text, so no name or value can pass for another.

mod header;
mod postings;
mod reader;
mod walk;
mod writer;

pub(super) use header::BLOCK_BYTES;
pub(super) use reader::Sidecar;
pub(super) use writer::{FileSums, SeriesIndex, write};

/// Between a label's name and its value.
const SEPARATOR: u8 = 0xff;

#[cfg(test)]
mod tests;

//! The write-ahead log: what was acknowledged is here until a segment holds it.
//!
//! Files `wal/00000001.wal`, `00000002.wal`, ... hold frames, numbered in one sequence without gaps across
//! files. `docs/format/wal.md` shows every byte.
//!
//! How a record is written: any thread builds a [`Frame`] (encoding and checksum, the dear part), the one
//! writer thread numbers it with [`Wal::push`] and makes everything pushed durable with one [`Wal::commit`].
//!
//! Invariants:
//! - what [`Wal::commit`] said `Ok` to is given back by [`Recovery::replay`], in order and once;
//! - a log that is synced at intervals ([`Wal::sync_at_intervals`]) gives back all that was written, or after a power
//!   cut all that was written up to some instant after the last [`Wal::sync`]: never a later commit without an earlier
//!   one;
//! - a commit that failed before its sync leaves nothing behind and may be tried again; one whose sync failed
//!   poisons the log, because nobody knows what is on disk then;
//! - only the last file can have an unfinished tail: a file is cut to its length and synced before the next
//!   begins;
//! - the newest committed file knows the next sequence number; who removes it with [`Wal::cut_all`] keeps the number
//!   elsewhere, and gives it back with [`Wal::skip_to`].

pub(crate) mod frame;
pub(crate) mod header;
mod lanes;
mod reader;
mod record;
mod recovery;
mod samples;
mod series;
mod sync_mark;
pub(crate) mod varint;
mod writer;

pub use frame::Frame;
pub use reader::Damage;
pub(crate) use reader::{LogFile, MAGIC as FILE_MAGIC, file_number, file_path};
pub use record::{
    KIND_EXEMPLARS, KIND_GENERATION, KIND_HISTOGRAMS, KIND_METADATA, KIND_SAMPLES, KIND_SERIES, Record,
    RecordError,
};
pub(crate) use recovery::Starts;
pub use recovery::{Recovery, ReplayReport};
pub use samples::{RECORD_SAMPLES_MAX, SampleRecord};
pub(crate) use sync_mark::KIND_SYNCED;
pub use writer::Wal;

#[cfg(test)]
mod interval_tests;
#[cfg(test)]
mod sim_tests;
#[cfg(test)]
mod tests;

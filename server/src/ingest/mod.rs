//! The edges by which samples come in. Today there is one: Prometheus remote write, 1.0 and 2.0.
//!
//! A body goes through these rooms, in this order:
//!
//! ```text
//! remote_write     headers, the body under its cap, the answer          an I/O thread
//! protocol         which message it is
//! in_flight        bytes being worked on, bounded
//! sink             hands the body to a decoding thread and the samples to the store
//! snappy           the block, decompressed into a reused buffer         a decoding thread
//! write_request    prometheus.WriteRequest (1.0), through protobuf
//! request_v2       io.prometheus.write.v2.Request (2.0), through protobuf and symbols
//! histogram        a native histogram;  exemplar, metadata, inline_metadata, created likewise
//! batch            what was decoded, in columns
//! labels           a series that was never seen: checked, sorted
//! rejects          what was refused, and the first offender
//! lanes            the columns of the series that the store knows
//! written          what of it is on disk, as the answer's headers say it
//! ```
//!
//! Invariants:
//! - 204 means that every sample of the request is on disk;
//! - a body that cannot be decoded stores nothing; a body with some offending series stores all the others, and
//!   the answer is a 400 that counts what was refused: nothing is left out silently;
//! - every length is checked before memory is taken for it.

mod batch;
mod created;
#[cfg(test)]
mod edge_under_test;
mod exemplar;
mod histogram;
mod in_flight;
mod inline_metadata;
mod labels;
mod lanes;
#[cfg(test)]
mod limit_tests;
mod limits;
mod metadata;
mod packed;
#[cfg(test)]
mod prompb;
mod protobuf;
mod protocol;
mod refusals;
mod rejects;
mod remote_write;
mod request_v2;
mod sink;
mod snappy;
mod stats;
mod symbols;
mod write_request;
mod written;

pub use histogram::HistogramFault;
pub use labels::LabelFault;
pub use limits::{IngestLimits, LabelLimits, MetadataLimits};
pub use metadata::MetadataFault;
pub use protobuf::WireError;
pub use rejects::RejectKind;
pub use remote_write::{routes, write};
pub use sink::{IngestSink, SetupError};
pub use snappy::SnappyError;
pub(crate) use snappy::decompress;
pub use stats::{IngestStats, ReplyCounts};

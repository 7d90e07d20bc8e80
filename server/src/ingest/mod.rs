//! The edges by which samples come in. Today there is one: Prometheus remote write 1.0.
//!
//! A body goes through these rooms, in this order:
//!
//! ```text
//! remote_write   headers, the body under its cap, the answer          an I/O thread
//! in_flight      bytes being worked on, bounded
//! sink           hands the body to a decoding thread and the samples to the store
//! snappy         the block, decompressed into a reused buffer         a decoding thread
//! write_request  prometheus.WriteRequest, through protobuf
//! labels         a series that was never seen: checked, sorted
//! rejects        what was refused, and the first offender
//! metadata       type, help and unit of a metric family
//! ```
//!
//! Invariants:
//! - 204 means that every sample of the request is on disk;
//! - a body that cannot be decoded stores nothing; a body with some offending series stores all the others, and
//!   the answer is a 400 that counts what was refused: nothing is left out silently;
//! - every length is checked before memory is taken for it.

#[cfg(test)]
mod edge_under_test;
mod in_flight;
mod labels;
#[cfg(test)]
mod limit_tests;
mod limits;
mod metadata;
#[cfg(test)]
mod prompb;
mod protobuf;
mod rejects;
mod remote_write;
mod sink;
mod snappy;
mod stats;
mod write_request;

pub use labels::LabelFault;
pub use limits::{IngestLimits, LabelLimits, MetadataLimits};
pub use metadata::{Metadata, MetadataFault, MetadataRegistry, MetricType};
pub use protobuf::WireError;
pub use rejects::RejectKind;
pub use remote_write::{routes, write};
pub use sink::{IngestSink, SetupError};
pub use snappy::SnappyError;
pub use stats::{IngestStats, ReplyCounts};

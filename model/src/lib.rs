//! What a metric is: labels, samples, native histograms, exemplars, time, matchers, clocks; and the account of memory
//! that all crates draw from.
//!
//! Invariants:
//! - nothing here does I/O or knows Arrow; every other crate may depend on this one;
//! - a [`Labels`] is sorted by name, holds each name once and no empty value, because the Prometheus data
//!   model says that a label with an empty value is the same as no label;
//! - a [`TimestampMs`] and a [`TimestampNs`] never mix without a checked conversion.

mod clock;
mod duration;
mod exemplar;
mod histogram;
mod labels;
mod matcher;
mod memory_budget;
mod metadata;
mod sample;
mod series_id;
mod time;

pub use clock::{Clock, ManualClock, SystemClock};
pub use duration::{DurationError, format_duration_ms, parse_duration_ms};
pub use exemplar::Exemplar;
pub use histogram::{
    CUSTOM_BUCKETS_SCHEMA, HISTOGRAM_BUCKETS_MAX, HISTOGRAM_VERSION, Histogram, HistogramCodecError,
    HistogramCounts, HistogramError, HistogramParts, ResetHint, Span,
};
pub use labels::{LabelError, Labels, LabelsBuilder, METRIC_NAME};
pub use matcher::{MatchOp, Matcher, MatcherError, matches_all};
pub use memory_budget::{
    MemoryBudget, MemoryRefusal, MemoryReservation, MemoryShare, PROGRAM_BYTES, ShareUse,
};
pub use metadata::{Metadata, MetricType};
pub use sample::{STALE_NAN_BITS, Sample, is_stale, stale_nan};
pub use series_id::SeriesId;
pub use time::{TimeError, TimeRange, TimestampMs, TimestampNs};

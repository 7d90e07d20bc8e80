//! An example of what a sample counts: usually the trace of one request.

use crate::{Labels, TimestampMs};

/// One observation that was picked out of many. Equality is by bits.
#[derive(Debug, Clone)]
pub struct Exemplar {
    /// Of the exemplar itself, such as `trace_id`; not those of its series. May be empty.
    pub labels: Labels,
    /// What was observed.
    pub value: f64,
    /// When.
    pub ts: TimestampMs,
}

impl PartialEq for Exemplar {
    fn eq(&self, other: &Self) -> bool {
        self.ts == other.ts && self.value.to_bits() == other.value.to_bits() && self.labels == other.labels
    }
}

impl Eq for Exemplar {}

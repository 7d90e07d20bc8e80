//! What of a request was written, as remote write 2.0 wants it told in every answer.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

const SAMPLES: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS: HeaderName = HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS: HeaderName = HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

/// Counts of what is on disk; all zero where nothing is, or nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    /// Float samples, staleness markers among them; not the zeros of created timestamps, which nobody sent.
    pub(super) samples: u64,
    /// Native histograms.
    pub(super) histograms: u64,
    /// Exemplars.
    pub(super) exemplars: u64,
}

impl Written {
    /// Sets the three headers.
    pub(super) fn put(self, headers: &mut HeaderMap) {
        for (name, count) in [
            (SAMPLES, self.samples),
            (HISTOGRAMS, self.histograms),
            (EXEMPLARS, self.exemplars),
        ] {
            headers.insert(name, HeaderValue::from(count));
        }
    }
}

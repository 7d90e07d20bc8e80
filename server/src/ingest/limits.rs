//! How much of what a sender may send.

use std::time::Duration;

/// Caps on requests. [`IngestLimits::default`] takes the largest batches that Prometheus, vmagent and the
/// OpenTelemetry collector are usually set to, several times over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestLimits {
    /// Bytes of a request's body as sent (413 above).
    pub body_bytes_max: usize,
    /// Bytes of a request's body once decompressed (413 above).
    pub decompressed_bytes_max: usize,
    /// Samples, and likewise series, histogram buckets, exemplars, symbols and metadata entries, in one request (413 above). A sample may take two bytes
    /// on the wire and twenty in memory, so the caps on bytes do not bound it.
    pub samples_max: usize,
    /// Bytes of all requests that are being read or decoded, as sent and decompressed together (503 above). What
    /// is decoded waits in the store's own bounded queue.
    pub in_flight_bytes_max: usize,
    /// How long a request's body may take to arrive (408 after).
    pub body_timeout: Duration,
    /// Threads that decompress and decode.
    pub workers: usize,
    /// What a series' labels may be (400, the offending series named).
    pub labels: LabelLimits,
    /// What an exemplar's own labels may be (400, its series named).
    pub exemplar_labels: LabelLimits,
    /// How much metadata is kept.
    pub metadata: MetadataLimits,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 << 20,
            decompressed_bytes_max: 64 << 20,
            samples_max: 2_000_000,
            in_flight_bytes_max: 256 << 20,
            body_timeout: Duration::from_secs(30),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            labels: LabelLimits::default(),
            exemplar_labels: LabelLimits {
                count_max: 16,
                name_bytes_max: 512,
                value_bytes_max: 1024,
                total_bytes_max: 2048,
            },
            metadata: MetadataLimits::default(),
        }
    }
}

impl IngestLimits {
    /// What the largest request that is taken costs of `in_flight_bytes_max`: its body, what that decompresses to, and
    /// as much again for the columns that are made of it.
    #[must_use]
    pub fn request_bytes_max(&self) -> usize {
        self.decompressed_bytes_max
            .saturating_mul(2)
            .saturating_add(self.body_bytes_max)
    }
}

/// Caps on the labels of one series, or of one exemplar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelLimits {
    /// Labels, the metric's name included.
    pub count_max: usize,
    /// Bytes of a label's name.
    pub name_bytes_max: usize,
    /// Bytes of a label's value, the metric's name included.
    pub value_bytes_max: usize,
    /// Bytes of all names and values together.
    pub total_bytes_max: usize,
}

impl Default for LabelLimits {
    fn default() -> Self {
        Self {
            count_max: 64,
            name_bytes_max: 512,
            value_bytes_max: 4096,
            total_bytes_max: 16 << 10,
        }
    }
}

/// Caps on the metadata registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataLimits {
    /// Metric families that are remembered.
    pub metrics_max: usize,
    /// Bytes of a family's name.
    pub name_bytes_max: usize,
    /// Bytes of a help text, and of a unit.
    pub text_bytes_max: usize,
}

impl Default for MetadataLimits {
    fn default() -> Self {
        Self {
            metrics_max: 50_000,
            name_bytes_max: 512,
            text_bytes_max: 4096,
        }
    }
}

//! What the edge counts, for `/metrics`. Counters only rise.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

use super::rejects::{RejectKind, Rejects};
use super::written::Written;

/// The statuses that are counted; any other is counted as the last.
const CODES: [StatusCode; 8] = [
    StatusCode::NO_CONTENT,
    StatusCode::BAD_REQUEST,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::INTERNAL_SERVER_ERROR,
];

/// Answers, counted by status.
#[derive(Debug, Default)]
pub struct ReplyCounts([AtomicU64; CODES.len()]);

impl ReplyCounts {
    pub(super) fn add(&self, status: StatusCode) {
        let at = CODES
            .iter()
            .position(|&code| code == status)
            .unwrap_or(CODES.len() - 1);
        self.0[at].fetch_add(1, Ordering::Relaxed);
    }

    /// How often a status was answered.
    #[must_use]
    pub fn get(&self, status: StatusCode) -> u64 {
        CODES
            .iter()
            .position(|&code| code == status)
            .map_or(0, |at| self.0[at].load(Ordering::Relaxed))
    }

    /// Every status with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (StatusCode, u64)> {
        CODES
            .iter()
            .zip(&self.0)
            .map(|(&code, count)| (code, count.load(Ordering::Relaxed)))
    }
}

/// Counters of one edge since the program began.
#[derive(Debug, Default)]
pub struct IngestStats {
    /// Requests answered, by status.
    pub replies: ReplyCounts,
    /// Samples that are on disk and acknowledged.
    pub samples: AtomicU64,
    /// Native histograms that are on disk and acknowledged.
    pub histograms: AtomicU64,
    /// Exemplars that are on disk and acknowledged.
    pub exemplars: AtomicU64,
    /// Zeros stored at the created timestamps of counters.
    pub created_zeros: AtomicU64,
    /// Times that a series' labels were read because the store had not seen their bytes: new series, and known
    /// ones in another spelling.
    pub series_defined: AtomicU64,
    /// Bytes of bodies as they came.
    pub compressed_bytes: AtomicU64,
    /// Bytes of bodies once decompressed.
    pub decompressed_bytes: AtomicU64,
    /// Metadata entries taken.
    pub metadata: AtomicU64,
    rejected: [AtomicU64; RejectKind::ALL.len()],
}

impl IngestStats {
    /// How many samples, exemplars, histograms or metadata entries were refused for this reason while the rest
    /// of their request was stored.
    #[must_use]
    pub fn rejected(&self, kind: RejectKind) -> u64 {
        self.rejected[kind as usize].load(Ordering::Relaxed)
    }

    pub(super) fn add_written(&self, written: Written, created_zeros: u64) {
        self.samples.fetch_add(written.samples, Ordering::Relaxed);
        self.histograms.fetch_add(written.histograms, Ordering::Relaxed);
        self.exemplars.fetch_add(written.exemplars, Ordering::Relaxed);
        self.created_zeros.fetch_add(created_zeros, Ordering::Relaxed);
    }

    pub(super) fn add_rejects(&self, rejects: &Rejects) {
        for kind in RejectKind::ALL {
            let count = rejects.count(kind);
            if count > 0 {
                self.rejected[kind as usize].fetch_add(count, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_counted_once() {
        let replies = ReplyCounts::default();
        replies.add(StatusCode::NO_CONTENT);
        replies.add(StatusCode::NO_CONTENT);
        replies.add(StatusCode::IM_A_TEAPOT);
        assert_eq!(replies.get(StatusCode::NO_CONTENT), 2);
        assert_eq!(replies.get(StatusCode::INTERNAL_SERVER_ERROR), 1);
        assert_eq!(replies.iter().map(|(_, count)| count).sum::<u64>(), 3);
    }
}

//! What a check has looked at and found.

use serde::Serialize;

use super::{Finding, Severity};

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CheckedFigures {
    /// Segments that the manifest names.
    pub segments: u64,
    /// Samples in segments whose every row was decoded.
    pub segment_rows: u64,
    /// Series of those segments, each counted in every segment that has it.
    pub segment_series: u64,
    /// Files of the write-ahead log.
    pub wal_files: u64,
    /// Whole frames in them.
    pub wal_frames: u64,
    /// Samples in those frames that are in no segment yet.
    pub wal_samples: u64,
    /// Records of journals since their checkpoints.
    pub journal_records: u64,
    /// Bytes of all files that were read.
    pub bytes: u64,
}

impl CheckedFigures {
    pub(super) fn add(&mut self, other: &Self) {
        self.segments += other.segments;
        self.segment_rows += other.segment_rows;
        self.segment_series += other.segment_series;
        self.wal_files += other.wal_files;
        self.wal_frames += other.wal_frames;
        self.wal_samples += other.wal_samples;
        self.journal_records += other.journal_records;
        self.bytes += other.bytes;
    }
}

/// What a check has looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// What was looked at.
    pub checked: CheckedFigures,
    /// What was found: the manifest first, then segments, log, journals, and what lies about.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// How many findings there are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.severity == severity).count()
    }

    /// Whether anything is damaged.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.count(Severity::Damage) > 0
    }
}

//! What the manifest knows of a segment.

use barograph_model::TimeRange;
use serde::{Deserialize, Serialize};

/// One segment, as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentMeta {
    /// Path without the endings `.samples.parquet` and `.series.parquet`.
    pub(crate) name: String,
    /// Start of the window, in milliseconds since the epoch.
    pub(crate) window: i64,
    /// Counts up with every segment: of two segments with the same instant of a series, the higher is newer.
    pub(crate) sequence: u64,
    /// Rows in the samples file.
    pub(crate) rows: u64,
    /// Rows in the series file.
    pub(crate) series: u64,
    /// The earliest instant.
    pub(crate) ts_min: i64,
    /// The latest instant.
    pub(crate) ts_max: i64,
    /// Length of the samples file.
    pub(crate) samples_bytes: u64,
    /// CRC-32C of the samples file.
    pub(crate) samples_crc32c: u32,
    /// Length of the series file.
    pub(crate) series_bytes: u64,
    /// CRC-32C of the series file.
    pub(crate) series_crc32c: u32,
    /// Length of the sidecar, which has its own checksums.
    pub(crate) sidecar_bytes: u64,
}

impl SegmentMeta {
    /// From the earliest to the latest instant.
    pub(crate) fn bounds(&self) -> TimeRange {
        TimeRange::new(self.ts_min, self.ts_max)
    }

    pub(crate) fn samples_path(&self) -> String {
        format!("{}.samples.parquet", self.name)
    }

    pub(crate) fn series_path(&self) -> String {
        format!("{}.series.parquet", self.name)
    }

    pub(crate) fn sidecar_path(&self) -> String {
        format!("{}.index", self.name)
    }

    /// All files of the segment.
    pub(crate) fn paths(&self) -> Vec<String> {
        vec![self.samples_path(), self.series_path(), self.sidecar_path()]
    }

    /// Bytes of all files of the segment.
    pub(crate) fn bytes(&self) -> u64 {
        self.samples_bytes + self.series_bytes + self.sidecar_bytes
    }
}

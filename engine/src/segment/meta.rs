//! What the manifest knows of a segment.

use barograph_model::{TimeRange, TimestampMs};
use serde::{Deserialize, Serialize};

/// The width of a day file: a UTC day.
pub(crate) const DAY_MS: i64 = 24 * 3_600_000;

/// What the rows of a segment are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SegmentKind {
    /// Float samples.
    #[default]
    Samples,
    /// Native histograms.
    Histograms,
    /// Exemplars.
    Exemplars,
}

impl SegmentKind {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Samples, Self::Histograms, Self::Exemplars];

    fn is_samples(&self) -> bool {
        *self == Self::Samples
    }

    /// Plural, as in the names of files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Histograms => "histograms",
            Self::Exemplars => "exemplars",
        }
    }
}

/// One segment, as the manifest names it. What is said of samples holds of histograms and exemplars in segments of their
/// kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentMeta {
    /// Path without the endings `.samples.parquet` and `.series.parquet`.
    pub(crate) name: String,
    /// What its rows are.
    #[serde(default, skip_serializing_if = "SegmentKind::is_samples")]
    pub(crate) kind: SegmentKind,
    /// Start of the window or of the day that it belongs to, in milliseconds since the epoch.
    pub(crate) window: i64,
    /// 0: written by a flush, or merged from a few of those. 1: all of a window when it was merged. 2: all of a UTC day
    /// when it was merged.
    #[serde(default)]
    pub(crate) level: u8,
    /// Its age: of two segments with the same instant of a series, the higher is newer. A merged segment has that of
    /// its newest input. Segments of one age come from one merge and share no series.
    pub(crate) sequence: u64,
    /// Deletes with a number up to this one are carried out in it.
    #[serde(default)]
    pub(crate) purged: u64,
    /// When the first of its rows were written to a segment, in milliseconds since the epoch.
    #[serde(default)]
    pub(crate) flushed_ms: i64,
    /// Keys the ids of its series, as in the manifest.
    #[serde(default)]
    pub(crate) store_key: u64,
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
    /// A segment of samples without rows, as a flush begins it.
    pub(crate) fn begin(name: String, window: i64, sequence: u64, flushed: TimestampMs) -> Self {
        Self {
            name,
            kind: SegmentKind::Samples,
            window,
            level: 0,
            sequence,
            purged: 0,
            flushed_ms: flushed.0,
            store_key: 0,
            rows: 0,
            series: 0,
            ts_min: i64::MAX,
            ts_max: i64::MIN,
            samples_bytes: 0,
            samples_crc32c: 0,
            series_bytes: 0,
            series_crc32c: 0,
            sidecar_bytes: 0,
        }
    }

    /// From the earliest to the latest instant.
    pub(crate) fn bounds(&self) -> TimeRange {
        TimeRange::new(self.ts_min, self.ts_max)
    }

    pub(crate) fn samples_path(&self) -> String {
        format!("{}.{}.parquet", self.name, self.kind.as_str())
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

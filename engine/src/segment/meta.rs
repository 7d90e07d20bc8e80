//! What the manifest knows of a segment.

use barograph_model::{TimeRange, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::rollup::RollupWidth;

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
    /// Buckets of five minutes.
    #[serde(rename = "rollup_5m")]
    FiveMinutes,
    /// Buckets of one hour.
    #[serde(rename = "rollup_1h")]
    OneHour,
}

impl SegmentKind {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Samples,
        Self::Histograms,
        Self::Exemplars,
        Self::FiveMinutes,
        Self::OneHour,
    ];

    /// Those that were written by somebody, and are merged.
    pub(crate) const WRITTEN: [Self; 3] = [Self::Samples, Self::Histograms, Self::Exemplars];

    /// How wide the buckets are, where the rows are buckets: then they were made of the samples of a day.
    pub(crate) fn width(self) -> Option<RollupWidth> {
        match self {
            Self::Samples | Self::Histograms | Self::Exemplars => None,
            Self::FiveMinutes => Some(RollupWidth::FiveMinutes),
            Self::OneHour => Some(RollupWidth::OneHour),
        }
    }

    fn is_samples(&self) -> bool {
        *self == Self::Samples
    }

    /// What the rows are, plural, for people.
    pub(crate) fn rows_name(self) -> &'static str {
        match self {
            Self::FiveMinutes | Self::OneHour => "buckets",
            written => written.as_str(),
        }
    }

    /// Plural, as in the names of files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Histograms => "histograms",
            Self::Exemplars => "exemplars",
            Self::FiveMinutes => "rollup_5m",
            Self::OneHour => "rollup_1h",
        }
    }
}

/// One segment, as the manifest names it. What is said of samples holds of histograms, exemplars and buckets in segments of
/// their kind.
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
    /// The earliest instant; of buckets that of the earliest row in one.
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

    /// What it costs when it cannot be read.
    pub(crate) fn loss(&self) -> String {
        match self.kind.width() {
            None => format!("{} {} are not readable", self.rows, self.kind.rows_name()),
            Some(_) => format!(
                "{} buckets are not readable; they are made anew where their samples are kept",
                self.rows
            ),
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

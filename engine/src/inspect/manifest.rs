//! A manifest.

use serde::Serialize;

use super::ratio;
use crate::Result;
use crate::manifest;

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManifestFigures {
    /// Length of the file.
    pub bytes: u64,
    /// Frames of the log below this number are in segments.
    pub wal_floor: u64,
    /// The number of the next segment.
    pub next_sequence: u64,
    /// Samples in all segments.
    pub samples: u64,
    /// Bytes of all segments.
    pub segment_bytes: u64,
    /// `segment_bytes` by `samples`.
    pub bytes_per_sample: f64,
    /// The segments, as they stand there.
    pub segments: Vec<SegmentFigures>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentFigures {
    /// Path without the endings of its files.
    pub name: String,
    /// Its age among the segments.
    pub sequence: u64,
    /// Samples.
    pub samples: u64,
    /// Series.
    pub series: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// `bytes` by `samples`.
    pub bytes_per_sample: f64,
    /// The earliest instant, in milliseconds since the epoch.
    pub ts_min: i64,
    /// The latest instant.
    pub ts_max: i64,
}

/// Reads it.
pub(super) fn figures(path: &str, bytes: &[u8]) -> Result<ManifestFigures> {
    let version = manifest::decode(path, bytes)?;
    let segments: Vec<SegmentFigures> = version
        .segments
        .iter()
        .map(|meta| SegmentFigures {
            name: meta.name.clone(),
            sequence: meta.sequence,
            samples: meta.rows,
            series: meta.series,
            bytes: meta.bytes(),
            bytes_per_sample: ratio(meta.bytes() as f64, meta.rows),
            ts_min: meta.ts_min,
            ts_max: meta.ts_max,
        })
        .collect();
    let sum = |of: fn(&SegmentFigures) -> u64| segments.iter().map(of).fold(0, u64::saturating_add);
    let (samples, segment_bytes) = (sum(|s| s.samples), sum(|s| s.bytes));
    Ok(ManifestFigures {
        bytes: bytes.len() as u64,
        wal_floor: version.wal_floor,
        next_sequence: version.next_sequence,
        samples,
        segment_bytes,
        bytes_per_sample: ratio(segment_bytes as f64, samples),
        segments,
    })
}

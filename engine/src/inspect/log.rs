//! A file of the write-ahead log or of a journal.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::ratio;
use crate::Result;
use crate::journal::KIND_ENTRY;
use crate::wal::frame::{Frames, Item};
use crate::wal::header::{self, FILE_HEADER_BYTES};
use crate::wal::{
    FILE_MAGIC, KIND_EXEMPLARS, KIND_GENERATION, KIND_HISTOGRAMS, KIND_METADATA, KIND_SAMPLES, KIND_SERIES, KIND_SYNCED,
    Record,
};

/// What the frames of a log file hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogFigures {
    /// Length of the file.
    pub bytes: u64,
    /// Bytes behind the last frame: reserved, or never finished.
    pub spare_bytes: u64,
    /// The number of the first frame, as the header says; `None` where the header is damaged.
    pub first_seq: Option<u64>,
    /// The number of the last whole frame.
    pub last_seq: Option<u64>,
    /// By kind.
    pub kinds: Vec<KindFigures>,
    /// Series that are defined, each as often as that happens.
    pub series: u64,
    /// Samples.
    pub samples: u64,
    /// Native histograms.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
    /// Bytes of the frames of samples by their samples.
    pub bytes_per_sample: f64,
    /// The earliest and the latest instant of a sample, in milliseconds since the epoch.
    pub ts_range: Option<(i64, i64)>,
    /// Unreadable bytes between frames: where they begin, and how many.
    pub holes: Vec<(u64, u64)>,
    /// Where bytes begin that are no frame, with none behind them.
    pub torn_at: Option<u64>,
    /// Whole frames that hold something else than their kind promises.
    pub unreadable_frames: u64,
}

/// The frames of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindFigures {
    /// The number in the frame.
    pub kind: u8,
    /// What it stands for.
    pub name: &'static str,
    /// Frames.
    pub frames: u64,
    /// Bytes with their headers.
    pub bytes: u64,
}

/// Reads every frame.
pub(super) fn figures(path: &str, bytes: &[u8]) -> Result<LogFigures> {
    let mut figures = LogFigures {
        bytes: bytes.len() as u64,
        spare_bytes: bytes.len().saturating_sub(FILE_HEADER_BYTES) as u64,
        first_seq: header::decode(&FILE_MAGIC, bytes, Path::new(path))?,
        last_seq: None,
        kinds: Vec::new(),
        series: 0,
        samples: 0,
        histograms: 0,
        exemplars: 0,
        bytes_per_sample: 0.0,
        ts_range: None,
        holes: Vec::new(),
        torn_at: None,
        unreadable_frames: 0,
    };
    let mut kinds: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
    for item in Frames::new(bytes, FILE_HEADER_BYTES) {
        match item {
            Item::Hole { at, end } => figures.holes.push((at as u64, (end - at) as u64)),
            Item::Tail { at, .. } => figures.torn_at = Some(at as u64),
            Item::Frame(frame) => {
                figures.spare_bytes = (bytes.len() - frame.end()) as u64;
                figures.last_seq = figures.last_seq.max(Some(frame.seq));
                let kind = kinds.entry(frame.kind).or_default();
                kind.0 += 1;
                kind.1 += (frame.end() - frame.at) as u64;
                if !matches!(frame.kind, KIND_ENTRY | KIND_SYNCED) {
                    figures.record(Record::decode(frame.kind, frame.payload));
                }
            }
        }
    }
    let of_samples = kinds.get(&KIND_SAMPLES).map_or(0, |(_, bytes)| *bytes);
    figures.bytes_per_sample = ratio(of_samples as f64, figures.samples);
    figures.kinds = kinds
        .into_iter()
        .map(|(kind, (frames, bytes))| KindFigures {
            kind,
            name: name_of(kind),
            frames,
            bytes,
        })
        .collect();
    Ok(figures)
}

impl LogFigures {
    fn record<E>(&mut self, record: std::result::Result<Record, E>) {
        match record {
            Ok(Record::Series(series)) => self.series += series.len() as u64,
            Ok(Record::Samples(samples)) => {
                self.samples += samples.ts.len() as u64;
                for ts in samples.ts {
                    let (low, high) = self.ts_range.unwrap_or((ts, ts));
                    self.ts_range = Some((low.min(ts), high.max(ts)));
                }
            }
            Ok(Record::Histograms(rows)) => self.histograms += rows.len() as u64,
            Ok(Record::Exemplars(rows)) => self.exemplars += rows.len() as u64,
            Ok(Record::Metadata(_) | Record::Generation) => {}
            Err(_) => self.unreadable_frames += 1,
        }
    }
}

fn name_of(kind: u8) -> &'static str {
    match kind {
        KIND_SERIES => "series",
        KIND_SAMPLES => "samples",
        KIND_HISTOGRAMS => "histograms",
        KIND_EXEMPLARS => "exemplars",
        KIND_METADATA => "metadata",
        KIND_GENERATION => "generations",
        KIND_ENTRY => "journal records",
        KIND_SYNCED => "marks of syncs",
        _ => "unknown",
    }
}

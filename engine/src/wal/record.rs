//! Records: what the frames of the write-ahead log say.

use barograph_model::{Exemplar, Histogram, Labels, Metadata};
use thiserror::Error;

use super::frame::Frame;
use super::samples::{self, RECORD_SAMPLES_MAX, SampleRecord};
use super::{lanes, series};
use crate::{EngineError, Result, SeriesRef};

/// The kind of a frame that defines series.
pub const KIND_SERIES: u8 = 1;
/// The kind of a frame that holds samples.
pub const KIND_SAMPLES: u8 = 2;
/// The kind of a frame that holds native histograms. (3 and 4 are the journal's.)
pub const KIND_HISTOGRAMS: u8 = 8;
/// The kind of a frame that holds exemplars.
pub const KIND_EXEMPLARS: u8 = 9;
/// The kind of a frame that holds metadata of metric families.
pub const KIND_METADATA: u8 = 10;

/// The kind of a frame that begins a generation. It has no payload.
pub const KIND_GENERATION: u8 = 11;

/// A payload that does not hold what its kind promises: what was expected of it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected {0}")]
pub struct RecordError(pub(super) &'static str);

/// What a frame of the write-ahead log holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// What the numbers in the records behind this one stand for.
    Series(Vec<(SeriesRef, Labels)>),
    /// Samples of series that were defined before.
    Samples(SampleRecord),
    /// Native histograms of series that were defined before: whose, when, what.
    Histograms(Vec<(SeriesRef, i64, Histogram)>),
    /// Exemplars of series that were defined before.
    Exemplars(Vec<(SeriesRef, i64, Exemplar)>),
    /// What is said about metric families, in place of what was said before.
    Metadata(Vec<(String, Metadata)>),
    /// From here on the numbers of series mean nothing until they are defined again: the first record of a generation,
    /// at the start of a file.
    Generation,
}

impl Record {
    /// Reads a payload. Takes memory in proportion to its length (at most 255 times it for compressed
    /// labels), whatever it says.
    ///
    /// # Errors
    /// [`RecordError`] says what the payload should have held.
    pub fn decode(kind: u8, payload: &[u8]) -> std::result::Result<Self, RecordError> {
        match kind {
            KIND_SERIES => series::decode(payload).map(Self::Series),
            KIND_SAMPLES => samples::decode(payload).map(Self::Samples),
            KIND_HISTOGRAMS => lanes::decode_histograms(payload).map(Self::Histograms),
            KIND_EXEMPLARS => lanes::decode_exemplars(payload).map(Self::Exemplars),
            KIND_METADATA => lanes::decode_metadata(payload).map(Self::Metadata),
            KIND_GENERATION if payload.is_empty() => Ok(Self::Generation),
            KIND_GENERATION => Err(RecordError("nothing behind the beginning of a generation")),
            _ => Err(RecordError(
                "a record of kind 1 (series), 2 (samples), or 8 to 11",
            )),
        }
    }
}

impl Frame {
    /// A frame that begins a generation.
    ///
    /// # Errors
    /// None: it is as short as a frame can be.
    pub fn generation() -> Result<Self> {
        Self::new(KIND_GENERATION, Vec::new())
    }

    /// A frame that defines series.
    ///
    /// # Errors
    /// [`EngineError::Unwritable`] for more than 512 MiB of labels.
    pub fn series<'a>(series: impl ExactSizeIterator<Item = (SeriesRef, &'a Labels)>) -> Result<Self> {
        Self::new(KIND_SERIES, series::encode(series))
    }

    /// A frame of samples, given as columns of one length.
    ///
    /// # Errors
    /// [`EngineError::Unwritable`] for more than [`RECORD_SAMPLES_MAX`] samples.
    pub fn samples(series: &[SeriesRef], ts: &[i64], values: &[f64]) -> Result<Self> {
        if series.len() > RECORD_SAMPLES_MAX {
            let reason = format!("{} samples are more than one record holds", series.len());
            return Err(EngineError::Unwritable { reason });
        }
        Self::new(KIND_SAMPLES, samples::encode(series, ts, values))
    }
}

impl Frame {
    /// A frame of native histograms.
    ///
    /// # Errors
    /// [`EngineError::Unwritable`] for more than 512 MiB of them.
    pub fn histograms(rows: &[(SeriesRef, i64, Histogram)]) -> Result<Self> {
        Self::new(KIND_HISTOGRAMS, lanes::encode_histograms(rows))
    }

    /// A frame of exemplars; the instant of each is its own.
    ///
    /// # Errors
    /// [`EngineError::Unwritable`] for more than 512 MiB of them.
    pub fn exemplars(rows: &[(SeriesRef, i64, Exemplar)]) -> Result<Self> {
        Self::new(KIND_EXEMPLARS, lanes::encode_exemplars(rows))
    }

    /// A frame of metadata.
    ///
    /// # Errors
    /// [`EngineError::Unwritable`] for more than 512 MiB of it.
    pub fn metadata(families: &[(String, Metadata)]) -> Result<Self> {
        Self::new(KIND_METADATA, lanes::encode_metadata(families))
    }
}

/// Takes a little-endian number from the front.
pub(super) fn take_u32(bytes: &mut &[u8]) -> std::result::Result<u32, RecordError> {
    let (number, rest) = bytes
        .split_first_chunk()
        .ok_or(RecordError("a header of whole numbers"))?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*number))
}

#[cfg(test)]
mod tests;

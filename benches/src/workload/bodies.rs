//! Requests of remote write.
//!
//! As Prometheus sends them: the series of a target one after the other, each with its labels and one sample, at
//! most so many samples in a request.

use anyhow::{Context, Result};
use barograph_model::TimestampMs;
use barograph_proto::prometheus::Sample;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::{Extent, FREE_MS, Fleet};

/// The last scrape is due at a multiple of this.
const ALIGNED_MS: i64 = 60_000;

/// The requests of every round.
#[derive(Debug)]
pub struct Bodies {
    /// By round, then by part of the positions: a snappy block.
    pub rounds: Vec<Vec<Vec<u8>>>,
    /// Samples of each round.
    pub samples_of_round: Vec<usize>,
    /// Names of all metrics; not each has a series at a small scale.
    pub metrics: Vec<String>,
    /// Series of all rounds together.
    pub series: usize,
    /// Milliseconds between two rounds.
    pub step_ms: i64,
    /// When the step of the first round begins: no sample is before.
    pub from: TimestampMs,
    /// When the last step ends: no sample is at or after it.
    pub until: TimestampMs,
}

impl Bodies {
    /// Encodes the rounds of a fleet.
    ///
    /// # Errors
    /// What the fleet says; a request that does not compress.
    pub(crate) fn encode(fleet: &mut dyn Fleet, rounds: usize, extent: Extent) -> Result<Self> {
        let step_ms = fleet.step_ms();
        let until = extent.now.align(ALIGNED_MS);
        let from = until.saturating_add(-(rounds as i64) * step_ms);
        let positions = fleet.positions();
        let cut = positions
            .div_ceil(extent.connections)
            .clamp(1, extent.request_samples);
        let mut bodies = Self {
            rounds: Vec::with_capacity(rounds),
            samples_of_round: Vec::with_capacity(rounds),
            metrics: fleet.metrics(),
            series: 0,
            step_ms,
            from,
            until,
        };
        let mut snappy = snap::raw::Encoder::new();
        let mut messages = vec![Vec::new(); positions.div_ceil(cut)];
        let mut sample = Vec::new();
        for round in 0..rounds {
            let begin = from.saturating_add(round as i64 * step_ms);
            let mut samples = 0;
            let series = &mut bodies.series;
            fleet.scrape(round, &mut |scraped| {
                assert!((0..step_ms - FREE_MS).contains(&scraped.offset_ms));
                samples += 1;
                *series += usize::from(scraped.is_new);
                sample.clear();
                let (value, timestamp) = (scraped.value, begin.0 + scraped.offset_ms);
                Sample { value, timestamp }.encode_length_delimited(&mut sample)?;
                let message = &mut messages[scraped.position / cut];
                encode_key(1, WireType::LengthDelimited, message);
                // The key of TimeSeries.samples is one byte.
                encode_varint((scraped.labels.len() + 1 + sample.len()) as u64, message);
                message.extend_from_slice(scraped.labels);
                encode_key(2, WireType::LengthDelimited, message);
                message.extend_from_slice(&sample);
                Ok(())
            })?;
            let mut compressed = Vec::with_capacity(messages.len());
            for message in &mut messages {
                let body = snappy.compress_vec(message);
                compressed.push(body.context("a request does not compress")?);
                message.clear();
            }
            bodies.rounds.push(compressed);
            bodies.samples_of_round.push(samples);
        }
        Ok(bodies)
    }

    /// Bytes of all requests together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rounds.iter().flatten().map(Vec::len).sum()
    }

    /// Samples of all requests together.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples_of_round.iter().sum()
    }
}

#[cfg(test)]
mod tests;

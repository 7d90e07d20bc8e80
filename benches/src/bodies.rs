//! Requests of remote write, encoded before any clock starts.
//!
//! As Prometheus sends them: the series of a target one after the other, each with its labels and one sample, at
//! most so many samples in a request. A part of the series is always in the requests of the same connection, so
//! that its samples arrive in order of time, which some receivers demand.

use anyhow::{Context, Result};
use barograph_model::TimestampMs;
use barograph_proto::prometheus::{Label, Sample, TimeSeries};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::fleet::{SERIES_OF_TARGET, series_labels};
use crate::values::Values;

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub struct BodiesPlan {
    /// Series in all.
    pub series: usize,
    /// Scrapes of each.
    pub rounds: usize,
    /// Milliseconds between two scrapes.
    pub step_ms: i64,
    /// Samples of a request at most.
    pub request_samples: usize,
    /// The instant of the last scrape.
    pub last: TimestampMs,
    /// Seed of the values.
    pub seed: u64,
}

/// The requests of every round.
#[derive(Debug)]
pub struct Bodies {
    /// By round, then by part of the series: a snappy block.
    pub rounds: Vec<Vec<Vec<u8>>>,
    /// What they were made from.
    pub plan: BodiesPlan,
}

impl Bodies {
    /// Encodes all requests of a plan.
    ///
    /// # Errors
    /// When a body does not compress, or labels are refused.
    pub fn encode(plan: BodiesPlan) -> Result<Self> {
        let labels = (0..plan.series).map(encoded_labels).collect::<Result<Vec<_>>>()?;
        let mut values = Values::new(plan.seed, plan.series);
        let mut snappy = snap::raw::Encoder::new();
        let mut rounds = Vec::with_capacity(plan.rounds);
        let (mut message, mut sample) = (Vec::new(), Vec::new());
        for round in 0..plan.rounds {
            let due = plan.last.0 - (plan.rounds - 1 - round) as i64 * plan.step_ms;
            let mut bodies = Vec::new();
            let mut ts = due;
            for first in (0..plan.series).step_by(plan.request_samples) {
                message.clear();
                let last = (first + plan.request_samples).min(plan.series);
                for (i, labels) in labels.iter().enumerate().take(last).skip(first) {
                    if i % SERIES_OF_TARGET == 0 || i == first {
                        // Each target has its place within the step, and is scraped there within a few ms.
                        let place = (i / SERIES_OF_TARGET) as i64 * 37 % plan.step_ms;
                        ts = due - plan.step_ms + place + values.late_ms();
                    }
                    sample.clear();
                    let value = values.next(i);
                    Sample { value, timestamp: ts }.encode_length_delimited(&mut sample)?;
                    encode_key(1, WireType::LengthDelimited, &mut message);
                    // The key of TimeSeries.samples is one byte.
                    encode_varint((labels.len() + 1 + sample.len()) as u64, &mut message);
                    message.extend_from_slice(labels);
                    encode_key(2, WireType::LengthDelimited, &mut message);
                    message.extend_from_slice(&sample);
                }
                bodies.push(
                    snappy
                        .compress_vec(&message)
                        .context("a request does not compress")?,
                );
            }
            rounds.push(bodies);
        }
        Ok(Self { rounds, plan })
    }

    /// Bytes of all requests together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rounds.iter().flatten().map(Vec::len).sum()
    }

    /// Samples of all requests together.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.plan.series * self.plan.rounds
    }
}

/// A TimeSeries message that has labels and nothing else.
fn encoded_labels(i: usize) -> Result<Vec<u8>> {
    let labels = series_labels(i).with_context(|| format!("the labels of series {i}"))?;
    let pairs = labels.iter().map(|(name, value)| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    });
    let series = TimeSeries {
        labels: pairs.collect(),
        ..TimeSeries::default()
    };
    Ok(series.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use barograph_proto::prometheus::WriteRequest;

    use super::*;

    #[test]
    fn each_request_is_one_that_prometheus_could_have_sent() {
        let plan = BodiesPlan {
            series: 1_200,
            rounds: 3,
            step_ms: 15_000,
            request_samples: 500,
            last: TimestampMs(1_768_397_820_000),
            seed: 1,
        };
        let bodies = Bodies::encode(plan).unwrap();
        let mut last = vec![i64::MIN; plan.series];
        for round in &bodies.rounds {
            assert_eq!(round.len(), 3);
            let mut seen = 0;
            for body in round {
                let length = snap::raw::decompress_len(body).unwrap();
                let mut plain = vec![0; length];
                snap::raw::Decoder::new().decompress(body, &mut plain).unwrap();
                for series in WriteRequest::decode(plain.as_slice()).unwrap().timeseries {
                    let labels = series_labels(seen).unwrap();
                    let sent = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str()));
                    assert!(sent.eq(labels.iter()));
                    assert_eq!(series.samples.len(), 1);
                    assert!(series.samples[0].timestamp > last[seen], "series {seen}");
                    last[seen] = series.samples[0].timestamp;
                    seen += 1;
                }
            }
            assert_eq!(seen, plan.series);
        }
    }
}

//! Scrapes as bodies of remote write 1.0 requests.

use barograph_datasets::Scrape;
use barograph_model::{Labels, stale_nan};
use barograph_proto::prometheus::{Label, Sample, TimeSeries, WriteRequest};
use bytes::Bytes;
use prost::Message;

/// A request's body: snappy block over protobuf.
#[derive(Debug, Clone)]
pub struct Body {
    /// What is sent.
    pub bytes: Bytes,
    /// How many samples are in it, staleness markers included.
    pub samples: usize,
}

/// Encodes scrapes in the order of time. Remembers which series were there, and ends one that stops with a
/// staleness marker, as Prometheus does.
pub struct BodyEncoder {
    labels: Vec<Vec<Label>>,
    present: Vec<bool>,
    snappy: snap::raw::Encoder,
}

impl BodyEncoder {
    /// For scrapes whose values stand in the order of these series.
    #[must_use]
    pub fn new(series: &[Labels]) -> Self {
        let pairs = |labels: &Labels| {
            labels
                .iter()
                .map(|(name, value)| Label {
                    name: name.to_owned(),
                    value: value.to_owned(),
                })
                .collect()
        };
        Self {
            labels: series.iter().map(pairs).collect(),
            present: vec![false; series.len()],
            snappy: snap::raw::Encoder::new(),
        }
    }

    /// One request for all the scrapes: an entry for each series, its samples in the order of the scrapes.
    ///
    /// # Errors
    /// [`snap::Error`] for more than 4 GiB.
    pub fn encode(&mut self, scrapes: &[Scrape]) -> Result<Body, snap::Error> {
        let mut samples_total = 0;
        let mut timeseries = Vec::with_capacity(self.labels.len());
        for (i, labels) in self.labels.iter().enumerate() {
            let mut samples = Vec::with_capacity(scrapes.len());
            for scrape in scrapes {
                let value = match scrape.values[i] {
                    Some(value) => value,
                    None if self.present[i] => stale_nan(),
                    None => continue,
                };
                self.present[i] = scrape.values[i].is_some();
                samples.push(Sample {
                    value,
                    timestamp: scrape.ts[i].0,
                });
            }
            samples_total += samples.len();
            if !samples.is_empty() {
                timeseries.push(TimeSeries {
                    labels: labels.clone(),
                    samples,
                    ..TimeSeries::default()
                });
            }
        }
        let message = WriteRequest {
            timeseries,
            metadata: Vec::new(),
        }
        .encode_to_vec();
        Ok(Body {
            bytes: self.snappy.compress_vec(&message)?.into(),
            samples: samples_total,
        })
    }
}

impl std::fmt::Debug for BodyEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyEncoder")
            .field("series", &self.labels.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use barograph_datasets::{Fleet, IncidentKind};
    use barograph_model::{TimestampMs, is_stale};

    use super::*;

    const NOW: TimestampMs = TimestampMs(1_768_397_820_000);

    fn decode(body: &Body) -> WriteRequest {
        let length = snap::raw::decompress_len(&body.bytes).unwrap();
        assert!(length < 64 << 20);
        let mut plain = vec![0; length];
        snap::raw::Decoder::new()
            .decompress(&body.bytes, &mut plain)
            .unwrap();
        WriteRequest::decode(plain.as_slice()).unwrap()
    }

    #[test]
    fn what_is_sent_is_what_was_scraped() {
        let fleet = Fleet::new(1, NOW.saturating_add(-86_400_000), NOW);
        let scrapes: Vec<_> = fleet.scrapes(NOW.saturating_add(-600_000), NOW, 60_000).collect();
        let body = BodyEncoder::new(fleet.series()).encode(&scrapes).unwrap();
        let request = decode(&body);
        assert_eq!(request.timeseries.len(), fleet.series().len());
        assert_eq!(body.samples, fleet.series().len() * scrapes.len());
        for (i, entry) in request.timeseries.iter().enumerate() {
            let labels = Labels::from_pairs(entry.labels.iter().map(|l| (&l.name, &l.value))).unwrap();
            assert_eq!(labels, fleet.series()[i]);
            assert!(entry.labels.is_sorted_by(|a, b| a.name < b.name));
            for (sample, scrape) in entry.samples.iter().zip(&scrapes) {
                assert_eq!(Some(sample.value), scrape.values[i]);
                assert_eq!(sample.timestamp, scrape.ts[i].0);
            }
        }
    }

    #[test]
    fn a_series_that_stops_ends_with_one_staleness_marker() {
        let fleet = Fleet::new(1, NOW.saturating_add(-86_400_000), NOW);
        let missing = fleet
            .incidents()
            .iter()
            .find(|i| i.kind == IncidentKind::MissingData)
            .unwrap();
        let (from, to) = (
            missing.start.saturating_add(-120_000),
            missing.end.saturating_add(120_000),
        );
        let mut encoder = BodyEncoder::new(fleet.series());
        let mut of_silent = Vec::new();
        // In portions, so that what is remembered is tested too.
        let scrapes: Vec<_> = fleet.scrapes(from, to, 60_000).collect();
        for portion in scrapes.chunks(3) {
            for entry in decode(&encoder.encode(portion).unwrap()).timeseries {
                let has = |value: &str| entry.labels.iter().any(|l| l.value == value);
                if has("publishing-2:8080") && has("process_threads") {
                    of_silent.extend(entry.samples);
                }
            }
        }
        let markers: Vec<_> = of_silent
            .iter()
            .filter(|s| is_stale(s.value))
            .map(|s| s.timestamp)
            .collect();
        assert_eq!(markers.len(), 1);
        assert!((0..7).contains(&(markers[0] - missing.start.0)), "{markers:?}");
        assert_eq!(of_silent.len(), 5, "two before, the marker, two after");
    }
}

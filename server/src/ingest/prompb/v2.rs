//! The messages of remote write 2.0, and the symbols table of a request that is put together.

use std::collections::HashMap;

use prost::Message;

use super::Histogram;

#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Request {
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(in super::super) symbols: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "5")]
    pub(in super::super) timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct TimeSeries {
    #[prost(uint32, repeated, tag = "1")]
    pub(in super::super) labels_refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    pub(in super::super) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(in super::super) histograms: Vec<Histogram>,
    #[prost(message, repeated, tag = "4")]
    pub(in super::super) exemplars: Vec<Exemplar>,
    #[prost(message, optional, tag = "5")]
    pub(in super::super) metadata: Option<Metadata>,
    #[prost(int64, tag = "6")]
    pub(in super::super) created_timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(in super::super) struct Sample {
    #[prost(double, tag = "1")]
    pub(in super::super) value: f64,
    #[prost(int64, tag = "2")]
    pub(in super::super) timestamp: i64,
    #[prost(int64, tag = "3")]
    pub(in super::super) start_timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Exemplar {
    #[prost(uint32, repeated, tag = "1")]
    pub(in super::super) labels_refs: Vec<u32>,
    #[prost(double, tag = "2")]
    pub(in super::super) value: f64,
    #[prost(int64, tag = "3")]
    pub(in super::super) timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(in super::super) struct Metadata {
    #[prost(int32, tag = "1")]
    pub(in super::super) metric_type: i32,
    #[prost(uint32, tag = "3")]
    pub(in super::super) help_ref: u32,
    #[prost(uint32, tag = "4")]
    pub(in super::super) unit_ref: u32,
}

/// A request that grows series by series, each text a symbol once.
pub(in super::super) struct Builder {
    pub(in super::super) request: Request,
    known: HashMap<Vec<u8>, u32>,
}

impl Builder {
    pub(in super::super) fn new() -> Self {
        let mut builder = Self {
            request: Request::default(),
            known: HashMap::new(),
        };
        builder.symbol("");
        builder
    }

    pub(in super::super) fn symbol(&mut self, text: impl AsRef<[u8]>) -> u32 {
        let text = text.as_ref();
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        let index = self.request.symbols.len() as u32;
        self.request.symbols.push(text.to_vec());
        self.known.insert(text.to_vec(), index);
        index
    }

    pub(in super::super) fn refs(&mut self, labels: &[(&str, &str)]) -> Vec<u32> {
        let mut refs = Vec::new();
        for (name, value) in labels {
            refs.push(self.symbol(name));
            refs.push(self.symbol(value));
        }
        refs
    }

    /// Adds a series with (ms, value) samples; what else it has is the caller's to add.
    pub(in super::super) fn series(
        &mut self,
        labels: &[(&str, &str)],
        samples: &[(i64, f64)],
    ) -> &mut TimeSeries {
        let labels_refs = self.refs(labels);
        let samples = samples.iter().map(|&(timestamp, value)| Sample {
            value,
            timestamp,
            start_timestamp: 0,
        });
        self.request.timeseries.push(TimeSeries {
            labels_refs,
            samples: samples.collect(),
            ..TimeSeries::default()
        });
        let last = self.request.timeseries.len() - 1;
        &mut self.request.timeseries[last]
    }

    pub(in super::super) fn encode(&self) -> Vec<u8> {
        self.request.encode_to_vec()
    }
}

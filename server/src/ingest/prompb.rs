//! The messages of remote write 1.0 as prost derives them: what the decoder is compared with, and how tests make
//! their bodies.

use barograph_model::{HistogramCounts, HistogramParts, Span};
use prost::{Message, Oneof};

pub(super) mod v2;

#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    pub(super) metadata: Vec<MetricMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(super) exemplars: Vec<Exemplar>,
    #[prost(message, repeated, tag = "4")]
    pub(super) histograms: Vec<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(double, tag = "2")]
    pub(super) value: f64,
    #[prost(int64, tag = "3")]
    pub(super) timestamp: i64,
}

/// The same in 1.0 and 2.0, but for `start_timestamp`, which 2.0 has.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram {
    #[prost(oneof = "Count", tags = "1, 2")]
    pub(super) count: Option<Count>,
    #[prost(double, tag = "3")]
    pub(super) sum: f64,
    #[prost(sint32, tag = "4")]
    pub(super) schema: i32,
    #[prost(double, tag = "5")]
    pub(super) zero_threshold: f64,
    #[prost(oneof = "ZeroCount", tags = "6, 7")]
    pub(super) zero_count: Option<ZeroCount>,
    #[prost(message, repeated, tag = "8")]
    pub(super) negative_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "9")]
    pub(super) negative_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "10")]
    pub(super) negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "11")]
    pub(super) positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    pub(super) positive_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "13")]
    pub(super) positive_counts: Vec<f64>,
    #[prost(int32, tag = "14")]
    pub(super) reset_hint: i32,
    #[prost(int64, tag = "15")]
    pub(super) timestamp: i64,
    #[prost(double, repeated, tag = "16")]
    pub(super) custom_values: Vec<f64>,
    #[prost(int64, tag = "17")]
    pub(super) start_timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(super) enum Count {
    #[prost(uint64, tag = "1")]
    Int(u64),
    #[prost(double, tag = "2")]
    Float(f64),
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(super) enum ZeroCount {
    #[prost(uint64, tag = "6")]
    Int(u64),
    #[prost(double, tag = "7")]
    Float(f64),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct BucketSpan {
    #[prost(sint32, tag = "1")]
    pub(super) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(super) length: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricMetadata {
    #[prost(int32, tag = "1")]
    pub(super) metric_type: i32,
    #[prost(string, tag = "2")]
    pub(super) metric_family_name: String,
    #[prost(string, tag = "4")]
    pub(super) help: String,
    #[prost(string, tag = "5")]
    pub(super) unit: String,
}

/// A series from pairs and (ms, value) samples.
pub(super) fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    TimeSeries {
        labels: labels
            .iter()
            .map(|(name, value)| label(name.as_bytes(), value.as_bytes()))
            .collect(),
        samples: samples
            .iter()
            .map(|&(timestamp, value)| Sample { value, timestamp })
            .collect(),
        ..TimeSeries::default()
    }
}

pub(super) fn label(name: &[u8], value: &[u8]) -> Label {
    Label {
        name: name.to_vec(),
        value: value.to_vec(),
    }
}

/// A request's message, not compressed.
pub(super) fn encode(timeseries: Vec<TimeSeries>) -> Vec<u8> {
    WriteRequest {
        timeseries,
        metadata: Vec::new(),
    }
    .encode_to_vec()
}

/// An exemplar of a trace.
pub(super) fn exemplar(trace_id: &str, timestamp: i64, value: f64) -> Exemplar {
    Exemplar {
        labels: vec![label(b"trace_id", trace_id.as_bytes())],
        value,
        timestamp,
    }
}

/// An integer histogram of schema 0 with these counts in buckets 0, 1, ...
pub(super) fn histogram(timestamp: i64, counts: &[u64]) -> Histogram {
    let mut before = 0;
    let mut delta = |count: u64| count as i64 - std::mem::replace(&mut before, count as i64);
    Histogram {
        count: Some(Count::Int(counts.iter().sum())),
        sum: 1.5,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: counts.len() as u32,
        }],
        positive_deltas: counts.iter().map(|&count| delta(count)).collect(),
        timestamp,
        ..Histogram::default()
    }
}

/// A message of these fields.
pub(super) fn from_parts(parts: &HistogramParts, timestamp: i64) -> Histogram {
    let spans = |spans: &[Span]| {
        let spans = spans
            .iter()
            .map(|&Span { offset, length }| BucketSpan { offset, length });
        spans.collect()
    };
    let deltas = |counts: &[u64]| {
        let mut before = 0;
        let deltas = counts
            .iter()
            .map(|&count| count as i64 - std::mem::replace(&mut before, count as i64));
        deltas.collect()
    };
    let mut message = Histogram {
        sum: parts.sum,
        schema: parts.schema,
        zero_threshold: parts.zero_threshold,
        negative_spans: spans(&parts.negative_spans),
        positive_spans: spans(&parts.positive_spans),
        reset_hint: i32::from(parts.reset_hint.to_number()),
        timestamp,
        custom_values: parts.custom_values.clone(),
        start_timestamp: parts.created.map_or(0, |created| created.0),
        ..Histogram::default()
    };
    match &parts.counts {
        HistogramCounts::Integer {
            count,
            zero_count,
            positive,
            negative,
        } => {
            message.count = Some(Count::Int(*count));
            message.zero_count = Some(ZeroCount::Int(*zero_count));
            message.positive_deltas = deltas(positive);
            message.negative_deltas = deltas(negative);
        }
        HistogramCounts::Float {
            count,
            zero_count,
            positive,
            negative,
        } => {
            message.count = Some(Count::Float(*count));
            message.zero_count = Some(ZeroCount::Float(*zero_count));
            message.positive_counts.clone_from(positive);
            message.negative_counts.clone_from(negative);
        }
    }
    message
}

//! Series of chunks as frames of a stream.

use axum::body::Bytes;
use barograph_model::Labels;
use barograph_proto::prometheus::Label;
use prost::Message;

use super::message::{Chunk, ChunkedReadResponse, ChunkedSeries, Encoding};
use super::xor;

/// Bytes of chunks in a frame, about; Prometheus' own limit.
const FRAME_BYTES: usize = 1 << 20;

/// The labels of a series as messages.
pub(super) fn labels_of(labels: &Labels) -> Vec<Label> {
    let label = |(name, value): (&str, &str)| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    labels.iter().map(label).collect()
}

/// Cuts samples, ascending in time, into chunks.
pub(super) fn chunks_of(ts: &[i64], values: &[f64]) -> Vec<Chunk> {
    let parts = ts.chunks(xor::SAMPLES_MAX).zip(values.chunks(xor::SAMPLES_MAX));
    let chunk = |(ts, values): (&[i64], &[f64])| Chunk {
        min_time_ms: ts.first().copied().unwrap_or_default(),
        max_time_ms: ts.last().copied().unwrap_or_default(),
        encoding: Encoding::Xor as i32,
        data: xor::encode(ts, values),
    };
    parts.map(chunk).collect()
}

/// The frames of a series: one, or more where its chunks are long together.
pub(super) fn frames_of(query_index: i64, labels: &Labels, chunks: Vec<Chunk>) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let (mut held, mut bytes) = (Vec::new(), 0);
    let mut chunks = chunks.into_iter().peekable();
    while let Some(chunk) = chunks.next() {
        bytes += chunk.data.len();
        held.push(chunk);
        if bytes >= FRAME_BYTES || chunks.peek().is_none() {
            let series = ChunkedSeries {
                labels: labels_of(labels),
                chunks: std::mem::take(&mut held),
            };
            bytes = 0;
            frames.push(frame(&ChunkedReadResponse {
                chunked_series: vec![series],
                query_index,
            }));
        }
    }
    frames
}

/// `length: uvarint | crc32c: u32, big endian | message`
fn frame(message: &ChunkedReadResponse) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = Vec::with_capacity(message.len() + 14);
    prost::encoding::encode_varint(message.len() as u64, &mut frame);
    frame.extend(crc32c::crc32c(&message).to_be_bytes());
    frame.extend(message);
    Bytes::from(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_its_length_and_its_sum() {
        let labels = Labels::from_pairs([("__name__", "up")]).unwrap();
        let ts: Vec<i64> = (0..250).map(|i| i * 1000).collect();
        let chunks = chunks_of(&ts, &vec![1.0; 250]);
        let lengths: Vec<i64> = chunks
            .iter()
            .map(|c| (c.max_time_ms - c.min_time_ms) / 1000 + 1)
            .collect();
        assert_eq!(lengths, [120, 120, 10]);
        let frames = frames_of(3, &labels, chunks);
        assert_eq!(frames.len(), 1);
        let mut bytes: &[u8] = &frames[0];
        let len = prost::encoding::decode_varint(&mut bytes).unwrap() as usize;
        assert_eq!(len, bytes.len() - 4);
        assert_eq!(bytes[..4], crc32c::crc32c(&bytes[4..]).to_be_bytes());
        let message = ChunkedReadResponse::decode(&bytes[4..]).unwrap();
        assert_eq!(
            (message.query_index, message.chunked_series[0].chunks.len()),
            (3, 3)
        );
    }
}

//! `POST /api/v1/read`: raw samples for another Prometheus, as one compressed message or as a stream of chunks.
//!
//! Source: Prometheus, "Remote Read API"; `prompb/remote.proto`.
//!
//! ```text
//! request    snappy block of ReadRequest
//! SAMPLES    snappy block of ReadResponse
//! STREAMED   frames of  length: uvarint | crc32c of the message: u32, big endian | ChunkedReadResponse
//! ```
//!
//! A client says which it takes, in its order of preference. Series with native histograms are answered with samples,
//! whatever it prefers: their chunks are not written here.

mod frame;
mod histogram;
mod message;
mod read;
mod reply;
mod xor;

pub use reply::ReadPlaces;
pub(super) use reply::remote_read;

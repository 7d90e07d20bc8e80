//! Frames: how records lie in a log file, one behind the other.
//!
//! ```text
//!  0        4        8        12     13       16               24
//!  | magic  | length | crc32c | kind | zeros  | sequence       | payload (length bytes) |
//! ```
//!
//! Invariants:
//! - the checksum runs over the payload first and then over the header without the checksum, so that whoever submits
//!   a record can sum the payload before its sequence number is known, on its own thread;
//! - the magic holds bytes that no UTF-8 text holds, so no label can pass for a frame when damage is skipped;
//! - a frame is whole or it does not exist: nothing of one with a wrong checksum is looked at.

use crate::{EngineError, Result};

/// Bytes in front of a payload.
pub(crate) const HEADER_BYTES: usize = 24;

/// The largest payload.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 512 << 20;

const MAGIC: [u8; 4] = [0xff, b'B', b'F', 0xfe];

/// A record made ready for a log: encoded and summed; only its sequence number is missing.
///
/// Building one is all the work of writing a record, and needs no log: submitters build frames in parallel,
/// and the one writer thread stamps a number on each with [`super::Wal::push`], which costs a copy.
#[derive(Debug, Clone)]
pub struct Frame {
    kind: u8,
    payload: Vec<u8>,
    payload_crc: u32,
}

impl Frame {
    /// A frame around bytes of a kind.
    ///
    /// # Errors
    /// [`EngineError::Unwritable`] for more than 512 MiB.
    pub fn new(kind: u8, payload: Vec<u8>) -> Result<Self> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            let reason = format!(
                "a record of {} bytes is larger than {PAYLOAD_BYTES_MAX}",
                payload.len()
            );
            return Err(EngineError::Unwritable { reason });
        }
        let payload_crc = crc32c::crc32c(&payload);
        Ok(Self {
            kind,
            payload,
            payload_crc,
        })
    }

    /// Bytes that the frame takes in a log.
    #[must_use]
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    /// Appends the frame, with its number, to what is to be written.
    pub(crate) fn write_to(&self, seq: u64, out: &mut Vec<u8>) {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC);
        // `new` has checked that the length fits.
        header[4..8].copy_from_slice(&(self.payload.len() as u32).to_le_bytes());
        header[12] = self.kind;
        header[16..].copy_from_slice(&seq.to_le_bytes());
        let crc = checksum(self.payload_crc, &header);
        header[8..12].copy_from_slice(&crc.to_le_bytes());
        out.reserve(self.bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.payload);
    }
}

/// A frame in the bytes of a log file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameRef<'a> {
    /// Where its header begins.
    pub(crate) at: usize,
    /// Its number.
    pub(crate) seq: u64,
    /// What the payload is.
    pub(crate) kind: u8,
    /// What was pushed.
    pub(crate) payload: &'a [u8],
}

impl FrameRef<'_> {
    /// One past the payload.
    pub(crate) fn end(&self) -> usize {
        self.at + HEADER_BYTES + self.payload.len()
    }
}

/// What a walk over a log file meets.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    /// A whole frame.
    Frame(FrameRef<'a>),
    /// Bytes that are no frame, with a whole frame behind them.
    Hole {
        /// The first of them.
        at: usize,
        /// One past the last.
        end: usize,
    },
    /// Bytes that are no frame, and nothing but zeros behind them.
    Tail {
        /// The first of them.
        at: usize,
        /// One past the last that is not zero.
        end: usize,
    },
}

/// Walks over the frames of a log file and steps over what is damaged. Zeros at the end are the reserved
/// part.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    data_end: usize,
}

impl<'a> Frames<'a> {
    /// A walk that begins at an offset.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            data_end: data_end(bytes),
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.at >= self.data_end {
            return None;
        }
        if let Some(frame) = parse(self.bytes, self.at) {
            self.at = frame.end();
            return Some(Item::Frame(frame));
        }
        let at = self.at;
        let next = self.bytes[..self.data_end]
            .windows(MAGIC.len())
            .enumerate()
            .skip(at + 1)
            .find(|(next, window)| *window == MAGIC && parse(self.bytes, *next).is_some());
        self.at = next.map_or(self.data_end, |(next, _)| next);
        let end = self.at;
        Some(if next.is_some() {
            Item::Hole { at, end }
        } else {
            Item::Tail { at, end }
        })
    }
}

/// The whole frame at an offset.
fn parse(bytes: &[u8], at: usize) -> Option<FrameRef<'_>> {
    let rest = bytes.get(at..)?;
    let (header, rest) = rest.split_first_chunk::<HEADER_BYTES>()?;
    if header[..4] != MAGIC || header[13..16] != [0; 3] {
        return None;
    }
    let length = u32::from_le_bytes(*header[4..].first_chunk()?) as usize;
    let crc = u32::from_le_bytes(*header[8..].first_chunk()?);
    let payload = rest.get(..length)?;
    if length > PAYLOAD_BYTES_MAX || checksum(crc32c::crc32c(payload), header) != crc {
        return None;
    }
    let seq = u64::from_le_bytes(*header[16..].first_chunk()?);
    Some(FrameRef {
        at,
        seq,
        kind: header[12],
        payload,
    })
}

/// The checksum of a payload continued over its header.
fn checksum(payload_crc: u32, header: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(payload_crc, &header[..8]), &header[12..])
}

/// One past the last byte that is not zero. A reserved file is mostly zeros, so they are compared in blocks.
fn data_end(bytes: &[u8]) -> usize {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut end = bytes.len();
    while end >= ZEROS.len() && bytes[end - ZEROS.len()..end] == ZEROS {
        end -= ZEROS.len();
    }
    bytes[..end]
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(payloads: &[&[u8]]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for (seq, payload) in (1..).zip(payloads) {
            Frame::new(7, payload.to_vec()).unwrap().write_to(seq, &mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn walk(bytes: &[u8]) -> String {
        let item = |item| match item {
            Item::Frame(frame) => {
                format!(
                    "{}:{}:{}",
                    frame.seq,
                    frame.kind,
                    String::from_utf8_lossy(frame.payload)
                )
            }
            Item::Hole { at, end } => format!("hole {at}-{end}"),
            Item::Tail { at, end } => format!("tail {at}-{end}"),
        };
        Frames::new(bytes, 0).map(item).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_walk_gives_what_was_written() {
        let (mut bytes, _) = log(&[b"a", b"", b"ccc\0\0"]);
        assert_eq!(walk(&bytes), "1:7:a 2:7: 3:7:ccc\0\0");
        bytes.resize(20_000, 0);
        assert_eq!(
            walk(&bytes),
            "1:7:a 2:7: 3:7:ccc\0\0",
            "the reserved part is no damage"
        );
        assert_eq!(walk(&[0; 9000]), "");
    }

    #[test]
    fn every_flipped_bit_costs_its_own_frame_and_no_other() {
        let (bytes, ends) = log(&[b"first", b"second", b"third"]);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                at if at < ends[0] => format!("hole 0-{} 2:7:second 3:7:third", ends[0]),
                at if at < ends[1] => format!("1:7:first hole {}-{} 3:7:third", ends[0], ends[1]),
                _ => format!("1:7:first 2:7:second tail {}-{}", ends[1], ends[2]),
            };
            assert_eq!(walk(&bytes), expected, "bit {bit}");
        }
    }

    #[test]
    fn every_cut_leaves_the_frames_before_it() {
        let (bytes, ends) = log(&[b"first", b"second", b"third"]);
        for len in 0..bytes.len() {
            let whole = ends.iter().filter(|end| **end <= len).count();
            let frames = Frames::new(&bytes[..len], 0)
                .filter(|item| matches!(item, Item::Frame(_)))
                .count();
            assert_eq!(frames, whole, "cut at {len}");
        }
    }
}

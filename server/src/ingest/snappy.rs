//! Snappy's block format, under a cap: the one home of the decoder.
//!
//! A block begins with its decompressed length as a varint. That length is the sender's word, so it is checked
//! against the cap, and against what a block of this size can hold at all, before any memory is taken for it.

use snap::raw::{Decoder, decompress_len};
use thiserror::Error;

/// A copy element of three bytes gives at most 64, so no block holds more than this many times its own length.
const RATIO_MAX: usize = 22;

/// Why a block was not decompressed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SnappyError {
    /// The declared length is over the cap.
    #[error(
        "the body declares {declared} bytes decompressed, more than the {max} that are accepted (send smaller batches)"
    )]
    TooLarge {
        /// What the header says.
        declared: usize,
        /// The cap.
        max: usize,
    },
    /// The block cannot hold what it declares: a decompression bomb, or not snappy at all.
    #[error(
        "the body declares {declared} bytes decompressed, more than {compressed} bytes of snappy can hold"
    )]
    Impossible {
        /// What the header says.
        declared: usize,
        /// The length of the block.
        compressed: usize,
    },
    /// The bytes are not a snappy block.
    #[error("the body is not a block of snappy: {source} (the block format is meant, not the framed one)")]
    Malformed {
        /// What the decoder said.
        source: snap::Error,
    },
}

/// The length that a block says it has decompressed, once it is known to be possible and within the cap.
///
/// # Errors
/// [`SnappyError`], each before memory is taken.
pub(super) fn checked_len(block: &[u8], len_max: usize) -> Result<usize, SnappyError> {
    let declared = decompress_len(block).map_err(|source| SnappyError::Malformed { source })?;
    if declared > len_max {
        return Err(SnappyError::TooLarge {
            declared,
            max: len_max,
        });
    }
    if declared > block.len().saturating_mul(RATIO_MAX) {
        return Err(SnappyError::Impossible {
            declared,
            compressed: block.len(),
        });
    }
    Ok(declared)
}

/// A buffer that bodies are decompressed into, one after the other.
#[derive(Debug, Default)]
pub(super) struct Decompressor {
    /// Its length only grows, so that bytes are zeroed once and not for every body.
    buffer: Vec<u8>,
}

impl Decompressor {
    /// The decompressed block, valid until the next one. At most `len_max` bytes.
    ///
    /// # Errors
    /// [`SnappyError`]; for all but [`SnappyError::Malformed`], before memory is taken.
    pub(super) fn decompress(&mut self, block: &[u8], len_max: usize) -> Result<&[u8], SnappyError> {
        let len = checked_len(block, len_max)?;
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        let written = Decoder::new()
            .decompress(block, &mut self.buffer[..len])
            .map_err(|source| SnappyError::Malformed { source })?;
        Ok(&self.buffer[..written])
    }

    /// Gives memory above `bytes` back, so that one large body does not hold it for ever.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        if self.buffer.len() > bytes {
            self.buffer.truncate(bytes);
            self.buffer.shrink_to(bytes);
        }
    }
}

/// The decompressed block, of at most `len_max` bytes.
///
/// # Errors
/// As [`Decompressor::decompress`].
pub(crate) fn decompress(block: &[u8], len_max: usize) -> Result<Vec<u8>, SnappyError> {
    let mut decompressor = Decompressor::default();
    let written = decompressor.decompress(block, len_max)?.len();
    decompressor.buffer.truncate(written);
    Ok(decompressor.buffer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(bytes).unwrap()
    }

    #[test]
    fn a_buffer_serves_bodies_of_any_length_in_turn() {
        let mut decompressor = Decompressor::default();
        for len in [0, 5, 100_000, 3, 70_000] {
            let plain: Vec<u8> = (0..len).map(|i: usize| (i % 251) as u8).collect();
            assert_eq!(
                decompressor.decompress(&compressed(&plain), 1 << 20).unwrap(),
                plain
            );
        }
        decompressor.shrink_to(10);
        assert!(decompressor.buffer.capacity() < 100_000);
    }

    #[test]
    fn a_bomb_is_refused_before_memory_is_taken() {
        let mut decompressor = Decompressor::default();
        // The header alone says 4 GiB - 1.
        let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61];
        let refused = decompressor.decompress(&bomb, 64 << 20).unwrap_err();
        assert_eq!(
            refused,
            SnappyError::TooLarge {
                declared: u32::MAX as usize,
                max: 64 << 20
            }
        );
        // Within the cap, and still more than seven bytes can hold.
        let bomb = [0x80, 0x80, 0x80, 0x10, 0x00, 0x61, 0x61];
        let refused = decompressor.decompress(&bomb, 64 << 20).unwrap_err();
        assert_eq!(
            refused,
            SnappyError::Impossible {
                declared: 32 << 20,
                compressed: 7
            }
        );
        assert_eq!(decompressor.buffer.capacity(), 0);
    }

    #[test]
    fn the_ratio_bound_lets_the_most_compressible_body_through() {
        let zeros = vec![0; 8 << 20];
        let block = compressed(&zeros);
        assert_eq!(
            Decompressor::default().decompress(&block, 8 << 20).unwrap(),
            zeros
        );
        assert!(matches!(
            checked_len(&block, (8 << 20) - 1),
            Err(SnappyError::TooLarge { .. })
        ));
    }

    #[test]
    fn truncated_blocks_are_refused() {
        let plain: Vec<u8> = (0..2000u32).flat_map(|i| (i * i).to_le_bytes()).collect();
        let block = compressed(&plain);
        for len in 0..block.len() {
            assert!(
                Decompressor::default()
                    .decompress(&block[..len], 1 << 20)
                    .is_err(),
                "cut at {len}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decompress_or_fail(block in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Decompressor::default().decompress(&block, 1 << 16);
        }
    }
}

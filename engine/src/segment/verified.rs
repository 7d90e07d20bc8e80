//! Bytes of a Parquet file that are checked against their checksums where and when they are first read.
//!
//! A store that is opened would otherwise have to read everything it has, and a reader of Parquet that meets damage
//! may return wrong numbers, or panic.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::sidecar::BLOCK_BYTES;

/// A mapped file with its checksums. Clones share what was checked already.
#[derive(Debug, Clone)]
pub(super) struct VerifiedBytes {
    bytes: Bytes,
    blocks: Arc<Blocks>,
}

#[derive(Debug)]
struct Blocks {
    sums: Vec<u32>,
    /// a bit for each block that was found whole
    whole: Vec<AtomicU64>,
    damage: OnceLock<String>,
}

impl VerifiedBytes {
    /// `sums` has a checksum for each block of `bytes`.
    pub(super) fn new(bytes: Bytes, sums: Vec<u32>) -> Self {
        debug_assert!(sums.len() == bytes.len().div_ceil(BLOCK_BYTES));
        let whole = (0..sums.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let blocks = Arc::new(Blocks {
            sums,
            whole,
            damage: OnceLock::new(),
        });
        Self { bytes, blocks }
    }

    /// What was found wrong, if anything was.
    pub(super) fn damage(&self) -> Option<&str> {
        self.blocks.damage.get().map(String::as_str)
    }

    /// Checks the blocks that some bytes lie in.
    fn verify(&self, start: usize, end: usize) -> io::Result<()> {
        for block in start / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES) {
            let (word, bit) = (&self.blocks.whole[block / 64], 1 << (block % 64));
            if word.load(Ordering::Relaxed) & bit != 0 {
                continue;
            }
            let from = block * BLOCK_BYTES;
            let found = crc32c::crc32c(&self.bytes[from..self.bytes.len().min(from + BLOCK_BYTES)]);
            let expected = self.blocks.sums[block];
            if found != expected {
                let what =
                    format!("damaged at byte {from}: expected CRC-32C {expected:08x}, found {found:08x}");
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    self.blocks.damage.get_or_init(|| what).clone(),
                ));
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Length for VerifiedBytes {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl ChunkReader for VerifiedBytes {
    type T = VerifiedRead;

    fn get_read(&self, start: u64) -> Result<VerifiedRead> {
        let at = usize::try_from(start).ok().filter(|at| *at <= self.bytes.len());
        let at = at.ok_or_else(|| ParquetError::EOF(format!("byte {start} of {}", self.bytes.len())))?;
        Ok(VerifiedRead { of: self.clone(), at })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let end = start.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end =
            end.ok_or_else(|| ParquetError::EOF(format!("bytes {start}+{length} of {}", self.bytes.len())))?;
        self.verify(start, end)?;
        Ok(self.bytes.slice(start..end))
    }
}

/// Reads on from some byte.
#[derive(Debug)]
pub(super) struct VerifiedRead {
    of: VerifiedBytes,
    at: usize,
}

impl Read for VerifiedRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let end = self.of.bytes.len().min(self.at + out.len());
        self.of.verify(self.at, end)?;
        let length = end - self.at;
        out[..length].copy_from_slice(&self.of.bytes[self.at..end]);
        self.at = end;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_damage_that_is_read_is_met() {
        let mut bytes = vec![7u8; BLOCK_BYTES * 2 + 10];
        let sums = bytes.chunks(BLOCK_BYTES).map(crc32c::crc32c).collect();
        bytes[BLOCK_BYTES + 3] = 8;
        let file = VerifiedBytes::new(Bytes::from(bytes), sums);
        assert_eq!(file.get_bytes(0, BLOCK_BYTES).unwrap().len(), BLOCK_BYTES);
        assert_eq!(file.get_bytes(BLOCK_BYTES as u64 * 2, 10).unwrap().len(), 10);
        assert_eq!(file.damage(), None);
        let mut read = file.get_read(BLOCK_BYTES as u64 - 1).unwrap();
        assert_eq!(read.read(&mut [0; 1]).unwrap(), 1);
        assert!(read.read(&mut [0; 1]).is_err());
        assert!(file.damage().unwrap().contains("byte 262144"));
        assert!(file.get_bytes(BLOCK_BYTES as u64 * 2, 11).is_err());
    }
}

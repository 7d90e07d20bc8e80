//! The length and checksum of a file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::BackupFailure;

/// Bytes read at a time.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// Tells one file from another: its length and its CRC-32C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// Length.
    pub bytes: u64,
    /// CRC-32C.
    pub crc32c: u32,
}

impl FileSum {
    /// Of no bytes.
    pub(super) const EMPTY: Self = Self { bytes: 0, crc32c: 0 };

    /// Adds what comes next.
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, piece);
    }

    /// Reads a file to its end. Blocks.
    ///
    /// # Errors
    /// [`BackupFailure::Io`].
    pub(super) fn of(path: &Path) -> Result<Self, BackupFailure> {
        let mut file = File::open(path).map_err(BackupFailure::io("open", path))?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut sum = Self::EMPTY;
        loop {
            match file.read(&mut piece).map_err(BackupFailure::io("read", path))? {
                0 => return Ok(sum),
                n => sum.add(&piece[..n]),
            }
        }
    }

    /// # Errors
    /// [`BackupFailure::Differs`], with the file's name.
    pub(super) fn expect(self, expected: Self, key: &str) -> Result<(), BackupFailure> {
        if self == expected {
            return Ok(());
        }
        Err(BackupFailure::Differs {
            key: key.to_owned(),
            expected: expected.to_string(),
            found: self.to_string(),
        })
    }
}

impl fmt::Display for FileSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes with CRC-32C {:08x}", self.bytes, self.crc32c)
    }
}

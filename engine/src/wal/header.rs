//! The first bytes of a log file.
//!
//! ```text
//!  0        8         12       16
//!  | magic  | version | crc32c | first sequence |
//! ```

use crate::{EngineError, Result};

/// Bytes in front of the first frame.
pub(crate) const FILE_HEADER_BYTES: usize = 24;

/// The layout that is written, and the only one so far.
const VERSION: u32 = 1;

/// Writes the header of a file whose first frame gets the number `first_seq`.
pub(crate) fn encode(magic: &[u8; 8], first_seq: u64) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(magic);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..].copy_from_slice(&first_seq.to_le_bytes());
    let crc = checksum(&header);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The number of the first frame; `None` when the header is damaged, cut off, or of another kind of file.
///
/// # Errors
/// [`EngineError::Newer`] for a whole header of a version that this program does not know: the file is not damaged,
/// but it must not be touched.
pub(crate) fn decode(magic: &[u8; 8], bytes: &[u8], path: &std::path::Path) -> Result<Option<u64>> {
    let Some(header) = bytes.first_chunk::<FILE_HEADER_BYTES>() else {
        return Ok(None);
    };
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header[..8] != *magic || checksum(header) != number(12) {
        return Ok(None);
    }
    if number(8) != VERSION {
        return Err(EngineError::Newer {
            path: path.to_owned(),
            format: number(8),
        });
    }
    Ok(Some(u64::from(number(16)) | u64::from(number(20)) << 32))
}

/// Runs over everything but itself.
fn checksum(header: &[u8; FILE_HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MAGIC: [u8; 8] = *b"TESTFILE";

    #[test]
    fn comes_back_or_is_none() {
        let header = encode(&MAGIC, u64::MAX - 1);
        assert_eq!(
            decode(&MAGIC, &header, Path::new("f")).unwrap(),
            Some(u64::MAX - 1)
        );
        for bit in 0..header.len() * 8 {
            let mut header = header;
            header[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                decode(&MAGIC, &header, Path::new("f")).unwrap(),
                None,
                "bit {bit}"
            );
        }
        assert_eq!(decode(&MAGIC, &header[..23], Path::new("f")).unwrap(), None);
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let mut header = encode(&MAGIC, 1);
        header[8] = 2;
        let crc = checksum(&header);
        header[12..16].copy_from_slice(&crc.to_le_bytes());
        let error = decode(&MAGIC, &header, Path::new("wal/1")).unwrap_err();
        assert!(matches!(error, EngineError::Newer { format: 2, .. }), "{error}");
    }
}

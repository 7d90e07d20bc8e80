//! The bytes of a manifest: a line, then JSON. The checksum runs over the line up to the checksum itself, and then over
//! all that follows the line, so that no flipped bit passes for the manifest of another format.

use std::io;
use std::path::PathBuf;

use super::Version;
use crate::{EngineError, Result};

const NAME: &str = "barograph-manifest ";
const FORMAT: u32 = 2;
const SUM: &str = " crc32c=";

/// The bytes of a state.
pub(super) fn encode(version: &Version) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(version)
        .map_err(|error| EngineError::io("encode", super::PATH)(io::Error::other(error)))?;
    let crc = checksum(FORMAT, &body);
    let mut bytes = format!("{NAME}{FORMAT}{SUM}{crc:08x}\n").into_bytes();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The state that the bytes of a file hold.
///
/// # Errors
/// [`EngineError::Corrupt`] where they are not what was written, [`EngineError::Newer`] where another version has
/// written them: those are whole, and must not be replaced.
pub(crate) fn decode(path: &str, bytes: &[u8]) -> Result<Version> {
    let corrupt = |offset: usize, expected: String, found: String| EngineError::Corrupt {
        path: PathBuf::from(path),
        offset: offset as u64,
        expected,
        found,
    };
    // No header is longer, and a damaged file may have no end of line at all.
    let start = &bytes[..bytes.len().min(80)];
    let line_end = start.iter().position(|b| *b == b'\n').unwrap_or(start.len());
    let header = String::from_utf8_lossy(&bytes[..line_end]);
    let body = bytes.get(line_end + 1..).unwrap_or_default();
    let Some((format, crc)) = parse_header(&header) else {
        let expected = format!("a line \"{NAME}{FORMAT}{SUM}\" and eight digits");
        return Err(corrupt(0, expected, format!("{header:?}")));
    };
    let found = checksum(format, body);
    if crc != found {
        return Err(corrupt(
            line_end + 1,
            format!("bytes with CRC-32C {crc:08x}"),
            format!("{} bytes with {found:08x}", body.len()),
        ));
    }
    if format != FORMAT {
        return Err(EngineError::Newer {
            path: PathBuf::from(path),
            format,
        });
    }
    serde_json::from_slice(body).map_err(|error| {
        corrupt(
            line_end + 1,
            format!("the fields of format {FORMAT}"),
            error.to_string(),
        )
    })
}

/// The checksum of a manifest.
pub(super) fn checksum(format: u32, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(format!("{NAME}{format}{SUM}").as_bytes()), body)
}

/// The format's number and the checksum.
fn parse_header(line: &str) -> Option<(u32, u32)> {
    let (format, crc) = line.strip_prefix(NAME)?.split_once(SUM)?;
    let (format, sum) = (format.parse().ok()?, u32::from_str_radix(crc, 16).ok()?);
    // As it is written and in no other spelling, so that no flipped bit goes unnoticed.
    (line == format!("{NAME}{format}{SUM}{sum:08x}")).then_some((format, sum))
}

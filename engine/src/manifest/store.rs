//! Reads and replaces the manifest file.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Version;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

const PATH: &str = "MANIFEST";
const NEXT_PATH: &str = "MANIFEST.next";
const HEADER: &str = "barograph-manifest 2 crc32c=";

/// The manifest of a data directory.
#[derive(Debug)]
pub(crate) struct ManifestStore {
    vfs: Arc<dyn Vfs>,
}

impl ManifestStore {
    pub(crate) fn new(vfs: Arc<dyn Vfs>) -> Self {
        Self { vfs }
    }

    /// The state on disk; `None` where there is no manifest yet.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] where the file is not what was written: the store must not be opened then, since a
    /// guess could delete segments.
    pub(crate) fn load(&self) -> Result<Option<Version>> {
        let bytes = match self.vfs.read(PATH) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EngineError::io("read", PATH)(error)),
        };
        let corrupt = |expected: &str, found: String| EngineError::Corrupt {
            path: PathBuf::from(PATH),
            offset: 0,
            expected: expected.to_owned(),
            found,
        };
        // A process that was killed between the renaming and the sync has left a state that the disk may still forget,
        // and files that only the one before it names are about to be removed.
        self.vfs.sync_dir("").map_err(EngineError::io("sync", "."))?;
        let line_end = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
        let header = String::from_utf8_lossy(&bytes[..line_end]).into_owned();
        let body = bytes.get(line_end + 1..).unwrap_or_default();
        let crc = header
            .strip_prefix(HEADER)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let crc = crc.ok_or_else(|| {
            corrupt(
                "a line that begins with barograph-manifest 2 (another number is another version's format)",
                format!("{header:?}"),
            )
        })?;
        let found = crc32c::crc32c(body);
        if crc != found {
            return Err(corrupt(&format!("CRC-32C {crc:08x}"), format!("{found:08x}")));
        }
        serde_json::from_slice(body)
            .map(Some)
            .map_err(|e| corrupt("the fields of version 2", e.to_string()))
    }

    /// Makes a state durable. On an error the old state may or may not still be the one on disk.
    pub(crate) fn save(&self, version: &Version) -> Result<()> {
        let body =
            serde_json::to_vec(version).map_err(|e| EngineError::io("encode", PATH)(io::Error::other(e)))?;
        let mut bytes = format!("{HEADER}{:08x}\n", crc32c::crc32c(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        let mut file = self
            .vfs
            .create(NEXT_PATH)
            .map_err(EngineError::io("create", NEXT_PATH))?;
        file.append(&bytes).map_err(EngineError::io("write", NEXT_PATH))?;
        file.sync().map_err(EngineError::io("sync", NEXT_PATH))?;
        drop(file);
        self.vfs
            .rename(NEXT_PATH, PATH)
            .map_err(EngineError::io("rename", NEXT_PATH))?;
        self.vfs.sync_dir("").map_err(EngineError::io("sync", "."))
    }
}

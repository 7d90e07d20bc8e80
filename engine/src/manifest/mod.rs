//! The manifest: which segments are the store, and from where the log still counts.
//!
//! Two files of the same bytes, `MANIFEST` and `MANIFEST.copy`, each replaced whole and atomically: written beside,
//! synced, renamed over, folder synced.
//!
//! ```text
//! barograph-manifest 2 crc32c=XXXXXXXX\n     checksum of all that follows, eight hexadecimal digits
//! {"wal_floor": ..., "segments": [...]}       JSON, UTF-8
//! ```
//!
//! Invariant: nothing is removed, from the folder of segments or from the log, on the strength of a state that is not
//! durable in both files. So whichever of the two can be read is a state that loses nothing: they are the same, or the
//! program was stopped between writing the two, and then every file and every record that either needs is still there.

mod encoding;
mod store;
mod version;

pub(crate) use encoding::decode;
pub(crate) use store::{COPY_PATH, ManifestStore, PATH};
pub(crate) use version::Version;

#[cfg(test)]
mod tests;

//! The manifest: which segments are the store, and from where the log still counts.
//!
//! One file, replaced whole and atomically: written beside, synced, renamed over, folder synced. A crash leaves the
//! old one or the new one.
//!
//! ```text
//! barograph-manifest 2 crc32c=XXXXXXXX\n     checksum of all that follows, eight hexadecimal digits
//! {"wal_floor": ..., "segments": [...]}       JSON, UTF-8
//! ```

mod store;
mod version;

pub(crate) use store::ManifestStore;
pub(crate) use version::Version;

//! A place that holds backups: files under keys, which never change once they are there.
//!
//! ```text
//! backups/<name>                   the list of a backup's files, written last
//! files/<crc32c>/<path>            a file of the data directory, shared by the backups that have it
//! ```
//!
//! Invariants:
//! - a file is under its key as a whole or not at all;
//! - what was put is durable when the call returns: a folder is synced, a bucket has acknowledged.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::BackupFailure;
use super::bucket::Bucket;
use super::folder::Folder;
use super::sum::FileSum;

/// The bytes of a file, piece by piece.
pub(in crate::cli) type Pieces = BoxStream<'static, Result<Bytes, BackupFailure>>;

/// A folder or a bucket.
#[async_trait]
pub(in crate::cli) trait Depot: Debug + Send + Sync {
    /// The place, for messages.
    fn shown(&self) -> String;

    /// Makes it ready to be written to by this process alone, as far as it can know.
    async fn begin(&self) -> Result<(), BackupFailure>;

    /// Keys below a folder with the lengths of their files; none where there is no such folder.
    async fn list(&self, below: &str) -> Result<BTreeMap<String, u64>, BackupFailure>;

    /// Puts a file that has this length and checksum; one that does not is refused and does not appear. `sent` is told
    /// of bytes on their way.
    async fn put_file(
        &self,
        key: &str,
        source: &Path,
        sum: FileSum,
        sent: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), BackupFailure>;

    /// Puts a few bytes.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BackupFailure>;

    /// Reads a file.
    async fn read(&self, key: &str) -> Result<Pieces, BackupFailure>;

    /// Whether a file that is there with the right length may be taken for the right one without a backup that lists
    /// it. In a folder a power cut may leave the length without the bytes.
    fn trusts_length(&self) -> bool;
}

/// The place that a text names: `s3://BUCKET/PREFIX`, or a folder.
///
/// # Errors
/// [`BackupFailure::Location`].
pub(in crate::cli) fn open(text: &str) -> Result<Arc<dyn Depot>, BackupFailure> {
    match text.split_once("://") {
        Some(("s3", rest)) => Ok(Arc::new(Bucket::open(text, rest)?)),
        Some((scheme, _)) => Err(BackupFailure::Location {
            text: text.to_owned(),
            reason: format!("{scheme}:// is not supported"),
        }),
        None if text.is_empty() => Err(BackupFailure::Location {
            text: text.to_owned(),
            reason: "it is empty".to_owned(),
        }),
        None => Ok(Arc::new(Folder::new(Path::new(text)))),
    }
}

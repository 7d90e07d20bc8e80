//! What can go wrong in the store.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The store's result.
pub type Result<T> = std::result::Result<T, EngineError>;

/// An error of the store. Each message says what, where, and, where there is one, what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The operating system refused an operation on a file.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes on disk are not what was written.
    #[error("{}: at byte {offset}: expected {expected}, found {found}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A segment could not be read or written as Parquet.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The segment.
        path: PathBuf,
        /// What the Parquet library said.
        source: parquet::errors::ParquetError,
    },
    /// A whole file of a format that this program does not know: it is not damaged, and must not be touched.
    #[error("{}: format {format}, which a newer Barograph has written (start that one)", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What it says of itself.
        format: u32,
    },
    /// Another process has the data directory open.
    #[error("the data directory {} is in use by another process: {holder} (stop it, or give this one another --data-dir)", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who has it, as far as that is known.
        holder: String,
    },
    /// A directory that was to be looked at holds no store.
    #[error("{} holds no store: there is no MANIFEST, no wal/ and no segments/ in it", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// A restore into the data directory was cut short: it holds a part of a store.
    #[error(
        "the data directory {} holds a restore that was cut short; run `barograph restore` again to finish it",
        path.display()
    )]
    HalfRestored {
        /// The directory.
        path: PathBuf,
    },
    /// A snapshot cannot be called so.
    #[error("a snapshot cannot be named {name:?}: {reason}")]
    SnapshotName {
        /// The name asked for.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More is waiting to be written than the limits allow; nothing of the batch was stored.
    #[error("overloaded: {what}; send the request again later")]
    Overloaded {
        /// Which limit, with its figure.
        what: String,
    },
    /// The disk is nearly full; nothing of the batch was stored. Reads, flushes and merges go on.
    #[error(
        "the disk has {free_bytes} bytes free, and {kept_bytes} are kept for flushes and merges (min_free_bytes); \
         nothing of this request was stored, make room or shorten the retention"
    )]
    DiskLow {
        /// What is free.
        free_bytes: u64,
        /// What must stay free.
        kept_bytes: u64,
    },
    /// The disk refused a write; nothing of the batch was acknowledged. Reads go on.
    #[error(
        "the write-ahead log cannot be written: {reason}; nothing of this request was stored, send it again later"
    )]
    Unwritable {
        /// What the system said.
        reason: String,
    },
    /// A sync failed, so the state of the disk is unknown. No write is accepted until a restart.
    #[error("writes have stopped because a sync to disk failed ({reason}); restart after the disk is mended")]
    Poisoned {
        /// What the system said at the time.
        reason: String,
    },
    /// The store is being closed.
    #[error("the store is closing")]
    Closing,
}

impl EngineError {
    /// Wraps what the operating system said, for `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Somebody else has the data directory, as locking it has said.
    pub(crate) fn locked(path: PathBuf, said: &io::Error) -> Self {
        let holder = said.to_string();
        Self::Locked { path, holder }
    }

    /// The same error for another waiter of a commit that failed for all of them.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Unwritable { reason } => Self::Unwritable {
                reason: reason.clone(),
            },
            Self::Poisoned { reason } => Self::Poisoned {
                reason: reason.clone(),
            },
            Self::Closing => Self::Closing,
            other => Self::Unwritable {
                reason: other.to_string(),
            },
        }
    }
}

//! Why a backup or a restore failed.

use std::io;
use std::path::{Path, PathBuf};

use barograph_engine::EngineError;
use thiserror::Error;

use crate::alerting::HubError;

/// An error of `barograph backup` and `barograph restore`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupFailure {
    /// The text names neither a folder nor a bucket.
    #[error("{text:?} is no place for backups: {reason} (give a folder, or s3://BUCKET/PREFIX)")]
    Location {
        /// As given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bucket's store said no, after it was asked several times.
    #[error("cannot {action} {key}: {}", told(error))]
    Bucket {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On which object.
        key: String,
        /// What the store said. Not a source, since its own text is long and says the same again.
        error: object_store::Error,
    },
    /// The operating system refused an operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another backup is being written there.
    #[error("another backup is being written to {}; wait for it, or stop it", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// There is no such data directory.
    #[error("there is no data directory {}", path.display())]
    NoDataDir {
        /// The directory.
        path: PathBuf,
    },
    /// The data directory is open.
    #[error(
        "{source}; to back it up while it runs, name the server with --url (it needs --enable-admin-api)"
    )]
    InUse {
        /// What the store said.
        source: EngineError,
    },
    /// The server did not take a snapshot.
    #[error("{url} took no snapshot: {reason}")]
    NoSnapshot {
        /// The server.
        url: String,
        /// What it said, or what the network said.
        reason: String,
    },
    /// The snapshot is on another machine.
    #[error(
        "{url} took the snapshot {dir}, which cannot be read here: run `barograph backup` on the server's machine"
    )]
    NotLocal {
        /// The server.
        url: String,
        /// The folder on its machine.
        dir: String,
    },
    /// There is nothing to read there.
    #[error("there is no backup in {place}")]
    NoBackup {
        /// Where it was looked for.
        place: String,
    },
    /// There are backups, but not this one.
    #[error("there is no backup {name:?} in {place} (`barograph backup list {place}` names them)")]
    NoSuchBackup {
        /// Where it was looked for.
        place: String,
        /// The one asked for.
        name: String,
    },
    /// The list of a backup's files is not what was written.
    #[error("{key}: the list of the backup's files is damaged: {what}; restore another backup")]
    Manifest {
        /// The object or file.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file's bytes are not those that were written.
    #[error("{key}: expected {expected}, found {found}")]
    Differs {
        /// The file.
        key: String,
        /// The length and checksum it should have.
        expected: String,
        /// Those it has.
        found: String,
    },
    /// A restore would mix two stores.
    #[error(
        "{} is not empty; restore into another directory, or replace what is there with --force",
        path.display()
    )]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A verification has found damage, and has told it.
    #[error("{damaged} of {files} files are damaged or missing")]
    Damaged {
        /// Files that are not as they were written.
        damaged: usize,
        /// Files of the backup.
        files: usize,
    },
    /// The restored store is not the one that was backed up.
    #[error("the restored store does not match the backup: {what}")]
    Unlike {
        /// What differs.
        what: String,
    },
    /// The store.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Alert state.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A thread has panicked.
    #[error("a thread ended without a result; this is a bug")]
    Thread,
}

impl BackupFailure {
    /// Wraps what the operating system said, for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether trying the same again may help: the network or the store was at fault, and not the data.
    pub(super) fn is_transient(&self) -> bool {
        use object_store::Error;
        match self {
            Self::Bucket { error, .. } => matches!(error, Error::Generic { .. } | Error::JoinError { .. }),
            _ => false,
        }
    }
}

/// The cause at the bottom, which says more than what wraps it; of an answer in XML only its message.
fn told(error: &object_store::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let text = cause.to_string();
    let message = text
        .split_once("<Message>")
        .and_then(|(_, rest)| rest.split_once("</Message>"));
    message.map_or(text.clone(), |(message, _)| message.to_owned())
}

//! Backups in a folder of the operating system.
//!
//! A file is written beside its name, synced and renamed, and the folders are synced: `object_store`'s own folders
//! sync nothing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::BackupFailure;
use super::depot::{Depot, Pieces};
use super::sum::{FileSum, PIECE_BYTES};

/// The end of a name whose file is being written.
const UNFINISHED: &str = ".part";

/// The file that a backup locks.
const LOCK: &str = "LOCK";

/// A folder with backups.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// held from [`Depot::begin`] on
    lock: Mutex<Option<File>>,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            lock: Mutex::new(None),
        }
    }

    fn begin_blocking(root: &Path) -> Result<File, BackupFailure> {
        create_dir(root)?;
        let path = root.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(BackupFailure::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(BackupFailure::Busy {
                    path: root.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(BackupFailure::io("lock", &path)(error)),
        }
        // Nobody else writes here: what is unfinished was cut short.
        for below in ["files", "backups"] {
            walk(&root.join(below), &mut |path, _| match is_unfinished(path) {
                true => fs::remove_file(path).map_err(BackupFailure::io("remove", path)),
                false => Ok(()),
            })?;
        }
        Ok(lock)
    }
}

#[async_trait]
impl Depot for Folder {
    fn shown(&self) -> String {
        self.root.display().to_string()
    }

    async fn begin(&self) -> Result<(), BackupFailure> {
        let root = self.root.clone();
        let lock = blocking(move || Self::begin_blocking(&root)).await?;
        *self
            .lock
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(lock);
        Ok(())
    }

    async fn list(&self, below: &str) -> Result<BTreeMap<String, u64>, BackupFailure> {
        let (root, below) = (self.root.clone(), self.root.join(below));
        blocking(move || {
            let mut found = BTreeMap::new();
            walk(&below, &mut |path, bytes| {
                // A name that is not UTF-8 is none of ours.
                if let Some(key) = path.strip_prefix(&root).ok().and_then(Path::to_str)
                    && !is_unfinished(path)
                {
                    found.insert(key.to_owned(), bytes);
                }
                Ok(())
            })?;
            Ok(found)
        })
        .await
    }

    async fn put_file(
        &self,
        key: &str,
        source: &Path,
        sum: FileSum,
        sent: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), BackupFailure> {
        let (path, source, key) = (self.root.join(key), source.to_owned(), key.to_owned());
        blocking(move || {
            let mut from = File::open(&source).map_err(BackupFailure::io("open", &source))?;
            let mut piece = vec![0; PIECE_BYTES];
            let mut found = FileSum::EMPTY;
            write_file(&path, &mut || {
                let n = from
                    .read(&mut piece)
                    .map_err(BackupFailure::io("read", &source))?;
                found.add(&piece[..n]);
                if n == 0 {
                    found.expect(sum, &source.display().to_string())?;
                }
                Ok(Bytes::copy_from_slice(&piece[..n]))
            })
            .inspect_err(|_| tracing::debug!(key, "a file was not written"))
        })
        .await?;
        sent(sum.bytes);
        Ok(())
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BackupFailure> {
        let path = self.root.join(key);
        blocking(move || {
            let mut pieces = [bytes, Bytes::new()].into_iter();
            write_file(&path, &mut || Ok(pieces.next().unwrap_or_default()))
        })
        .await
    }

    async fn read(&self, key: &str) -> Result<Pieces, BackupFailure> {
        let path = self.root.join(key);
        let file = File::open(&path).map_err(BackupFailure::io("open", &path))?;
        let pieces = futures::stream::try_unfold((file, path), |(mut file, path)| {
            blocking(move || {
                let mut piece = vec![0; PIECE_BYTES];
                let n = file.read(&mut piece).map_err(BackupFailure::io("read", &path))?;
                piece.truncate(n);
                Ok((n > 0).then(|| (Bytes::from(piece), (file, path))))
            })
        });
        Ok(pieces.boxed())
    }

    fn trusts_length(&self) -> bool {
        false
    }
}

/// Runs blocking work away from the threads of I/O.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupFailure> + Send + 'static,
) -> Result<T, BackupFailure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(BackupFailure::Thread))
}

/// Writes the pieces that `next` gives, up to an empty one, to a file that appears under its name when it is complete
/// and durable. Where `next` or the disk fails, nothing is left.
pub(super) fn write_file(
    path: &Path,
    next: &mut dyn FnMut() -> Result<Bytes, BackupFailure>,
) -> Result<(), BackupFailure> {
    let parent = path.parent().unwrap_or(Path::new("."));
    create_dir(parent)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(UNFINISHED);
    let beside = PathBuf::from(beside);
    let written = (|| {
        let mut file = File::create(&beside).map_err(BackupFailure::io("create", &beside))?;
        loop {
            let piece = next()?;
            if piece.is_empty() {
                break;
            }
            file.write_all(&piece)
                .map_err(BackupFailure::io("write", &beside))?;
        }
        file.sync_all().map_err(BackupFailure::io("sync", &beside))?;
        fs::rename(&beside, path).map_err(BackupFailure::io("rename", &beside))
    })();
    if written.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&beside);
    }
    written?;
    sync_dir(parent)
}

/// Makes the names in a folder durable.
pub(super) fn sync_dir(path: &Path) -> Result<(), BackupFailure> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(BackupFailure::io("sync", path))
}

/// Creates a folder and those above it, each durable in the one that holds it.
pub(super) fn create_dir(path: &Path) -> Result<(), BackupFailure> {
    let path = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new("."));
    create_dir(parent)?;
    match fs::create_dir(path) {
        // Another task was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result.map_err(BackupFailure::io("create", path)),
    }?;
    sync_dir(match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    })
}

/// Gives every file in a folder and below, with its length; nothing for a missing folder.
pub(super) fn walk(
    dir: &Path,
    each: &mut dyn FnMut(&Path, u64) -> Result<(), BackupFailure>,
) -> Result<(), BackupFailure> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(BackupFailure::io("list", dir))?,
    };
    for entry in entries {
        let entry = entry.map_err(BackupFailure::io("list", dir))?;
        let path = entry.path();
        let metadata = entry.metadata().map_err(BackupFailure::io("look at", &path))?;
        if metadata.is_dir() {
            walk(&path, each)?;
        } else {
            each(&path, metadata.len())?;
        }
    }
    Ok(())
}

fn is_unfinished(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .ends_with(UNFINISHED.as_bytes())
}

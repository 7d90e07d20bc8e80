//! The file system as the store sees it: the only way to a file.
//!
//! Two implementations: [`DiskVfs`], and [`SimVfs`], which keeps files in memory, loses what was not synced
//! and fails on demand.
//!
//! Invariants, which every caller may rely on and which the simulation breaks as far as they allow:
//! - paths are relative to the data directory and use `/`;
//! - bytes survive a power cut only after [`VfsFile::sync`]; before it any part of them may be lost;
//! - a created, renamed or removed name survives only after [`Vfs::sync_dir`] of its folder (of both folders,
//!   for a rename between two); before it the old and the new name are both possible, one by one;
//! - a file that has been handed out by [`Vfs::read`] is never written to again while those bytes are held.

mod copy;
mod disk;
mod mmap;
mod sim;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

pub use disk::DiskVfs;
pub use sim::{SimVfs, for_each_seed};

/// A data directory.
pub trait Vfs: Debug + Send + Sync {
    /// Opens a new file, or an existing one after emptying it.
    ///
    /// # Errors
    /// What the system says; a missing folder is [`io::ErrorKind::NotFound`].
    fn create(&self, path: &str) -> io::Result<Box<dyn VfsFile>>;

    /// Opens an existing file; its length counts as appended.
    ///
    /// # Errors
    /// What the system says; a missing file is [`io::ErrorKind::NotFound`].
    fn open_append(&self, path: &str) -> io::Result<Box<dyn VfsFile>>;

    /// The whole of a file that is not written to any more. On disk this maps the file, so it costs address
    /// space and no memory.
    ///
    /// # Errors
    /// What the system says; a missing file is [`io::ErrorKind::NotFound`].
    fn read(&self, path: &str) -> io::Result<Bytes>;

    /// The length of a file, preallocated bytes included.
    ///
    /// # Errors
    /// What the system says; a missing file is [`io::ErrorKind::NotFound`].
    fn len(&self, path: &str) -> io::Result<u64>;

    /// Names of the files and folders in a folder, sorted; none for a missing folder. `""` is the data
    /// directory.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Creates a folder and those above it. Durable on return, unlike a file's name.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir_all(&self, dir: &str) -> io::Result<()>;

    /// Renames a file, replacing what has the new name; or a folder, to a name that nothing has. The names inside a
    /// folder must be durable before it is renamed.
    ///
    /// # Errors
    /// What the system says; a missing file is [`io::ErrorKind::NotFound`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Bytes that were read from it stay valid.
    ///
    /// # Errors
    /// What the system says; a missing file is [`io::ErrorKind::NotFound`].
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Gives a file that is never written to again a second name, which costs no space: either name may go and the
    /// bytes stay under the other. Where the file system cannot do that, the file is copied and the copy synced. Bytes
    /// that were synced under the old name are durable under the new one; the name itself needs
    /// [`Vfs::sync_dir`].
    ///
    /// # Errors
    /// What the system says; a missing file is [`io::ErrorKind::NotFound`], a name that is taken
    /// [`io::ErrorKind::AlreadyExists`].
    fn link(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a folder and what is in it; a missing one is no error. Cut short, it may leave any part of the folder.
    ///
    /// # Errors
    /// What the system says.
    fn remove_dir_all(&self, dir: &str) -> io::Result<()>;

    /// A folder as a data directory of its own, with a lock of its own; it is created when it is missing.
    ///
    /// # Errors
    /// What the system says.
    fn subfolder(&self, dir: &str) -> io::Result<Arc<dyn Vfs>>;

    /// Makes the names in a folder durable. `""` is the data directory.
    ///
    /// # Errors
    /// What the system says; the state of the names is then unknown.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// Takes the data directory for this process until the result is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another holder has it; the message names its process where that is
    /// known.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync + Debug>>;

    /// Bytes that can still be written, by this process; `None` where nothing limits it.
    ///
    /// # Errors
    /// What the system says.
    fn free_bytes(&self) -> io::Result<Option<u64>>;

    /// The data directory, for messages.
    fn root(&self) -> PathBuf;
}

/// A file that grows at its end.
pub trait VfsFile: Debug + Send {
    /// Writes behind what was appended before.
    ///
    /// # Errors
    /// What the system says. Some of the bytes may be in the file, but they do not count into
    /// [`VfsFile::len`] and the next append overwrites them; cut them off with [`VfsFile::truncate`] where
    /// that matters.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes durable.
    ///
    /// # Errors
    /// What the system says. After that nobody knows which bytes are durable, and a second sync that succeeds
    /// proves nothing.
    fn sync(&mut self) -> io::Result<()>;

    /// Reserves space, so that later appends up to this length of the file need none and change no metadata.
    /// The reserved part reads as zeros. Does nothing on file systems that cannot.
    ///
    /// # Errors
    /// What the system says, a full disk above all; the file can still be appended to.
    fn preallocate(&mut self, bytes: u64) -> io::Result<()>;

    /// Cuts the file, reserved space included; the next append goes there. `len` is at most what was
    /// appended.
    ///
    /// # Errors
    /// What the system says.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Bytes appended so far, without the reserved part.
    fn len(&self) -> u64;

    /// Whether nothing was appended.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

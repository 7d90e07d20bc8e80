//! A data directory in memory that breaks as disks do: the twin of [`super::DiskVfs`] for tests and
//! simulations.
//!
//! It can be told to stop after a number of operations (a power cut), to run full, to fail a sync and to flip
//! bits. After a power cut it keeps of everything that was not synced whatever its seed says: nothing, all, a
//! write without its end, single sectors of a write, a file without its name, a name without its bytes.
//!
//! Invariants:
//! - the same seed and the same calls give the same bytes;
//! - what was synced survives every power cut, bytes and names, each by its own sync;
//! - clones share one disk.

mod names;
mod random;
mod seeds;
mod state;
mod survival;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use self::seeds::for_each_seed;
use self::state::State;
use super::copy::copy;
use super::{Vfs, VfsFile};

/// A simulated disk. It has a seed, and everything that it does by chance follows from it.
#[derive(Debug, Clone)]
pub struct SimVfs {
    state: Arc<Mutex<State>>,
    seed: u64,
    /// the folder that is the data directory; empty for the whole disk
    dir: String,
}

impl SimVfs {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(seed))),
            seed,
            dir: String::new(),
        }
    }

    /// The seed, for the message of a test that fails.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many operations have been asked for that change anything on the disk.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets `operations` more changing operations through and cuts the power then.
    pub fn crash_after(&self, operations: u64) {
        let mut state = self.state();
        state.crash_at = Some(state.operations + operations);
    }

    /// Whether the power is off: every operation fails.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.state().is_crashed
    }

    /// Cuts the power if it is on, and comes back with what survived on the disk. Open files and locks are
    /// gone. A planned crash or failing sync is forgotten; the capacity stays.
    pub fn restart(&self) {
        self.state().restart();
    }

    /// Kills the process, not the machine: comes back with everything that was written, synced or not. What
    /// was not synced can still be lost by a later [`SimVfs::restart`].
    pub fn restart_process(&self) {
        self.state().restart_process();
    }

    /// Limits [`SimVfs::used_bytes`]; an append beyond it writes what fits and fails. `None`
    /// lifts it.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Makes the disk one that gives no file a second name, so that [`Vfs::link`] copies.
    pub fn refuse_links(&self) {
        self.state().refuses_links = true;
    }

    /// The sum of the lengths of all files, each counted once whatever its names.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Lets `syncs` more syncs (of files or folders) through and fails the one after them. What it should
    /// have made durable may be lost even if a later sync succeeds, as on Linux.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.state().sync_fails_in = Some(syncs);
    }

    /// Flips a bit of a file, on the disk and for every reader from now on. Does nothing for a missing file;
    /// counts around its end.
    pub fn flip_bit(&self, path: &str, bit: u64) {
        self.state().flip_bit(path, bit);
    }

    /// Every file with its length, sorted by path.
    #[must_use]
    pub fn files(&self) -> Vec<(String, u64)> {
        self.state().files()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that has panicked while it held the disk has said what it had to say.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path on the whole disk.
    fn full(&self, path: &str) -> String {
        match (self.dir.is_empty(), path.is_empty()) {
            (true, _) => path.to_owned(),
            (false, true) => self.dir.clone(),
            (false, false) => format!("{}/{path}", self.dir),
        }
    }

    fn open(&self, inode: u64, len: u64, epoch: u64) -> Box<dyn VfsFile> {
        Box::new(SimFile {
            vfs: self.clone(),
            inode,
            epoch,
            len,
        })
    }
}

impl Vfs for SimVfs {
    fn create(&self, path: &str) -> io::Result<Box<dyn VfsFile>> {
        let mut state = self.state();
        let inode = state.create(&self.full(path))?;
        Ok(self.open(inode, 0, state.epoch))
    }

    fn open_append(&self, path: &str) -> io::Result<Box<dyn VfsFile>> {
        let state = self.state();
        let (inode, data) = state.read(&self.full(path))?;
        Ok(self.open(inode, data.len() as u64, state.epoch))
    }

    fn read(&self, path: &str) -> io::Result<Bytes> {
        Ok(Bytes::copy_from_slice(self.state().read(&self.full(path))?.1))
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(self.state().read(&self.full(path))?.1.len() as u64)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.state().list(&self.full(dir))
    }

    fn create_dir_all(&self, dir: &str) -> io::Result<()> {
        self.state().create_dir_all(&self.full(dir))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state().rename(&self.full(from), &self.full(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.state().remove(&self.full(path))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        if self.state().refuses_links {
            return copy(self, from, to);
        }
        self.state().link(&self.full(from), &self.full(to))
    }

    fn remove_dir_all(&self, dir: &str) -> io::Result<()> {
        self.state().remove_dir_all(&self.full(dir))
    }

    fn subfolder(&self, dir: &str) -> io::Result<Arc<dyn Vfs>> {
        let dir = self.full(dir);
        self.state().create_dir_all(&dir)?;
        Ok(Arc::new(Self { dir, ..self.clone() }))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.state().sync_dir(&self.full(dir))
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync + Debug>> {
        let mut state = self.state();
        state.take_lock(&self.dir)?;
        Ok(Box::new(SimLock {
            vfs: self.clone(),
            epoch: state.epoch,
        }))
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let state = self.state();
        let used = state.used_bytes();
        Ok(state.capacity.map(|capacity| capacity.saturating_sub(used)))
    }

    fn root(&self) -> PathBuf {
        let disk = PathBuf::from(format!("/simulation-{}", self.seed));
        match self.dir.is_empty() {
            true => disk,
            false => disk.join(&self.dir),
        }
    }
}

/// A file of one life of the disk: after a restart it is dead.
#[derive(Debug)]
struct SimFile {
    vfs: SimVfs,
    inode: u64,
    epoch: u64,
    len: u64,
}

impl VfsFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.vfs.state().write(self.inode, self.epoch, self.len, bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.vfs.state().sync(self.inode, self.epoch)
    }

    fn preallocate(&mut self, bytes: u64) -> io::Result<()> {
        self.vfs.state().reserve(self.inode, self.epoch, bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        assert!(
            len <= self.len,
            "a file is cut to at most what was appended ({len} > {})",
            self.len
        );
        self.vfs.state().truncate(self.inode, self.epoch, len)?;
        self.len = len;
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }
}

/// The data directory is taken until this is dropped or the process dies.
#[derive(Debug)]
struct SimLock {
    vfs: SimVfs,
    epoch: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.vfs.state();
        if state.epoch == self.epoch {
            state.locked.remove(&self.vfs.dir);
        }
    }
}

#[cfg(test)]
mod tests;

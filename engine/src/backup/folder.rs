//! A snapshot while it is built.

use std::collections::BTreeSet;

use super::{SNAPSHOTS, UNFINISHED};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// The folder of a snapshot that is not finished, into which files of the data directory are linked.
#[derive(Debug)]
pub struct SnapshotFolder<'a> {
    vfs: &'a dyn Vfs,
    /// `snapshots/<name>`, which it will be
    finished: String,
    /// `snapshots/<name>.tmp`, which it is
    dir: String,
    /// folders with names that are not durable yet
    unsynced: BTreeSet<String>,
    files: u64,
    bytes: u64,
    is_done: bool,
}

impl<'a> SnapshotFolder<'a> {
    /// Begins a snapshot under a name that no other has.
    pub(super) fn create(vfs: &'a dyn Vfs, name: &str) -> Result<Self> {
        check(name)?;
        let finished = format!("{SNAPSHOTS}/{name}");
        let names = vfs.list(SNAPSHOTS).map_err(EngineError::io("list", SNAPSHOTS))?;
        if names.iter().any(|taken| taken == name) {
            return Err(EngineError::SnapshotName {
                name: name.to_owned(),
                reason: "there is one of that name already",
            });
        }
        let dir = format!("{finished}{UNFINISHED}");
        // What an attempt has left that was cut short or failed.
        vfs.remove_dir_all(&dir)
            .map_err(EngineError::io("remove", &dir))?;
        vfs.create_dir_all(&dir)
            .map_err(EngineError::io("create", &dir))?;
        Ok(Self {
            vfs,
            finished,
            dir,
            unsynced: BTreeSet::new(),
            files: 0,
            bytes: 0,
            is_done: false,
        })
    }

    /// Gives a file of the data directory its second name, the same path in the snapshot. The file must be durable and
    /// never be written to again.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the disk says no.
    pub fn link(&mut self, path: &str) -> Result<()> {
        let to = format!("{}/{path}", self.dir);
        let dir = to
            .rsplit_once('/')
            .map_or(self.dir.as_str(), |(dir, _)| dir)
            .to_owned();
        if !self.unsynced.contains(&dir) {
            self.vfs
                .create_dir_all(&dir)
                .map_err(EngineError::io("create", &dir))?;
            self.unsynced.insert(dir);
        }
        self.vfs.link(path, &to).map_err(EngineError::io("link", path))?;
        self.files += 1;
        self.bytes += self.vfs.len(path).map_err(EngineError::io("look at", path))?;
        Ok(())
    }

    /// The folder as a data directory, to put a manifest into.
    pub(super) fn vfs(&self) -> Result<std::sync::Arc<dyn Vfs>> {
        self.vfs
            .subfolder(&self.dir)
            .map_err(EngineError::io("open", &self.dir))
    }

    /// Makes every name durable and gives the folder its own. Gives the files that were linked and their bytes.
    pub(super) fn finish(mut self) -> Result<(u64, u64)> {
        // The folder itself holds the names of those below it.
        self.unsynced.insert(self.dir.clone());
        for dir in &self.unsynced {
            self.vfs.sync_dir(dir).map_err(EngineError::io("sync", dir))?;
        }
        self.vfs
            .rename(&self.dir, &self.finished)
            .map_err(EngineError::io("rename", &self.dir))?;
        // From here on it may be seen by its name, so it is no longer ours to remove.
        self.is_done = true;
        self.vfs
            .sync_dir(SNAPSHOTS)
            .map_err(EngineError::io("sync", SNAPSHOTS))?;
        Ok((self.files, self.bytes))
    }
}

impl Drop for SnapshotFolder<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            // What cannot be removed now is removed at the next start.
            let _ = self.vfs.remove_dir_all(&self.dir);
        }
    }
}

/// A name must be a folder's on every system, and not look like something else.
fn check(name: &str) -> Result<()> {
    let refused = |reason| {
        Err(EngineError::SnapshotName {
            name: name.to_owned(),
            reason,
        })
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 128 || !name.chars().all(is_plain) {
        return refused("it takes 1 to 128 letters, digits, '-', '_' and '.'");
    }
    if name.starts_with('.') || name.ends_with(UNFINISHED) {
        return refused("it begins with a dot or ends in .tmp");
    }
    Ok(())
}

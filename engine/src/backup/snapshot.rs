//! Taking a snapshot of an open store.

use std::sync::{Arc, PoisonError};

use super::{SNAPSHOTS, SnapshotFolder};
use crate::manifest::ManifestStore;
use crate::segment::{SegmentKind, SegmentMeta};
use crate::vfs::Vfs;
use crate::{Engine, EngineError, Result};

/// What becomes of samples that are in memory and in the log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// They are written to segments first: the snapshot holds all that was acknowledged before the call.
    Flush,
    /// They are left out.
    Skip,
}

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotReport {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the data directory.
    pub dir: String,
    /// Segments in it.
    pub segments: usize,
    /// Samples in them.
    pub rows: u64,
    /// Files that were linked, the manifest not among them.
    pub files: u64,
    /// Their bytes, which take no space as long as the store has the same files.
    pub bytes: u64,
}

impl Engine {
    /// Takes a snapshot: a data directory `snapshots/<name>` that holds what the store holds now and stays as it is.
    /// `beside` links what else belongs into it; it is called while nothing is flushed or merged, and must not call
    /// the store.
    ///
    /// Takes as long as one link for each file, or where the file system has no links, as a copy of the store; flushes
    /// and merges wait meanwhile, appends and queries do not.
    ///
    /// # Errors
    /// [`EngineError::SnapshotName`]; those of [`Engine::flush`]; [`EngineError::Io`] when the disk says no, and what
    /// `beside` says. There is then no snapshot of that name, unless the last sync of its name was what failed.
    pub fn snapshot_to(
        &self,
        name: &str,
        head: Head,
        beside: &mut dyn FnMut(&mut SnapshotFolder<'_>) -> Result<()>,
    ) -> Result<SnapshotReport> {
        if head == Head::Flush {
            self.flush()?;
        }
        let shared = &self.shared;
        // Held to the end: a merge or the retention would remove files that are about to be linked.
        let files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
        let vfs = shared.vfs.as_ref();
        vfs.create_dir_all(SNAPSHOTS)
            .map_err(EngineError::io("create", SNAPSHOTS))?;
        let mut folder = SnapshotFolder::create(vfs, name)?;
        for path in files.version.segments.iter().flat_map(SegmentMeta::paths) {
            folder.link(&path)?;
        }
        beside(&mut folder)?;
        ManifestStore::new(folder.vfs()?).save(&files.version)?;
        let (linked, bytes) = folder.finish()?;
        Ok(SnapshotReport {
            name: name.to_owned(),
            dir: format!("{SNAPSHOTS}/{name}"),
            segments: files.version.segments.len(),
            rows: {
                let segments = files.version.segments.iter();
                let of_samples = segments.filter(|segment| segment.kind == SegmentKind::Samples);
                of_samples.map(|segment| segment.rows).sum()
            },
            files: linked,
            bytes,
        })
    }

    /// The file system of the store, for what else is kept in its data directory.
    #[must_use]
    pub fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::clone(&self.shared.vfs)
    }
}

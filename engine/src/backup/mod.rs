//! Snapshots on disk, and what a backup has to know of a store.
//!
//! A snapshot is the folder `snapshots/<name>` of the data directory and a whole data directory itself: a second name
//! for every segment file, a manifest of its own, and beside them what the caller adds. Segment files are never
//! written to again, so that neither the store's merges and retention nor the snapshot's change the other.
//!
//! Invariants:
//! - `snapshots/<name>` is whole and durable as soon as it has that name: it is built as `<name>.tmp` and renamed;
//! - what is left of one that was cut short is removed at the next start, and nothing else in `snapshots/` ever is;
//! - a data directory with the file [`RESTORING`] holds a part of a store and is not opened.

mod folder;
mod inventory;
mod snapshot;
#[cfg(test)]
mod tests;

use crate::vfs::Vfs;
use crate::{EngineError, Result};

pub use folder::SnapshotFolder;
pub use inventory::{Inventory, SegmentEntry, SegmentFile, inventory};
pub use snapshot::{Head, SnapshotReport};

/// The folder of snapshots.
pub const SNAPSHOTS: &str = "snapshots";

/// Marks a data directory into which a restore is under way.
pub const RESTORING: &str = "RESTORING";

/// The end of the name of a snapshot that is being built.
const UNFINISHED: &str = ".tmp";

/// What is looked at before a store is opened: whether it is a whole one. Removes unfinished snapshots.
pub(crate) fn before_open(vfs: &dyn Vfs) -> Result<()> {
    if vfs.len(RESTORING).is_ok() {
        return Err(EngineError::HalfRestored { path: vfs.root() });
    }
    let names = vfs.list(SNAPSHOTS).map_err(EngineError::io("list", SNAPSHOTS))?;
    let unfinished: Vec<String> = names
        .into_iter()
        .filter(|name| name.ends_with(UNFINISHED))
        .collect();
    for name in &unfinished {
        let dir = format!("{SNAPSHOTS}/{name}");
        tracing::info!(dir, "removing a snapshot that was never finished");
        vfs.remove_dir_all(&dir)
            .map_err(EngineError::io("remove", &dir))?;
    }
    if !unfinished.is_empty() {
        vfs.sync_dir(SNAPSHOTS)
            .map_err(EngineError::io("sync", SNAPSHOTS))?;
    }
    Ok(())
}

//! The files of the store: what the manifest on disk says of them, and how one state follows another.

use std::sync::Arc;

use crate::Result;
use crate::manifest::{ManifestStore, Version};
use crate::segment::SegmentMeta;
use crate::vfs::Vfs;

/// The folder of segments.
pub(crate) const SEGMENTS: &str = "segments";

/// What the manifest on disk says, unless saving has just failed: then it may also say what was to be saved.
pub(crate) struct Files {
    store: ManifestStore,
    pub(crate) version: Version,
    /// Files that only a manifest names whose saving has failed. Whether it is the one on disk nobody knows, so they
    /// stay until a later one is there.
    doubtful: Vec<String>,
}

impl Files {
    pub(crate) fn new(store: ManifestStore, version: Version) -> Self {
        Self {
            store,
            version,
            doubtful: Vec::new(),
        }
    }

    /// A number for a segment or a delete. It is used up even when nothing comes of it: a name is never written twice,
    /// since an unfinished replacement of the manifest might already name it.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        let sequence = self.version.next_sequence;
        self.version.next_sequence += 1;
        sequence
    }

    /// Makes a state durable. `written` are the segments that it is the first to name; their files and names are
    /// durable already. On an error the old state goes on, and their files are kept until it is certain.
    pub(crate) fn save(
        &mut self,
        vfs: &Arc<dyn Vfs>,
        version: Version,
        written: &[SegmentMeta],
    ) -> Result<()> {
        if let Err(error) = self.store.save(&version) {
            self.doubtful.extend(written.iter().flat_map(SegmentMeta::paths));
            return Err(error);
        }
        self.version = version;
        remove(vfs, std::mem::take(&mut self.doubtful));
        Ok(())
    }
}

/// Removes files that no manifest names. One that cannot be removed now is removed at the next start.
pub(crate) fn remove(vfs: &Arc<dyn Vfs>, paths: impl IntoIterator<Item = String>) {
    for path in paths {
        match vfs.remove(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path, %error, "a file that is not needed any more could not be removed");
            }
            _ => {}
        }
    }
}

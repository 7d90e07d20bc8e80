//! Reads and replaces the manifest's two files.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Version, encoding};
use crate::quarantine::set_aside;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// The manifest.
pub(crate) const PATH: &str = "MANIFEST";
/// The same once more.
pub(crate) const COPY_PATH: &str = "MANIFEST.copy";

/// The folder of segments.
const SEGMENTS: &str = "segments";

/// What to do when neither can be read.
const REMEDY: &str =
    "restore it from a backup, or make a new one from the segments with `barograph check store --repair`";

/// The manifest of a data directory.
#[derive(Debug)]
pub(crate) struct ManifestStore {
    vfs: Arc<dyn Vfs>,
}

/// The state on disk, and what was wrong with it.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// `None` in a directory where no store was ever opened
    pub(crate) version: Option<Version>,
    /// files with what is wrong with each, which have been set aside
    pub(crate) damaged: Vec<(String, String)>,
}

/// What the two files hold.
pub(crate) struct Peeked {
    pub(crate) version: Option<Version>,
    /// the one that is damaged, and how
    bad: Option<(&'static str, String)>,
    are_same: bool,
}

impl ManifestStore {
    pub(crate) fn new(vfs: Arc<dyn Vfs>) -> Self {
        Self { vfs }
    }

    /// The state on disk, which is in both files when this returns. Where one of them is damaged or missing, it is set
    /// aside and the other counts. A directory without segments that has neither has no state yet.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] where neither can be read, or both are missing while there are segments: a guess could
    /// remove segments, or bring back what was deleted. [`EngineError::Newer`] for the manifest of a newer version.
    pub(crate) fn load(&self) -> Result<Loaded> {
        // A process that was killed between the renaming and the sync has left a state that the disk may still forget,
        // and files that only the one before it names are about to be removed.
        self.vfs.sync_dir("").map_err(EngineError::io("sync", "."))?;
        let Peeked {
            version,
            bad,
            are_same,
        } = self.peek()?;
        let mut damaged = Vec::new();
        if let Some((path, what)) = bad {
            damaged.push((path.to_owned(), self.quarantine(path, &what)));
        }
        if let Some(version) = &version
            && !are_same
        {
            self.save(version)?;
        }
        Ok(Loaded { version, damaged })
    }

    /// The state on disk, without changing anything.
    ///
    /// # Errors
    /// Those of [`ManifestStore::load`].
    pub(crate) fn peek(&self) -> Result<Peeked> {
        let (version, bad, are_same) = match (self.read(PATH), self.read(COPY_PATH)) {
            (Ok(Some(version)), Ok(copy)) => {
                let are_same = copy.as_ref() == Some(&version);
                (Some(version), None, are_same)
            }
            (Ok(Some(version)), Err(error @ EngineError::Corrupt { .. })) => {
                (Some(version), Some((COPY_PATH, error.to_string())), false)
            }
            (Err(error @ EngineError::Corrupt { .. }), Ok(Some(version))) => {
                (Some(version), Some((PATH, error.to_string())), false)
            }
            (Ok(None), Ok(Some(version))) => {
                (Some(version), Some((PATH, "it was missing".to_owned())), false)
            }
            (Ok(None), Ok(None)) => {
                let segments = self
                    .vfs
                    .list(SEGMENTS)
                    .map_err(EngineError::io("list", SEGMENTS))?;
                if !segments.is_empty() {
                    return Err(unreadable(&format!(
                        "no such file while there are segments; {REMEDY}"
                    )));
                }
                (None, None, true)
            }
            (
                Err(EngineError::Corrupt { expected, found, .. }),
                Ok(None) | Err(EngineError::Corrupt { .. }),
            ) => {
                let found = format!("{found} where {expected} should be, and no whole {COPY_PATH}; {REMEDY}");
                return Err(unreadable(&found));
            }
            (Ok(None), Err(EngineError::Corrupt { .. })) => {
                return Err(unreadable(&format!(
                    "no such file, and no whole {COPY_PATH}; {REMEDY}"
                )));
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        Ok(Peeked {
            version,
            bad,
            are_same,
        })
    }

    /// Makes a state durable in both files. On an error either may hold this state or the one before, and nothing is
    /// to be removed on the strength of this one.
    pub(crate) fn save(&self, version: &Version) -> Result<()> {
        let bytes = encoding::encode(version)?;
        for path in [PATH, COPY_PATH] {
            let next = format!("{path}.next");
            let mut file = self.vfs.create(&next).map_err(EngineError::io("create", &next))?;
            file.append(&bytes).map_err(EngineError::io("write", &next))?;
            file.sync().map_err(EngineError::io("sync", &next))?;
            drop(file);
            self.vfs
                .rename(&next, path)
                .map_err(EngineError::io("rename", &next))?;
        }
        // One sync for both names: whichever of them the disk had by then, each is a whole state.
        self.vfs.sync_dir("").map_err(EngineError::io("sync", "."))
    }

    fn read(&self, path: &str) -> Result<Option<Version>> {
        match self.vfs.read(path) {
            Ok(bytes) => encoding::decode(path, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(EngineError::io("read", path)(error)),
        }
    }

    /// Moves a damaged file away; gives what to report. A file that cannot be moved is overwritten by the next save.
    fn quarantine(&self, path: &str, what: &str) -> String {
        match set_aside(self.vfs.as_ref(), path) {
            Ok(aside) => {
                format!("{what}; it is now {aside}, and the other of its two copies is used: nothing is lost")
            }
            Err(_) => format!("{what}; the other of its two copies is used: nothing is lost"),
        }
    }
}

fn unreadable(found: &str) -> EngineError {
    EngineError::Corrupt {
        path: PathBuf::from(PATH),
        offset: 0,
        expected: "a whole manifest".to_owned(),
        found: found.to_owned(),
    }
}

//! How far an import has come, in a file, so that it can go on after an interruption.
//!
//! The file is replaced after the samples it counts are durable in the target. What was written and not counted is
//! written again, which changes nothing.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ImportFailure;
use super::batch::Position;
use super::tally::Tally;
use crate::cli::replace_file;

/// How the file is read.
const VERSION: u32 = 1;

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// What is read; another source is another import.
    source: String,
    /// Where it is written.
    target: String,
    pub(super) position: Position,
    pub(super) tally: Tally,
}

/// A state with its file, if it has one.
#[derive(Debug)]
pub(super) struct Progress {
    path: Option<PathBuf>,
    pub(super) state: State,
}

impl Progress {
    /// Reads the state of an earlier attempt at the same import, or begins anew where there is none.
    ///
    /// # Errors
    /// [`ImportFailure::OtherState`] and [`ImportFailure::BadState`], rather than mixing two imports.
    pub(super) fn open(path: Option<PathBuf>, source: String, target: String) -> Result<Self, ImportFailure> {
        let fresh = State {
            version: VERSION,
            source,
            target,
            position: Position::default(),
            tally: Tally::default(),
        };
        let Some(file) = &path else {
            return Ok(Self { path, state: fresh });
        };
        let bytes = match std::fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { path, state: fresh }),
            bytes => bytes.map_err(ImportFailure::io("read", file))?,
        };
        let state: State = serde_json::from_slice(&bytes).map_err(|error| ImportFailure::BadState {
            path: file.clone(),
            what: format!("it is not the state of an import: {error}"),
        })?;
        let other = |what: String| ImportFailure::OtherState {
            path: file.clone(),
            what,
        };
        if state.version != VERSION {
            return Err(other(format!("of version {}", state.version)));
        }
        if state.source != fresh.source {
            return Err(other(format!("of {}", state.source)));
        }
        if state.target != fresh.target {
            return Err(other(format!("into {}", state.target)));
        }
        Ok(Self { path, state })
    }

    /// Whether an earlier attempt has come anywhere.
    pub(super) fn is_resumed(&self) -> bool {
        self.state.position != Position::default()
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`ImportFailure::Io`].
    pub(super) fn save(&self) -> Result<(), ImportFailure> {
        let Some(path) = &self.path else { return Ok(()) };
        let bytes = serde_json::to_vec(&self.state).map_err(|error| ImportFailure::BadState {
            path: path.clone(),
            what: error.to_string(),
        })?;
        replace_file(path, &bytes).map_err(ImportFailure::io("write", path))
    }

    /// The import is done: the file goes.
    pub(super) fn finish(&self) {
        if let Some(path) = &self.path {
            // One that was never written is not there.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The state file that stands beside a source.
pub(super) fn beside(source: &Path) -> PathBuf {
    let mut name = source.as_os_str().to_owned();
    name.push(".barograph-import");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_with_the_same_import_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside(&folder.path().join("f"));
        let open = |source: &str, target: &str| {
            Progress::open(Some(path.clone()), source.to_owned(), target.to_owned())
        };
        let mut progress = open("s", "t").unwrap();
        assert!(!progress.is_resumed());
        progress.state.position.lines = 7;
        progress.state.tally.samples = 9;
        progress.save().unwrap();
        let resumed = open("s", "t").unwrap();
        assert!(resumed.is_resumed());
        assert_eq!(resumed.state, progress.state);
        for (source, target, expected) in [("x", "t", "of s"), ("s", "x", "into t")] {
            let message = open(source, target).unwrap_err().to_string();
            assert!(
                message.contains(expected) && message.contains("--state"),
                "{message}"
            );
        }
        std::fs::write(&path, "{").unwrap();
        assert!(open("s", "t").unwrap_err().to_string().contains("remove it"));
        resumed.finish();
        assert!(!open("s", "t").unwrap().is_resumed());
    }
}

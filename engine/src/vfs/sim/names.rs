//! The names on the simulated disk: which file is where, as seen or as durable.

use std::collections::{BTreeMap, BTreeSet};

/// Files by path, and folders.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) files: BTreeMap<String, u64>,
    pub(super) dirs: BTreeSet<String>,
}

/// A change of names that no sync has covered.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    /// A new name.
    Link { path: String, inode: u64 },
    /// A name that is gone.
    Unlink { path: String },
    /// Both at once: a rename is seen as a whole or not at all.
    Rename { from: String, to: String, inode: u64 },
    /// The same for a folder with everything in it.
    RenameDir { from: String, to: String },
    /// A folder that is gone with everything in it. Unlike a rename it may be half done.
    RemoveDir { dir: String },
}

impl Names {
    /// Nothing but the data directory.
    pub(super) fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            dirs: BTreeSet::from([String::new()]),
        }
    }

    /// What stands directly in a folder.
    pub(super) fn list(&self, dir: &str) -> Vec<String> {
        let inside = |path: &String| {
            let rest = if dir.is_empty() {
                path
            } else {
                path.strip_prefix(dir)?.strip_prefix('/')?
            };
            rest.split('/')
                .next()
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
        };
        let names: BTreeSet<String> = self.files.keys().chain(&self.dirs).filter_map(inside).collect();
        names.into_iter().collect()
    }

    /// Enters a folder and those above it.
    pub(super) fn create_dir_all(&mut self, dir: &str) {
        for (at, _) in dir.match_indices('/') {
            self.dirs.insert(dir[..at].to_owned());
        }
        self.dirs.insert(dir.to_owned());
    }

    /// The files in a folder and below.
    pub(super) fn files_below(&self, dir: &str) -> Vec<String> {
        self.files
            .keys()
            .filter(|path| is_below(path, dir))
            .cloned()
            .collect()
    }

    fn rename_dir(&mut self, from: &str, to: &str) {
        let moved = |path: &str| path.strip_prefix(from).map(|rest| format!("{to}{rest}"));
        for path in self.files_below(from) {
            if let (Some(inode), Some(path)) = (self.files.remove(&path), moved(&path)) {
                self.files.insert(path, inode);
            }
        }
        let dirs: Vec<String> = self
            .dirs
            .extract_if(.., |dir| dir == from || is_below(dir, from))
            .collect();
        self.dirs.extend(dirs.iter().filter_map(|dir| moved(dir)));
    }
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut Names) {
        match self {
            Self::Link { path, inode } => _ = names.files.insert(path.clone(), *inode),
            Self::Unlink { path } => _ = names.files.remove(path),
            Self::Rename { from, to, inode } => {
                names.files.remove(from);
                names.files.insert(to.clone(), *inode);
            }
            Self::RenameDir { from, to } => names.rename_dir(from, to),
            Self::RemoveDir { dir } => {
                names.files.retain(|path, _| !is_below(path, dir));
                names.dirs.retain(|path| path != dir && !is_below(path, dir));
            }
        }
    }

    /// Whether it is about something in a folder.
    pub(super) fn is_below(&self, dir: &str) -> bool {
        match self {
            Self::Link { path, .. } | Self::Unlink { path } => is_below(path, dir),
            Self::Rename { from, to, .. } | Self::RenameDir { from, to } => {
                is_below(from, dir) || is_below(to, dir)
            }
            Self::RemoveDir { dir: removed } => is_below(removed, dir),
        }
    }
}

/// The folder that holds a path.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn is_below(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

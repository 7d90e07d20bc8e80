//! The check of a whole data directory.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::finding::FileFindings;
use super::{CheckReport, CheckedFigures, Finding, journal, leftovers, log, manifest, segments};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// How a check is done.
#[derive(Clone)]
pub struct CheckOptions<'a> {
    /// Threads that look at segments.
    pub threads: usize,
    /// Whether the directory is a copy that nobody changes, so that it is read without its lock.
    pub is_shared: bool,
    /// Folders with journals, such as `alerts`.
    pub journals: &'a [&'a str],
    /// Told now and then how many bytes have been looked at, of how many; from several threads.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// Counts the bytes that have been looked at.
pub(super) struct Progress<'a> {
    total: u64,
    done: AtomicU64,
    tell: &'a (dyn Fn(u64, u64) + Sync),
}

impl Progress<'_> {
    pub(super) fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.tell)(done, self.total.max(done));
    }
}

/// What the parts of a check give.
#[derive(Default)]
pub(super) struct Part {
    pub(super) findings: Vec<Finding>,
    pub(super) checked: CheckedFigures,
}

impl Part {
    pub(super) fn take(&mut self, findings: FileFindings) {
        self.findings.extend(findings.into_findings());
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.checked.add(&other.checked);
    }
}

/// Looks at everything in a data directory.
///
/// # Errors
/// [`EngineError::Locked`] when another process has it, [`EngineError::NotAStore`] when there is no store in it, and
/// [`EngineError::Io`] when its folders cannot be listed. Everything else is a finding.
pub fn check_store(vfs: &Arc<dyn Vfs>, options: &CheckOptions<'_>) -> Result<CheckReport> {
    let names = vfs.list("").map_err(EngineError::io("list", vfs.root()))?;
    if !["MANIFEST", "wal", "segments"]
        .iter()
        .any(|name| names.iter().any(|n| n == name))
    {
        return Err(EngineError::NotAStore { path: vfs.root() });
    }
    let _held = if options.is_shared { None } else { Some(lock(vfs)?) };
    let mut all = Part::default();
    let manifest = manifest::check(vfs, &mut all)?;
    let progress = Progress {
        total: bytes_of(vfs, "segments")? + bytes_of(vfs, "wal")?,
        done: AtomicU64::new(0),
        tell: options.progress,
    };
    if let Some(version) = &manifest {
        all.merge(segments::check(vfs, version, options.threads, &progress));
    }
    let floor = manifest.as_ref().map(|version| version.wal_floor);
    all.merge(log::check(vfs, floor, &progress)?);
    for dir in options.journals {
        all.merge(journal::check(vfs, dir)?);
    }
    all.merge(leftovers::check(vfs, manifest.as_ref(), options.journals)?);
    Ok(CheckReport {
        checked: all.checked,
        findings: all.findings,
    })
}

/// Takes the data directory for this process.
pub(super) fn lock(vfs: &Arc<dyn Vfs>) -> Result<Box<dyn Send + Sync + Debug>> {
    vfs.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => EngineError::locked(vfs.root(), &error),
        _ => EngineError::io("lock", vfs.root())(error),
    })
}

fn bytes_of(vfs: &Arc<dyn Vfs>, dir: &str) -> Result<u64> {
    let names = vfs
        .list(dir)
        .map_err(EngineError::io("list", vfs.root().join(dir)))?;
    // A file whose length cannot be told is reported when it is looked at.
    Ok(names
        .iter()
        .filter_map(|name| vfs.len(&format!("{dir}/{name}")).ok())
        .sum())
}

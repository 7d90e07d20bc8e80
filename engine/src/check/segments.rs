//! All segments of a store, several at a time, then each rollup against its rows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::store::{Part, Progress};
use super::{rollup, segment};
use crate::index::Head;
use crate::manifest::Version;
use crate::vfs::Vfs;

/// Looks at segments on so many threads; what is found comes in the order of the manifest.
pub(super) fn check(vfs: &Arc<dyn Vfs>, version: &Version, threads: usize, progress: &Progress<'_>) -> Part {
    let segments = &version.segments;
    let pairs = rollup::pairs(version);
    let head = Head::new(version.store_key);
    let next = AtomicUsize::new(0);
    let parts: Mutex<Vec<(usize, Part)>> = Mutex::default();
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let part = match (segments.get(i), pairs.get(i.saturating_sub(segments.len()))) {
                (Some(meta), _) => segment::check(vfs, meta, &head),
                (None, Some(pair)) => rollup::check(vfs, pair),
                (None, None) => return,
            };
            progress.add(part.checked.bytes);
            parts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((i, part));
        }
    };
    thread::scope(|scope| {
        // This thread is one of them.
        for _ in 1..threads.min(segments.len() + pairs.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_unstable_by_key(|(i, _)| *i);
    let mut all = Part::default();
    for (_, part) in parts {
        all.merge(part);
    }
    all
}

//! Reading a backup to its last byte and comparing checksums.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;

use super::BackupFailure;
use super::depot::Depot;
use super::manifest::{Backup, BackupFile};
use super::progress::bar;
use super::retry::retried;
use super::sum::FileSum;

/// The length and checksum of what lies under a key.
///
/// # Errors
/// What the place says.
pub(super) async fn sum_of(
    depot: &dyn Depot,
    key: &str,
    seen: &(dyn Fn(u64) + Send + Sync),
) -> Result<FileSum, BackupFailure> {
    let mut pieces = depot.read(key).await?;
    let mut sum = FileSum::EMPTY;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        sum.add(&piece);
        seen(piece.len() as u64);
    }
    Ok(sum)
}

/// Reads every file of a backup; gives what is wrong with each that is not as it was written.
pub(super) async fn verify(depot: &dyn Depot, backup: &Backup, jobs: usize) -> Vec<BackupFailure> {
    let progress = bar("verify", backup.bytes());
    let seen = AtomicU64::new(0);
    let check = |file: &BackupFile| {
        let (key, sum) = (file.key(), file.sum);
        let (progress, seen) = (&progress, &seen);
        async move {
            let advance = |bytes| progress.set_position(seen.fetch_add(bytes, Ordering::Relaxed) + bytes);
            let found = retried(|| sum_of(depot, &key, &advance)).await?;
            found.expect(sum, &key)
        }
    };
    let checks: Vec<_> = backup.files.iter().map(check).collect();
    let results: Vec<_> = futures::stream::iter(checks)
        .buffer_unordered(jobs)
        .collect()
        .await;
    progress.finish_and_clear();
    results.into_iter().filter_map(Result::err).collect()
}

//! Making a backup: which files the place lacks, sending them, and then the list.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barograph_engine::backup::{SegmentEntry, inventory};
use barograph_engine::vfs::{DiskVfs, Vfs};
use barograph_model::{Clock, SystemClock};
use futures::{StreamExt, TryStreamExt};

use super::BackupFailure;
use super::depot::Depot;
use super::folder::walk;
use super::manifest::{BACKUPS, Backup, BackupFile, FILES};
use super::progress::bar;
use super::retry::retried;
use super::source::Source;
use super::sum::FileSum;
use super::verify::sum_of;
use crate::api::stamped_name;

/// The file of a snapshot's folder that is not of the store.
const LOCK: &str = "LOCK";

/// What was done.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) backup: Backup,
    /// Files that were not there before, and their bytes.
    pub(super) sent_files: usize,
    pub(super) sent_bytes: u64,
}

/// Backs a snapshot up.
///
/// # Errors
/// What the disk or the place says; there is then no new backup, and what was sent is of use to the next attempt.
pub(super) async fn create(
    source: &Source,
    depot: &Arc<dyn Depot>,
    jobs: usize,
) -> Result<Created, BackupFailure> {
    let taken = SystemClock::new().now();
    let dir = source.dir().to_owned();
    let listing = tokio::task::spawn_blocking(move || list_files(&dir)).await;
    let (segments, files) = listing.unwrap_or(Err(BackupFailure::Thread))?;
    let backup = Backup {
        // With milliseconds, so that the newest of several is the last by name.
        name: stamped_name(taken, "%Y%m%dT%H%M%S%3fZ"),
        taken_ms: taken.0,
        barograph: env!("CARGO_PKG_VERSION").to_owned(),
        segments: segments.iter().map(Into::into).collect(),
        files,
    };
    let missing = missing_files(depot.as_ref(), &backup).await?;
    let bytes: u64 = missing.iter().map(|file| file.sum.bytes).sum();
    let progress = bar("backup", bytes);
    let sent = AtomicU64::new(0);
    let send = |file: BackupFile| {
        let (progress, sent) = (&progress, &sent);
        async move {
            let path = source.dir().join(&file.path);
            let key = file.key();
            let advance = |bytes| progress.set_position(sent.fetch_add(bytes, Ordering::Relaxed) + bytes);
            retried(|| depot.put_file(&key, &path, file.sum, &advance)).await
        }
    };
    let sent_files = missing.len();
    futures::stream::iter(missing.into_iter().map(send))
        .buffer_unordered(jobs)
        .try_collect::<()>()
        .await?;
    progress.finish_and_clear();
    let list = backup.encode().map_err(|error| BackupFailure::Manifest {
        key: backup.name.clone(),
        what: error.to_string(),
    })?;
    let key = format!("{BACKUPS}/{}", backup.name);
    retried(|| depot.put(&key, list.clone())).await?;
    Ok(Created {
        backup,
        sent_files,
        sent_bytes: bytes,
    })
}

/// The segments of a snapshot, and all its files with their checksums: those of segments from the manifest, so that
/// they are not read before it is known whether they are sent; of the others, which are small, by reading.
fn list_files(dir: &Path) -> Result<(Vec<SegmentEntry>, Vec<BackupFile>), BackupFailure> {
    let disk = DiskVfs::open(dir).map_err(BackupFailure::io("open", dir))?;
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let segments = inventory(&vfs)?.segments;
    let mut sums: BTreeMap<String, FileSum> = BTreeMap::new();
    for file in segments
        .iter()
        .flat_map(|segment| [&segment.samples_file, &segment.series_file])
    {
        let sum = FileSum {
            bytes: file.bytes,
            crc32c: file.crc32c,
        };
        sums.insert(file.path.clone(), sum);
    }
    let known: HashSet<String> = sums.keys().cloned().collect();
    walk(dir, &mut |path, _| {
        let relative = path.strip_prefix(dir).ok().and_then(Path::to_str);
        match relative {
            Some(relative) if !known.contains(relative) && relative != LOCK => {
                sums.insert(relative.to_owned(), FileSum::of(path)?);
                Ok(())
            }
            _ => Ok(()),
        }
    })?;
    let files = sums.into_iter().map(|(path, sum)| BackupFile { path, sum });
    Ok((segments, files.collect()))
}

/// The files that the place does not have, or not as they should be.
async fn missing_files(depot: &dyn Depot, backup: &Backup) -> Result<Vec<BackupFile>, BackupFailure> {
    let there = depot.list(FILES).await?;
    // What a backup lists was durable before it was listed. A list that is damaged proves nothing.
    let listed: HashSet<String> = match Backup::find(depot, None).await {
        Ok(newest) => newest.files.iter().map(BackupFile::key).collect(),
        Err(BackupFailure::NoBackup { .. } | BackupFailure::Manifest { .. }) => HashSet::new(),
        Err(error) => return Err(error),
    };
    let mut missing = Vec::new();
    for file in &backup.files {
        let key = file.key();
        let is_there = there.get(&key) == Some(&file.sum.bytes)
            && (depot.trusts_length()
                || listed.contains(&key)
                || sum_of(depot, &key, &|_| {}).await? == file.sum);
        if !is_there {
            missing.push(file.clone());
        }
    }
    Ok(missing)
}

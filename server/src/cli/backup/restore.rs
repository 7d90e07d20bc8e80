//! `barograph restore`: a backup becomes a data directory again.
//!
//! Invariants:
//! - from the first byte to the last check the directory has the mark [`RESTORING`], with which no store opens: what is
//!   cut short never passes for a store;
//! - the same restore, run again, goes on where it was cut short;
//! - every file's checksum is compared as it arrives, and every row of every segment is decoded before the mark goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barograph_alerts::Options as AlertOptions;
use barograph_engine::backup::{RESTORING, inventory};
use barograph_engine::vfs::{DiskVfs, Vfs};
use barograph_engine::{Engine, Options};
use barograph_model::SystemClock;
use barograph_query::sql::VIEWS_FILE;
use bytes::Bytes;
use clap::Args;
use futures::{StreamExt, TryStreamExt};
use indicatif::BinaryBytes;

use super::depot::{self, Depot};
use super::folder::{create_dir, sync_dir, write_file};
use super::manifest::{Backup, BackupFile, SegmentCount};
use super::progress::bar;
use super::retry::retried;
use super::sum::FileSum;
use super::{BackupFailure, JOBS, jobs};
use crate::alerting::AlertHub;
use crate::compose::ALERTS_DIR;

/// What may be in a directory that counts as empty.
const NOTHING: [&str; 2] = ["LOCK", "lost+found"];

/// What a store consists of, which `--force` replaces. Snapshots are stores of their own and stay.
const STORE: [&str; 5] = ["segments", "wal", "quarantine", ALERTS_DIR, VIEWS_FILE];

/// The beginning of the names of the manifest's files.
const MANIFEST: &str = "MANIFEST";

/// Arguments of `barograph restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// A folder, or s3://BUCKET/PREFIX with the credentials of the environment (AWS_ACCESS_KEY_ID, ...)
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The directory that becomes the data directory
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// The backup; the newest without it
    #[arg(long = "backup", value_name = "NAME")]
    pub name: Option<String>,
    /// Replace the store that is in the directory
    #[arg(long)]
    pub force: bool,
    /// Files on their way at once
    #[arg(long, value_name = "N", default_value = JOBS, value_parser = jobs)]
    pub jobs: usize,
}

/// Restores; gives the closing report.
///
/// # Errors
/// [`BackupFailure`]. From the first file on, a directory that was not finished is marked as such.
pub async fn run(args: RestoreArgs) -> Result<Vec<String>, BackupFailure> {
    let depot = depot::open(&args.source)?;
    let backup = Arc::new(Backup::find(depot.as_ref(), args.name.as_deref()).await?);
    let dir = args.data_dir.clone();
    let (mark, force) = (mark_of(depot.as_ref(), &backup), args.force);
    let lock = blocking(move || prepare(&dir, &mark, force)).await?;
    let fetched = fetch_all(depot.as_ref(), &backup, &args.data_dir, args.jobs).await?;
    let (dir, shared) = (args.data_dir.clone(), Arc::clone(&backup));
    blocking(move || finish(&dir, &shared)).await?;
    drop(lock);
    let (dir, shared) = (args.data_dir.clone(), Arc::clone(&backup));
    let opened = blocking(move || open(&dir, &shared)).await?;
    Ok(vec![
        format!(
            "restored {} from {} into {}",
            backup.name,
            depot.shown(),
            args.data_dir.display()
        ),
        format!(
            "{} files, {}, every checksum right; {fetched} fetched, the others were there",
            backup.files.len(),
            BinaryBytes(backup.bytes())
        ),
        format!(
            "{} segments with {} samples, every row read and counted",
            backup.segments.len(),
            backup.samples()
        ),
        opened,
    ])
}

/// What stands in the mark: which restore it is of.
fn mark_of(depot: &dyn Depot, backup: &Backup) -> String {
    format!("{}\n{}\n", backup.name, depot.shown())
}

/// Takes the directory and marks it. Where the mark of this very restore is there already, what is there stays.
fn prepare(
    dir: &Path,
    mark: &str,
    force: bool,
) -> Result<Box<dyn Send + Sync + std::fmt::Debug>, BackupFailure> {
    let vfs = DiskVfs::open(dir).map_err(BackupFailure::io("create", dir))?;
    let lock = vfs.lock().map_err(BackupFailure::io("lock", dir))?;
    let marked = dir.join(RESTORING);
    if fs::read_to_string(&marked).is_ok_and(|found| found == mark) {
        return Ok(lock);
    }
    let names = vfs.list("").map_err(BackupFailure::io("list", dir))?;
    let is_empty = names.iter().all(|name| NOTHING.contains(&name.as_str()));
    if !is_empty && !force {
        return Err(BackupFailure::NotEmpty { path: dir.to_owned() });
    }
    // Before anything goes: from here on it is no store any more.
    let mut pieces = [Bytes::from(mark.to_owned()), Bytes::new()].into_iter();
    write_file(&marked, &mut || Ok(pieces.next().unwrap_or_default()))?;
    for name in names {
        if !STORE.contains(&name.as_str()) && !name.starts_with(MANIFEST) {
            continue;
        }
        let path = dir.join(name);
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.map_err(BackupFailure::io("remove", &path))?;
    }
    sync_dir(dir)?;
    Ok(lock)
}

/// Fetches what is not there; gives how many files that were.
async fn fetch_all(
    depot: &dyn Depot,
    backup: &Backup,
    dir: &Path,
    jobs: usize,
) -> Result<usize, BackupFailure> {
    let progress = bar("restore", backup.bytes());
    let done = AtomicU64::new(0);
    let fetch = |file: &BackupFile| {
        let (path, key, sum) = (dir.join(&file.path), file.key(), file.sum);
        let advance = {
            let (progress, done) = (&progress, &done);
            move |bytes| progress.set_position(done.fetch_add(bytes, Ordering::Relaxed) + bytes)
        };
        async move {
            let there = path.clone();
            if blocking(move || Ok(there.is_file() && FileSum::of(&there)? == sum)).await? {
                advance(sum.bytes);
                return Ok(0);
            }
            retried(|| fetch(depot, &key, &path, sum, &advance)).await?;
            Ok::<_, BackupFailure>(1)
        }
    };
    let fetches: Vec<_> = backup.files.iter().map(fetch).collect();
    let fetched = futures::stream::iter(fetches)
        .buffer_unordered(jobs)
        .try_fold(0, |all, one| async move { Ok(all + one) })
        .await?;
    progress.finish_and_clear();
    Ok(fetched)
}

/// Fetches one file: it appears under its name when it is complete, durable and right.
async fn fetch(
    depot: &dyn Depot,
    key: &str,
    path: &Path,
    sum: FileSum,
    seen: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), BackupFailure> {
    let mut pieces = depot.read(key).await?;
    // Bounded, so that a disk that is slower than the network holds the network up.
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Bytes>(2);
    let (to, name) = (path.to_owned(), format!("{}/{key}", depot.shown()));
    let writing = tokio::task::spawn_blocking(move || {
        let mut found = FileSum::EMPTY;
        write_file(&to, &mut || {
            let piece = receiver.recv().unwrap_or_default();
            found.add(&piece);
            if piece.is_empty() {
                found.expect(sum, &name)?;
            }
            Ok(piece)
        })
    });
    let mut broken = None;
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) if piece.is_empty() => continue,
            Ok(piece) => piece,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        seen(piece.len() as u64);
        let sender = sender.clone();
        // A writer that has failed says why below.
        if !matches!(
            tokio::task::spawn_blocking(move || sender.send(piece)).await,
            Ok(Ok(()))
        ) {
            break;
        }
    }
    drop(sender);
    let written = writing.await.unwrap_or(Err(BackupFailure::Thread));
    match broken {
        // The writer has seen a file that is too short, which is not what went wrong.
        Some(error) => Err(error),
        None => written,
    }
}

/// Makes every name durable, reads every row, and takes the mark away.
fn finish(dir: &Path, backup: &Backup) -> Result<(), BackupFailure> {
    for folder in ["segments", "wal", "quarantine"] {
        create_dir(&dir.join(folder))?;
    }
    let mut folders: Vec<PathBuf> = backup
        .files
        .iter()
        .filter_map(|file| dir.join(&file.path).parent().map(Path::to_owned))
        .collect();
    folders.push(dir.to_owned());
    folders.sort_unstable();
    folders.dedup();
    folders.iter().try_for_each(|folder| sync_dir(folder))?;
    let disk = DiskVfs::open(dir).map_err(BackupFailure::io("open", dir))?;
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let segments = inventory(&vfs)?.segments;
    let counts: Vec<SegmentCount> = segments.iter().map(Into::into).collect();
    if counts != backup.segments {
        return Err(BackupFailure::Unlike {
            what: "its manifest names other segments".to_owned(),
        });
    }
    let progress = bar("count", backup.rows());
    for segment in &segments {
        segment.verify(&vfs)?;
        progress.inc(segment.rows);
    }
    progress.finish_and_clear();
    let marked = dir.join(RESTORING);
    fs::remove_file(&marked).map_err(BackupFailure::io("remove", &marked))?;
    sync_dir(dir)
}

/// Opens the store as a server would, and says what is in it.
fn open(dir: &Path, backup: &Backup) -> Result<String, BackupFailure> {
    let disk = DiskVfs::open(dir).map_err(BackupFailure::io("open", dir))?;
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let options = Options {
        retention_ms: None,
        background: false,
        ..Options::default()
    };
    let engine = Engine::open(Arc::clone(&vfs), Arc::new(SystemClock::new()), options)?;
    let stats = engine.stats();
    if let Some(damage) = stats.damages.first() {
        return Err(BackupFailure::Unlike {
            what: format!("{}: {}", damage.path, damage.what),
        });
    }
    if stats.segment_rows != backup.samples() || stats.segments != backup.segments.len() {
        return Err(BackupFailure::Unlike {
            what: format!(
                "{} samples in {} segments instead of {} in {}",
                stats.segment_rows,
                stats.segments,
                backup.samples(),
                backup.segments.len()
            ),
        });
    }
    let has_alerts = dir.join(ALERTS_DIR).is_dir();
    let alerts = match has_alerts {
        true => {
            let hub = AlertHub::open(vfs, ALERTS_DIR, AlertOptions::default())?;
            format!("; alert state up to event {}", hub.read(|store| store.last_seq()))
        }
        false => String::new(),
    };
    Ok(format!("the store opens without damage{alerts}"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupFailure> + Send + 'static,
) -> Result<T, BackupFailure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(BackupFailure::Thread))
}

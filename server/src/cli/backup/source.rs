//! The snapshot that a backup is made from: of a data directory that nobody has open, or of a running server.
//!
//! The snapshot is a folder below the data directory, locked while it is read and removed afterwards. One that was left
//! behind by a backup that was killed is not locked any more, and the next backup removes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use barograph_alerts::Options as AlertOptions;
use barograph_engine::backup::{Head, SNAPSHOTS};
use barograph_engine::vfs::{DiskVfs, Vfs};
use barograph_engine::{Engine, EngineError, Options};
use barograph_model::{Clock, SystemClock};
use barograph_query::sql::Views;
use serde_json::Value;

use super::BackupFailure;
use crate::alerting::AlertHub;
use crate::api::{SNAPSHOT_DIR_HEADER, snapshot_name};
use crate::channels::install_crypto_provider;
use crate::compose::ALERTS_DIR;

/// The beginning of the name of a snapshot that belongs to a backup.
const OWN: &str = "backup-";

/// How long a server may take to flush and to link.
const PATIENCE: Duration = Duration::from_secs(600);

/// A snapshot that is being backed up. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Source {
    dir: PathBuf,
    /// says that the snapshot is in use
    lock: Option<Box<dyn Send + Sync + std::fmt::Debug>>,
}

impl Source {
    /// Opens a data directory, which must not be in use, takes a snapshot and closes it again. Blocks.
    ///
    /// # Errors
    /// [`BackupFailure::NoDataDir`], [`BackupFailure::InUse`], and what the store says.
    pub(super) fn of_data_dir(data_dir: &Path) -> Result<Self, BackupFailure> {
        // Opening would create the directory, and the backup would be of an empty store.
        if !data_dir.is_dir() {
            return Err(BackupFailure::NoDataDir {
                path: data_dir.to_owned(),
            });
        }
        let disk = DiskVfs::open(data_dir).map_err(BackupFailure::io("open", data_dir))?;
        let vfs: Arc<dyn Vfs> = Arc::new(disk);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        // What the server drops by age is for the server to decide.
        let options = Options {
            retention_ms: None,
            background: false,
            ..Options::default()
        };
        let engine = Engine::open(Arc::clone(&vfs), Arc::clone(&clock), options);
        let engine = engine.map_err(|error| match error {
            EngineError::Locked { .. } => BackupFailure::InUse { source: error },
            error => error.into(),
        })?;
        // Alert state is only there where a server has run.
        let has_alerts = !vfs
            .list(ALERTS_DIR)
            .map_err(BackupFailure::io("list", data_dir))?
            .is_empty();
        let hub = has_alerts
            .then(|| AlertHub::open(Arc::clone(&vfs), ALERTS_DIR, AlertOptions::default()))
            .transpose()?;
        let views =
            Views::open(Arc::clone(&vfs)).map_err(BackupFailure::io("read the views of", data_dir))?;
        remove_left_over(data_dir);
        let name = format!("{OWN}{}", snapshot_name(clock.as_ref()));
        let report = engine.snapshot_to(&name, Head::Flush, &mut |folder| {
            if let Some(hub) = &hub {
                hub.snapshot_into(folder)?;
            }
            views.snapshot_into(folder)
        })?;
        Self::claim(data_dir.join(report.dir))
    }

    /// Has a server take a snapshot, and finds it on this machine.
    ///
    /// # Errors
    /// [`BackupFailure::NoSnapshot`], [`BackupFailure::NotLocal`].
    pub(super) async fn of_server(url: &str) -> Result<Self, BackupFailure> {
        let (name, dir) = ask_for_snapshot(url)
            .await
            .map_err(|reason| BackupFailure::NoSnapshot {
                url: url.to_owned(),
                reason,
            })?;
        let taken = PathBuf::from(&dir);
        if !taken.join("MANIFEST").is_file() {
            return Err(BackupFailure::NotLocal {
                url: url.to_owned(),
                dir,
            });
        }
        if let Some(data_dir) = taken.parent().and_then(Path::parent) {
            remove_left_over(data_dir);
        }
        // Under its own name nobody could tell it from a snapshot that a person wants to keep.
        let own = taken.with_file_name(format!("{OWN}{name}"));
        fs::rename(&taken, &own).map_err(BackupFailure::io("rename", &taken))?;
        Self::claim(own)
    }

    fn claim(dir: PathBuf) -> Result<Self, BackupFailure> {
        let vfs = DiskVfs::open(&dir).map_err(BackupFailure::io("open", &dir))?;
        let lock = vfs.lock().map_err(BackupFailure::io("lock", &dir))?;
        Ok(Self {
            dir,
            lock: Some(lock),
        })
    }

    /// The snapshot's folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "the backup's snapshot could not be removed");
        }
        drop(self.lock.take());
    }
}

/// Removes snapshots of backups that were killed: those that nobody has locked. Whatever cannot be looked at stays.
fn remove_left_over(data_dir: &Path) {
    let Ok(entries) = fs::read_dir(data_dir.join(SNAPSHOTS)) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(OWN) {
            continue;
        }
        let dir = entry.path();
        let lock = DiskVfs::open(&dir).and_then(|vfs| vfs.lock());
        if lock.is_ok() {
            tracing::info!(dir = %dir.display(), "removing the snapshot of a backup that was cut short");
            let _ = fs::remove_dir_all(&dir);
        }
    }
}

/// The name and the folder of a new snapshot, or why there is none.
async fn ask_for_snapshot(url: &str) -> Result<(String, String), String> {
    install_crypto_provider();
    let base = match url.contains("://") {
        true => url.trim_end_matches('/').to_owned(),
        false => format!("http://{}", url.trim_end_matches('/')),
    };
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()
        .map_err(|error| error.to_string())?;
    let response = client
        .post(format!("{base}/api/v1/admin/tsdb/snapshot"))
        .send()
        .await
        .map_err(|error| format!("{error} (is `barograph serve` running there?)"))?;
    let status = response.status();
    let dir = response
        .headers()
        .get(SNAPSHOT_DIR_HEADER)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let text = response.text().await.map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    let message = answer["error"].as_str();
    if !status.is_success() {
        let shown: String = text.trim().chars().take(300).collect();
        return Err(format!("it answered {status}: {}", message.unwrap_or(&shown)));
    }
    match (answer["data"]["name"].as_str(), dir) {
        (Some(name), Some(dir)) => Ok((name.to_owned(), dir)),
        (Some(_), None) => {
            Err("it is not Barograph: the answer does not say where the snapshot is".to_owned())
        }
        (None, _) => Err("its answer names no snapshot".to_owned()),
    }
}

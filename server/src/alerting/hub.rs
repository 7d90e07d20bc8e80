//! The one place where alert state changes: plan, make durable, apply, tell.
//!
//! Invariants:
//! - a transaction is in the journal, synced, before it is applied, and applied before anyone hears of it;
//! - one writer at a time: what is planned on a state is applied to that state;
//! - readers never wait for the disk, only for the moment in which a transaction is applied;
//! - a caller that goes away in the middle of a commit changes nothing about the commit.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use barograph_alerts::{AlertStore, Options, StoreError, Transaction};
use barograph_engine::EngineError;
use barograph_engine::backup::SnapshotFolder;
use barograph_engine::journal::{Journal, JournalContents};
use barograph_engine::vfs::Vfs;
use barograph_engine::wal::Damage;
use thiserror::Error;
use tokio::sync::watch;

/// The folder of alert state in the data directory.
pub const ALERTS_DIR: &str = "alerts";

/// A checkpoint begins with this and the log's identity, little endian; the store's own bytes follow.
const CHECKPOINT_MAGIC: &[u8; 8] = b"BAROHUB\x01";

/// A checkpoint is not written before the journal is this long.
const CHECKPOINT_BYTES_MIN: u64 = 8 << 20;

/// Why alert state could not be read or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The journal could not be read, or a change could not be made durable. Nothing was changed.
    #[error("alert journal: {0}")]
    Journal(#[from] EngineError),
    /// What the journal holds does not make a state, or a planned change does not fit it.
    #[error("alert journal {dir}: {source}")]
    Store {
        /// The journal's folder.
        dir: String,
        /// What does not fit.
        source: StoreError,
    },
    /// The checkpoint is whole but not of this program.
    #[error(
        "alert journal {dir}: the checkpoint begins with {found:02x?}, which no known version writes: it belongs to a newer Barograph, start that one"
    )]
    Checkpoint {
        /// The journal's folder.
        dir: String,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// The program is stopping.
    #[error("alert state cannot change: the program is stopping")]
    Stopping,
}

/// Damage of the journal, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDamage {
    /// The file, or the folder, relative to the data directory.
    pub path: String,
    /// What is wrong, and what it costs.
    pub what: String,
}

impl FoundDamage {
    fn of(damage: &Damage, root: &Path) -> Self {
        let path = damage.path.strip_prefix(root).unwrap_or(&damage.path);
        Self {
            path: path.display().to_string(),
            what: format!(
                "{} ({} bytes at byte {})",
                damage.what, damage.bytes, damage.offset
            ),
        }
    }
}

/// Alert state, its journal, and who wants to know of changes. Shared by everything that evaluates, delivers,
/// answers and streams.
#[derive(Debug)]
pub struct AlertHub {
    store: RwLock<AlertStore>,
    journal: Journal,
    dir: String,
    /// Names this log among all logs; part of cursors.
    log_id: u64,
    /// Held from planning to applying. Holds the journal's length at which the next checkpoint is due.
    writer: Mutex<u64>,
    damage: Vec<FoundDamage>,
    last_seq: watch::Sender<u64>,
}

impl AlertHub {
    /// Opens the journal in a folder of the data directory and brings back the state. Blocks.
    ///
    /// Where the journal is damaged, the state is the last one that can still be read, perhaps an empty one, and the
    /// log gets another identity, since the numbers of the events that are lost will be given out again. What was
    /// damaged is copied to quarantine first, and [`AlertHub::damage`] tells of it.
    ///
    /// # Errors
    /// [`HubError`] when the disk says no, or when the journal is whole and does not make a state: it was written by
    /// another version then.
    pub fn open(vfs: Arc<dyn Vfs>, dir: &str, options: Options) -> Result<Arc<Self>, HubError> {
        let root = vfs.root();
        let (journal, contents) = Journal::open(vfs, dir)?;
        let mut damage: Vec<FoundDamage> = contents
            .damage
            .iter()
            .map(|d| FoundDamage::of(d, &root))
            .collect();
        let checkpoint = contents
            .checkpoint
            .as_deref()
            .map(|bytes| decode(dir, bytes))
            .transpose()?;
        let state = checkpoint.map(|(_, state)| state);
        let wrong = |source| HubError::Store {
            dir: dir.to_owned(),
            source,
        };
        let (store, broken) = AlertStore::recover_prefix(state, &contents.records, options).map_err(wrong)?;
        if let Some(error) = broken {
            if damage.is_empty() {
                return Err(wrong(error));
            }
            damage.push(FoundDamage {
                path: dir.to_owned(),
                what: format!("{error}; alert state is what it was before that"),
            });
        }
        if contents.is_checkpoint_lost {
            damage.push(FoundDamage {
                path: dir.to_owned(),
                what:
                    "alert state is lost: which alerts fire, their events and deliveries; rules find out anew"
                        .to_owned(),
            });
        }
        // Damage that has cost nothing, such as that of one of two copies, is told and that is all.
        let is_lost = damage.iter().any(|d| d.path == dir);
        let is_new = checkpoint.is_none() || is_lost;
        let log_id = match checkpoint {
            Some((log_id, _)) if !is_lost => log_id,
            _ => draw_log_id(),
        };
        let hub = Self {
            last_seq: watch::Sender::new(store.last_seq()),
            store: RwLock::new(store),
            journal,
            dir: dir.to_owned(),
            log_id,
            writer: Mutex::new(CHECKPOINT_BYTES_MIN),
            damage,
        };
        if is_lost {
            hub.journal.copy_to_quarantine()?;
        }
        if is_new {
            // Before the first cursor is given out, the log's identity must be on disk.
            hub.checkpoint(&mut hub.write_lock())?;
        }
        Ok(Arc::new(hub))
    }

    /// What was found damaged when the journal was opened.
    #[must_use]
    pub fn damage(&self) -> &[FoundDamage] {
        &self.damage
    }

    /// Looks at the state. The closure holds up writers, so it copies what it needs and does nothing slow.
    pub fn read<T>(&self, look: impl FnOnce(&AlertStore) -> T) -> T {
        look(&self.store.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Plans on the present state, makes the transaction durable, applies it, and tells subscribers and
    /// deliverers. An empty transaction does nothing. Once begun it runs to its end, also when this future is
    /// dropped.
    ///
    /// # Errors
    /// [`HubError`]: nothing has changed. After [`EngineError::Poisoned`] nothing will until a restart.
    pub async fn commit(
        self: &Arc<Self>,
        plan: impl FnOnce(&AlertStore) -> Transaction + Send + 'static,
    ) -> Result<(), HubError> {
        self.commit_with(|store| (plan(store), ())).await
    }

    /// [`AlertHub::commit`] for plans that give something besides the transaction.
    ///
    /// # Errors
    /// [`HubError`]: nothing has changed.
    pub async fn commit_with<T: Send + 'static>(
        self: &Arc<Self>,
        plan: impl FnOnce(&AlertStore) -> (Transaction, T) + Send + 'static,
    ) -> Result<T, HubError> {
        let hub = Arc::clone(self);
        let committed = tokio::task::spawn_blocking(move || hub.commit_blocking(plan)).await;
        committed.map_err(|_| HubError::Stopping)?
    }

    /// [`AlertHub::commit_with`] for threads that may block.
    ///
    /// # Errors
    /// [`HubError`]: nothing has changed.
    pub fn commit_blocking<T>(
        &self,
        plan: impl FnOnce(&AlertStore) -> (Transaction, T),
    ) -> Result<T, HubError> {
        let mut writer = self.write_lock();
        let (transaction, planned) = self.read(plan);
        if transaction.is_empty() {
            return Ok(planned);
        }
        self.journal.append(&transaction.to_record())?;
        let last_seq = {
            let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
            store.apply(&transaction).map_err(|source| HubError::Store {
                dir: self.dir.clone(),
                source,
            })?;
            store.last_seq()
        };
        self.last_seq
            .send_if_modified(|seq| std::mem::replace(seq, last_seq) != last_seq);
        if self.journal.bytes_since_checkpoint() >= *writer
            && let Err(error) = self.checkpoint(&mut writer)
        {
            // The change itself is durable; only the next start takes longer.
            tracing::warn!(%error, "the alert journal could not be shortened");
        }
        Ok(planned)
    }

    /// Replaces limits, delivery policy and routes, from the next plan on.
    pub fn set_options(&self, options: Options) {
        self.store
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .set_options(options);
    }

    /// The number of the last event, and a wake-up when there is another.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.last_seq.subscribe()
    }

    /// Names this log: the same over restarts, another for another data directory.
    #[must_use]
    pub fn log_id(&self) -> u64 {
        self.log_id
    }

    /// Shortens the journal, so that the next start is quick. Blocks.
    ///
    /// # Errors
    /// [`HubError::Journal`]; nothing is lost.
    pub fn close(&self) -> Result<(), HubError> {
        let mut writer = self.write_lock();
        if self.journal.bytes_since_checkpoint() == 0 {
            return Ok(());
        }
        Ok(self.checkpoint(&mut writer)?)
    }

    /// Adds the state to a snapshot of the store, as it is now: a journal of one checkpoint. Blocks; changes wait.
    ///
    /// # Errors
    /// [`EngineError`] when the checkpoint or its link could not be written; nothing is lost.
    pub fn snapshot_into(&self, folder: &mut SnapshotFolder<'_>) -> Result<(), EngineError> {
        let mut writer = self.write_lock();
        self.checkpoint(&mut writer)?;
        self.journal.link_checkpoint(folder)
    }

    /// Writes the state as the journal's new beginning, and decides when to do so again: after as many bytes
    /// as the state has twice, so that the cost of checkpoints stays a fraction of the cost of records. After
    /// a failure likewise, so that a full disk is not asked at every commit.
    fn checkpoint(&self, next_at_bytes: &mut u64) -> Result<(), EngineError> {
        let mut bytes = Vec::from(CHECKPOINT_MAGIC);
        bytes.extend_from_slice(&self.log_id.to_le_bytes());
        bytes.extend_from_slice(&self.read(AlertStore::to_checkpoint));
        let step_bytes = CHECKPOINT_BYTES_MIN.max(bytes.len() as u64 * 2);
        let result = self.journal.checkpoint(&bytes);
        *next_at_bytes = self.journal.bytes_since_checkpoint() + step_bytes;
        result
    }

    /// A writer that panicked left the state as it was: applying is all or nothing.
    fn write_lock(&self) -> MutexGuard<'_, u64> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that no other log has: from the operating system's randomness, by way of the standard hasher.
fn draw_log_id() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Whether what a journal holds makes a state of alerts; changes nothing.
///
/// # Errors
/// [`HubError`] says why not.
pub fn check_contents(dir: &str, contents: &JournalContents) -> Result<(), HubError> {
    let checkpoint = contents
        .checkpoint
        .as_deref()
        .map(|bytes| decode(dir, bytes))
        .transpose()?;
    let state = checkpoint.map(|(_, state)| state);
    let store = AlertStore::recover(state, &contents.records, Options::default());
    store.map(drop).map_err(|source| HubError::Store {
        dir: dir.to_owned(),
        source,
    })
}

fn decode<'a>(dir: &str, bytes: &'a [u8]) -> Result<(u64, &'a [u8]), HubError> {
    let rest = bytes
        .strip_prefix(CHECKPOINT_MAGIC)
        .and_then(|rest| rest.split_first_chunk::<8>());
    let error = || HubError::Checkpoint {
        dir: dir.to_owned(),
        found: bytes.iter().copied().take(8).collect(),
    };
    let (log_id, state) = rest.ok_or_else(error)?;
    Ok((u64::from_le_bytes(*log_id), state))
}

#[cfg(test)]
mod tests;

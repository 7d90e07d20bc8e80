//! The store as a whole: open, resolve, append, snapshot, flush, close.

use std::fmt::Debug;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::thread::JoinHandle;

use barograph_model::{Clock, Matcher, MemoryBudget, TimeRange, TimestampMs};

use crate::commit::{CommitQueue, Done, Pending};
use crate::compaction::{self, Compaction, Survey};
use crate::damage::DamageKind;
use crate::delete::{self, DeleteReport};
use crate::disk_guard::DiskGuard;
use crate::files::Files;
use crate::index::Head;
use crate::label_cache::LabelCache;
use crate::log::Log;
use crate::memory::HeadSize;
use crate::memtable::Memtable;
use crate::metadata::MetadataTable;
use crate::retention::{Kept, Retention};
use crate::segment::{Segment, SegmentKind};
use crate::stats::{Counters, EngineStats};
use crate::tombstone::Tombstones;
use crate::vfs::Vfs;
use crate::wal::Frame;
use crate::{
    EngineError, Options, Result, SampleColumns, Snapshot, backup, maintenance, recovery, sorting, worker,
};

/// An open store. All methods may be called from any thread.
#[derive(Debug)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads of a store share. Locks are taken in the order of the fields.
pub(crate) struct Shared {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) retention: Arc<Retention>,
    pub(crate) queue: CommitQueue,
    /// one merge at a time; holds what merges know of segments
    pub(crate) compacting: Mutex<Survey>,
    /// one change of the files at a time; holds what the manifest on disk says
    pub(crate) files: Mutex<Files>,
    pub(crate) log: Mutex<Log>,
    /// one thread at a time sorts what is in memory
    pub(crate) sorting: Mutex<()>,
    pub(crate) state: RwLock<State>,
    pub(crate) counters: Counters,
    pub(crate) head_size: HeadSize,
    pub(crate) disk: DiskGuard,
    /// labels that queries have read
    pub(crate) labels: Arc<LabelCache>,
    pub(crate) wake: Wake,
    pub(crate) compaction_wake: Wake,
    pub(crate) sort_wake: Wake,
    /// held for as long as the store is open
    _directory: Box<dyn Send + Sync + Debug>,
}

impl Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("root", &self.vfs.root())
            .finish_non_exhaustive()
    }
}

/// What a snapshot copies.
pub(crate) struct State {
    pub(crate) memtable: Memtable,
    /// being written to segments, oldest first
    pub(crate) frozen: Vec<Arc<Memtable>>,
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    /// what is deleted in those segments
    pub(crate) tombstones: Arc<Tombstones>,
    pub(crate) metadata: MetadataTable,
}

/// Wakes a thread that looks after the files.
#[derive(Default)]
pub(crate) struct Wake {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Wake {
    pub(crate) fn notify(&self) {
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Blocks until notified or `timeout` has passed.
    pub(crate) fn wait(&self, timeout: std::time::Duration) {
        let flag = self.flag.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(flag, timeout, |notified| !*notified);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

impl Engine {
    /// Opens the store in a data directory, or makes a new one: reads the manifest, opens the segments, replays the log.
    ///
    /// # Errors
    /// [`EngineError::Locked`] when another process has it; [`EngineError::Corrupt`] when the manifest is damaged;
    /// [`EngineError::Io`] when the disk says no. Damage in segments and in the log is set aside and counted instead.
    pub fn open(vfs: Arc<dyn Vfs>, clock: Arc<dyn Clock>, options: Options) -> Result<Arc<Self>> {
        let directory = vfs.lock().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => EngineError::locked(vfs.root(), &error),
            _ => EngineError::io("lock", vfs.root())(error),
        })?;
        backup::before_open(vfs.as_ref())?;
        let shared = Arc::new(recovery::recover(vfs, clock, options, directory)?);
        let engine = Self {
            shared: Arc::clone(&shared),
            threads: Mutex::default(),
        };
        if shared.options.background {
            let mut threads = engine.threads.lock().unwrap_or_else(PoisonError::into_inner);
            threads.push(worker::spawn("barograph-commit", &shared, worker::commit_loop)?);
            threads.push(worker::spawn("barograph-sort", &shared, sorting::sort_loop)?);
            threads.push(worker::spawn(
                "barograph-maintain",
                &shared,
                worker::maintenance_loop,
            )?);
            let body = compaction::compaction_loop;
            threads.push(worker::spawn("barograph-compact", &shared, body)?);
        }
        Ok(Arc::new(engine))
    }

    /// The series that are written to now. Another one takes its place now and then, so it is asked for with each
    /// batch; samples of series of an earlier head are stored all the same.
    #[must_use]
    pub fn head(&self) -> Head {
        let state = self.shared.state.read().unwrap_or_else(PoisonError::into_inner);
        state.memtable.head().clone()
    }

    /// How many more series the head has room for within the memory budget.
    #[must_use]
    pub fn series_room(&self) -> usize {
        self.shared.series_room()
    }

    /// The account of memory that the store draws from.
    #[must_use]
    pub fn memory(&self) -> &Arc<MemoryBudget> {
        &self.shared.options.memory
    }

    /// The instants that may be written now: not older than what is kept longest, not further ahead than the limit. A
    /// sample whose own retention is shorter is stored, and read by nobody when its time is up.
    #[must_use]
    pub fn accepts(&self) -> TimeRange {
        let now = self.shared.clock.now();
        let oldest = self.shared.retention.oldest_of_any(SegmentKind::Samples, now);
        TimeRange {
            start: oldest.max(TimestampMs(0)),
            end: now.saturating_add(self.shared.options.future_ms_max),
        }
    }

    /// Stores samples. Returns at once; `done` is called when they are on disk and visible, or with the reason why not,
    /// from the committing thread, which it must not block. Rows that [`Engine::accepts`] does not hold are the
    /// caller's to refuse: here they are stored.
    pub fn append(&self, columns: SampleColumns, done: Done) {
        if columns.is_empty() {
            return done(Ok(()));
        }
        let frames = match self.encode(&columns) {
            Ok(frames) => frames,
            Err(error) => return done(Err(error)),
        };
        let pending = Pending::new(columns, frames, done);
        if let Err((refused, error)) = self.shared.queue.push(pending, &self.shared.options.memory) {
            return (refused.done)(Err(error));
        }
        if !self.shared.options.background {
            worker::commit_now(&self.shared);
            maintenance::flush_if_full(&self.shared);
        }
    }

    /// Stores samples and waits until they are on disk and visible.
    ///
    /// # Errors
    /// [`EngineError::Overloaded`], [`EngineError::Unwritable`], [`EngineError::Poisoned`], [`EngineError::Closing`]: in
    /// each case nothing was acknowledged.
    pub fn append_blocking(&self, columns: SampleColumns) -> Result<()> {
        let (sender, receiver) = mpsc::sync_channel(1);
        // The receiver lives until the answer is there, so sending cannot fail.
        self.append(columns, Box::new(move |result| drop(sender.send(result))));
        receiver.recv().unwrap_or(Err(EngineError::Closing))
    }

    /// What is known of metric families.
    #[must_use]
    pub fn metadata(&self) -> MetadataTable {
        let state = self.shared.state.read().unwrap_or_else(PoisonError::into_inner);
        state.metadata.clone()
    }

    /// A view of everything that is acknowledged now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let state = self.shared.state.read().unwrap_or_else(PoisonError::into_inner);
        let mut memtables = state.frozen.clone();
        memtables.push(Arc::new(state.memtable.clone()));
        let kept = Kept::new(&self.shared.retention, self.shared.clock.now());
        Snapshot::new(
            Arc::clone(&state.segments),
            Arc::clone(&state.tombstones),
            memtables,
            kept,
            state.metadata.clone(),
            Arc::clone(&self.shared.labels),
        )
    }

    /// Writes all that is in memory to segments and cuts the log. Nothing happens where there is nothing.
    ///
    /// # Errors
    /// [`EngineError::Io`] and others when the disk says no; the samples then stay in memory and in the log.
    pub fn flush(&self) -> Result<()> {
        maintenance::flush(&self.shared)
    }

    /// Deletes the samples of series that pass every matcher (no matcher means all) over a closed range. On return they
    /// are invisible and that is durable; from disk they go with the next merge of their segments. Samples written
    /// after the return are seen, also at the same instants; one written meanwhile may be deleted or not. Snapshots
    /// taken before still see everything. Until the merge the labels of series without samples may still be listed. Where
    /// only buckets of a rollup are left, each that the range overlaps goes whole.
    ///
    /// # Errors
    /// Those of [`Engine::flush`], [`EngineError::Corrupt`] when a segment's index cannot be read,
    /// [`EngineError::Overloaded`] when a thousand deletes wait for merges. Then nothing was deleted, unless the disk
    /// failed in the very last step: the delete may then come into force with the next start.
    pub fn delete(&self, matchers: &[Matcher], range: TimeRange) -> Result<DeleteReport> {
        let report = delete::delete(&self.shared, matchers, range)?;
        self.shared.compaction_wake.notify();
        Ok(report)
    }

    /// Does the next merge of segments that is due, on the calling thread; `None` when none is. A store with threads
    /// does this by itself.
    ///
    /// # Errors
    /// [`EngineError::Closing`] when the store is closed meanwhile; others when a file cannot be read or written. The
    /// segments then stay as they are.
    pub fn compact_once(&self) -> Result<Option<Compaction>> {
        compaction::compact_once(&self.shared)
    }

    /// Writes every segment anew in which a delete hides something, so that what was deleted is gone from disk; gives how
    /// many merges that took. Without this call it happens within hours. Blocks for as long as it takes.
    ///
    /// # Errors
    /// Those of [`Engine::compact_once`]; what was carried out until then is.
    pub fn clean_tombstones(&self) -> Result<usize> {
        compaction::carry_out_deletes(&self.shared)
    }

    /// Drops segments in which nothing may be kept any longer; gives how many.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the disk says no; the segments then stay.
    pub fn apply_retention(&self) -> Result<usize> {
        maintenance::apply_retention(&self.shared)
    }

    /// Takes segments in which a reader has met damage out of the store, and moves their files to `quarantine/`; gives
    /// how many. The store does so by itself every few seconds.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the disk says no; the segments then stay, and reading them fails.
    pub fn set_aside_damaged(&self) -> Result<usize> {
        maintenance::set_aside_damaged(&self.shared)
    }

    /// Makes durable what was acknowledged before its sync, with [`Fsync::Interval`](crate::Fsync::Interval); the store
    /// does so by itself. A failure ends all writing, as [`EngineStats::poisoned`] says.
    pub fn sync(&self) {
        worker::sync(&self.shared);
    }

    /// Figures about the store.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        EngineStats::of(&self.shared)
    }

    /// Enters damage that somebody else has found in a file of the data directory, such as a journal, so that it is
    /// reported with what the store has found itself.
    pub fn report_damage(&self, kind: DamageKind, path: &str, what: impl Into<String>) {
        let (root, now) = (self.shared.vfs.root(), self.shared.clock.now());
        self.shared
            .counters
            .damages
            .enter(&root, Some(kind), path, what.into(), now);
    }

    /// Refuses further writes, finishes those that wait, flushes, and ends the threads. Reads go on.
    ///
    /// # Errors
    /// Those of [`Engine::flush`]; nothing acknowledged is lost by them, since the log still has it.
    pub fn close(&self) -> Result<()> {
        self.stop();
        maintenance::flush(&self.shared)
    }

    /// Ends the threads after what waits was written, without a flush.
    fn stop(&self) {
        self.shared.queue.close();
        self.shared.counters.closing.store(true, Ordering::SeqCst);
        self.shared.wake.notify();
        self.shared.compaction_wake.notify();
        self.shared.sort_wake.notify();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
        // Without threads the queue is drained by each append, so nothing is left in it; it may not be synced.
        if !self.shared.options.background {
            worker::sync(&self.shared);
        }
    }

    fn encode(&self, columns: &SampleColumns) -> Result<Vec<Frame>> {
        if let Some(reason) = self.shared.counters.poison() {
            return Err(EngineError::Poisoned { reason });
        }
        self.shared.admit()?;
        columns.frames()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    pub(crate) fn new(
        vfs: Arc<dyn Vfs>,
        clock: Arc<dyn Clock>,
        options: Options,
        files: Files,
        log: Log,
        segments: Vec<Arc<Segment>>,
        tombstones: Tombstones,
        directory: Box<dyn Send + Sync + Debug>,
    ) -> Self {
        let state = State {
            memtable: Memtable::new(Head::new(files.version.store_key)),
            frozen: Vec::new(),
            segments: Arc::new(segments),
            tombstones: Arc::new(tombstones),
            metadata: files.version.metadata.clone(),
        };
        let retention = Retention::new(
            options.retention_ms,
            options.retention_rules.clone(),
            options.rollup,
        );
        let labels = Arc::new(LabelCache::new(&options.memory));
        Self {
            vfs,
            clock,
            options,
            retention: Arc::new(retention),
            queue: CommitQueue::default(),
            compacting: Mutex::default(),
            files: Mutex::new(files),
            log: Mutex::new(log),
            sorting: Mutex::default(),
            state: RwLock::new(state),
            counters: Counters::default(),
            head_size: HeadSize::default(),
            disk: DiskGuard::default(),
            labels,
            wake: Wake::default(),
            compaction_wake: Wake::default(),
            sort_wake: Wake::default(),
            _directory: directory,
        }
    }

    /// Enters damage that was found in a file, and set aside.
    pub(crate) fn damaged(&self, path: impl AsRef<str>, what: impl Into<String>) {
        let (root, now) = (self.vfs.root(), self.clock.now());
        self.counters
            .damages
            .enter(&root, None, path.as_ref(), what.into(), now);
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! One account of the memory that the program's parts hold, with a share for each and one sum for all.
//!
//! Nobody allocates through it: a part says what it is about to hold and may be refused, or says what it holds by
//! now. Three questions are answered from a handful of atomics: may this share grow, how much does it hold, how much
//! is promised away altogether.
//!
//! ```text
//!                 at most   kept free for it     what is counted
//! ingest          1/8       1/16                 requests being read and decoded
//! commit_queue    1/8       1/16                 batches on their way to the log
//! memtable        1/4       all of it            samples that are in no segment yet
//! head            1/4       nothing              series that are being written
//! queries         1/2       nothing              sorts, groups and joins of SQL
//! compaction      1/8       all of it            what flushes and merges write from
//! replay          1/16      nothing              records of the log while it is replayed
//! labels          1/32      nothing              labels that queries have read, for the next ones
//! ```
//!
//! Invariants:
//! - the shares together may want more than there is, so that one may use what others leave; what is kept free for a
//!   share is never given to another, so a heavy query cannot keep a flush from running;
//! - [`MemoryBudget::try_grow`] never lets a share or the sum pass its limit; [`MemoryBudget::grow`] is for what is
//!   there already and only counts;
//! - what the parts do not count (the code, stacks, the allocator's slack) has an eighth of the budget and
//!   [`PROGRAM_BYTES`], which no share is given.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

mod reservation;
#[cfg(test)]
mod tests;

pub use reservation::MemoryReservation;

/// What the program holds before it does anything: code, stacks of threads, tables of the libraries. Measured idle.
pub const PROGRAM_BYTES: usize = 16 << 20;

/// Beyond this the memtable only makes flushes and replays longer.
const MEMTABLE_BYTES_MAX: usize = 512 << 20;

/// Labels of a million series, about.
const LABELS_BYTES_MAX: usize = 256 << 20;

/// Who holds memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemoryShare {
    /// Requests that are being read and decoded.
    Ingest,
    /// Batches on their way to the log.
    CommitQueue,
    /// Samples that are in no segment yet.
    Memtable,
    /// Series that are being written.
    Head,
    /// Sorts, groups and joins of queries.
    Queries,
    /// What flushes and merges write from.
    Compaction,
    /// Records of the log while it is replayed.
    Replay,
    /// Labels that queries have read, for the next ones.
    Labels,
}

impl MemoryShare {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Ingest,
        Self::CommitQueue,
        Self::Memtable,
        Self::Head,
        Self::Queries,
        Self::Compaction,
        Self::Replay,
        Self::Labels,
    ];

    /// Its name in metrics and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::CommitQueue => "commit_queue",
            Self::Memtable => "memtable",
            Self::Head => "head",
            Self::Queries => "queries",
            Self::Compaction => "compaction",
            Self::Replay => "replay",
            Self::Labels => "labels",
        }
    }

    /// The most it may hold and what of it is kept free for it, of a budget.
    fn of(self, total: usize) -> (usize, usize) {
        let part = |n: usize| total / n;
        match self {
            Self::Ingest | Self::CommitQueue => (part(8), part(16)),
            Self::Compaction => (part(8), part(8)),
            Self::Memtable => {
                let all = part(4).min(MEMTABLE_BYTES_MAX);
                (all, all)
            }
            Self::Head => (part(4), 0),
            Self::Queries => (part(2), 0),
            Self::Replay => (part(16), 0),
            Self::Labels => (part(32).min(LABELS_BYTES_MAX), 0),
        }
    }
}

/// A share's account.
#[derive(Debug, Default)]
struct Account {
    max: usize,
    reserved: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    refused: AtomicU64,
}

impl Account {
    /// What the sum has to hold for it when it holds `used`.
    fn promised(&self, used: usize) -> i64 {
        to_i64(used.max(self.reserved))
    }
}

/// The account of one process. All methods may be called from any thread; none blocks.
#[derive(Debug)]
pub struct MemoryBudget {
    total: usize,
    /// what the shares may hold together
    usable: usize,
    /// the sum of what each share holds or is kept free for it
    promised: AtomicI64,
    shares: [Account; MemoryShare::ALL.len()],
    /// what the operating system says the process holds; 0 where nobody has looked
    resident: AtomicUsize,
}

/// What a share holds at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareUse {
    /// Whose.
    pub share: MemoryShare,
    /// What it holds now.
    pub used_bytes: usize,
    /// The most it has held.
    pub peak_bytes: usize,
    /// The most it may hold.
    pub max_bytes: usize,
    /// How often it was refused more.
    pub refusals: u64,
}

impl MemoryBudget {
    /// A budget of so many bytes for the whole process, divided as the module's header says.
    #[must_use]
    pub fn new(total_bytes: usize) -> Self {
        let shares = MemoryShare::ALL.map(|share| {
            let (max, reserved) = share.of(total_bytes);
            Account {
                max,
                reserved,
                ..Account::default()
            }
        });
        Self::of(total_bytes, shares)
    }

    /// A budget that refuses nothing, for tools that open a store for themselves.
    #[must_use]
    pub fn unlimited() -> Self {
        let half = usize::MAX / 2;
        let shares = MemoryShare::ALL.map(|share| Account {
            // A memtable without an end would never be written, and a cache would never forget.
            max: match share {
                MemoryShare::Memtable => MEMTABLE_BYTES_MAX,
                MemoryShare::Labels => LABELS_BYTES_MAX,
                _ => half,
            },
            ..Account::default()
        });
        Self::of(usize::MAX, shares)
    }

    fn of(total: usize, shares: [Account; MemoryShare::ALL.len()]) -> Self {
        let reserved = shares.iter().map(|account| account.promised(0)).sum();
        Self {
            total,
            usable: (total - total / 8).saturating_sub(PROGRAM_BYTES),
            promised: AtomicI64::new(reserved),
            shares,
            resident: AtomicUsize::new(0),
        }
    }

    /// The same budget, before anything is counted, with another limit for one share.
    #[must_use]
    pub fn with_max(self, share: MemoryShare, max_bytes: usize) -> Self {
        let mut shares = self.shares;
        let account = &mut shares[share as usize];
        account.max = max_bytes;
        account.reserved = account.reserved.min(max_bytes);
        Self::of(self.total, shares)
    }

    /// The whole budget, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.total
    }

    /// The most that a share may hold, in bytes.
    #[must_use]
    pub fn max_bytes(&self, share: MemoryShare) -> usize {
        self.account(share).max
    }

    /// What a share holds now, in bytes.
    #[must_use]
    pub fn used_bytes(&self, share: MemoryShare) -> usize {
        self.account(share).used.load(Relaxed)
    }

    /// Whether a share holds as much as it may.
    #[must_use]
    pub fn is_full(&self, share: MemoryShare) -> bool {
        self.used_bytes(share) >= self.max_bytes(share)
    }

    /// Each share's figures.
    pub fn shares(&self) -> impl Iterator<Item = ShareUse> {
        MemoryShare::ALL.into_iter().map(|share| {
            let account = self.account(share);
            ShareUse {
                share,
                used_bytes: account.used.load(Relaxed),
                peak_bytes: account.peak.load(Relaxed),
                max_bytes: account.max,
                refusals: account.refused.load(Relaxed),
            }
        })
    }

    /// Gives a share more, or nothing: its own limit and the sum of all hold.
    ///
    /// # Errors
    /// [`MemoryRefusal`] says which of the two was in the way, with figures.
    pub fn try_grow(&self, share: MemoryShare, bytes: usize) -> Result<(), MemoryRefusal> {
        let account = self.account(share);
        let grown = account.used.fetch_update(Relaxed, Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= account.max)
        });
        let before = match grown {
            Ok(before) => before,
            Err(used) => return Err(self.refuse(share, bytes, used, account.max, "its share")),
        };
        let more = account.promised(before + bytes) - account.promised(before);
        if more > 0 {
            let usable = to_i64(self.usable);
            let promised = self.promised.fetch_update(Relaxed, Relaxed, |promised| {
                promised.checked_add(more).filter(|sum| *sum <= usable)
            });
            if let Err(promised) = promised {
                // Others may have moved the account in between. The steps of `promised` are taken between the
                // same values as those of `used`, so their sum stays right whatever the order.
                let now = account.used.fetch_sub(bytes, Relaxed);
                let back = account.promised(now - bytes) - account.promised(now);
                self.promised.fetch_add(more + back, Relaxed);
                let used = usize::try_from(promised).unwrap_or(0);
                return Err(self.refuse(share, bytes, used, self.usable, "all shares together"));
            }
        }
        account.peak.fetch_max(before + bytes, Relaxed);
        Ok(())
    }

    #[cold]
    fn refuse(
        &self,
        share: MemoryShare,
        wanted: usize,
        used: usize,
        limit: usize,
        whose: &'static str,
    ) -> MemoryRefusal {
        self.account(share).refused.fetch_add(1, Relaxed);
        MemoryRefusal {
            share,
            wanted_bytes: wanted,
            used_bytes: used,
            limit_bytes: limit,
            whose,
        }
    }

    /// Counts what a share holds already, whether or not it may.
    pub fn grow(&self, share: MemoryShare, bytes: usize) {
        let account = self.account(share);
        let before = account.used.fetch_add(bytes, Relaxed);
        account.peak.fetch_max(before + bytes, Relaxed);
        self.move_promise(account, before, before + bytes);
    }

    /// Takes back what [`MemoryBudget::try_grow`] or [`MemoryBudget::grow`] has counted.
    pub fn shrink(&self, share: MemoryShare, bytes: usize) {
        let account = self.account(share);
        let before = account.used.fetch_sub(bytes, Relaxed);
        debug_assert!(before >= bytes, "{share:?} gives back more than it holds");
        self.move_promise(account, before, before - bytes);
    }

    /// Says what a share holds altogether, for one that is measured and not summed up. Only one caller at a time may
    /// do so for a share.
    pub fn set(&self, share: MemoryShare, bytes: usize) {
        let account = self.account(share);
        let before = account.used.swap(bytes, Relaxed);
        account.peak.fetch_max(bytes, Relaxed);
        self.move_promise(account, before, bytes);
    }

    fn move_promise(&self, account: &Account, before: usize, after: usize) {
        let change = account.promised(after) - account.promised(before);
        if change != 0 {
            self.promised.fetch_add(change, Relaxed);
        }
    }

    /// Draws from a share until the result is dropped.
    ///
    /// # Errors
    /// [`MemoryRefusal`], as [`MemoryBudget::try_grow`].
    pub fn reserve(
        self: &Arc<Self>,
        share: MemoryShare,
        bytes: usize,
    ) -> Result<MemoryReservation, MemoryRefusal> {
        let mut reservation = MemoryReservation::empty(self, share);
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }

    /// Notes what the operating system says the process holds, in bytes.
    pub fn observe_resident(&self, bytes: usize) {
        self.resident.store(bytes, Relaxed);
    }

    /// What the operating system said the process holds when it was last looked, in bytes; 0 before that.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.resident.load(Relaxed)
    }

    /// Whether the process was found to hold more than the budget, whatever the shares say: nothing that brings more
    /// should begin.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.resident_bytes() > self.total
    }

    fn account(&self, share: MemoryShare) -> &Account {
        &self.shares[share as usize]
    }
}

/// Why a share did not get more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{wanted_bytes} more bytes for {share} do not fit: {whose} may hold {limit_bytes}, and {used_bytes} are taken"
)]
pub struct MemoryRefusal {
    /// Whose.
    pub share: MemoryShare,
    /// What it asked for.
    pub wanted_bytes: usize,
    /// What was taken of the limit.
    pub used_bytes: usize,
    /// The limit.
    pub limit_bytes: usize,
    whose: &'static str,
}

impl fmt::Display for MemoryShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn to_i64(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

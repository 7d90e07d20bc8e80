//! What was found damaged since the store was opened: the one ledger of it.
//!
//! Whoever finds damage sets it aside, goes on with the rest, and enters it here; from here it reaches the log, the
//! metrics and SQL.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use barograph_model::TimestampMs;
use serde::Serialize;

/// How many damages are kept with their text. More of them say nothing new about a disk, and are counted.
const DAMAGES_KEPT_MAX: usize = 1000;

/// In what kind of file damage was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DamageKind {
    /// One of the two copies of the manifest.
    Manifest,
    /// The samples or the series of a segment.
    Segment,
    /// What a segment has to be found by; it is made anew from the segment.
    Index,
    /// The write-ahead log.
    Wal,
    /// A journal, such as that of alerts.
    Journal,
    /// The views of SQL.
    Views,
}

impl DamageKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Manifest,
        Self::Segment,
        Self::Index,
        Self::Wal,
        Self::Journal,
        Self::Views,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Segment => "segment",
            Self::Index => "index",
            Self::Wal => "wal",
            Self::Journal => "journal",
            Self::Views => "views",
        }
    }

    /// The kind of a file of the store, by its path below the data directory.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        match path.split_once('/') {
            _ if path.ends_with(".index") => Self::Index,
            Some(("segments", _)) => Self::Segment,
            Some(("wal", _)) => Self::Wal,
            Some(_) => Self::Journal,
            None if path == "wal" => Self::Wal,
            None if path == "views" => Self::Views,
            None => Self::Manifest,
        }
    }
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A part of the files that was not what had been written; it was set aside and the rest goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// In what kind of file.
    pub kind: DamageKind,
    /// The file, relative to the data directory.
    pub path: String,
    /// What is wrong and what it costs.
    pub what: String,
    /// When it was found.
    pub found_at: TimestampMs,
}

/// How much damage of each kind was found since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DamageTotals([u64; DamageKind::ALL.len()]);

impl DamageTotals {
    /// Of one kind.
    #[must_use]
    pub fn of(&self, kind: DamageKind) -> u64 {
        self.0[kind as usize]
    }

    /// Of all kinds.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The ledger.
#[derive(Debug, Default)]
pub(crate) struct DamageLedger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    first: Vec<Damage>,
    totals: DamageTotals,
}

impl DamageLedger {
    /// Enters and logs a damage. What is known already, the same words about the same file, is not entered again: a
    /// damaged file may be met by every query.
    pub(crate) fn enter(
        &self,
        root: &Path,
        kind: Option<DamageKind>,
        path: &str,
        what: String,
        found_at: TimestampMs,
    ) {
        let path = Path::new(path)
            .strip_prefix(root)
            .map_or(path.into(), |p| p.to_string_lossy());
        let kind = kind.unwrap_or_else(|| DamageKind::of_path(&path));
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries
            .first
            .iter()
            .any(|known| known.path == path && known.what == what)
        {
            return;
        }
        tracing::error!(
            kind = kind.as_str(),
            path = path.as_ref(),
            what,
            "damage found in the store"
        );
        entries.totals.0[kind as usize] += 1;
        if entries.first.len() < DAMAGES_KEPT_MAX {
            let path = path.into_owned();
            entries.first.push(Damage {
                kind,
                path,
                what,
                found_at,
            });
        }
    }

    /// The first damages, in the order in which they were found, and the count of all.
    pub(crate) fn read(&self) -> (Vec<Damage>, DamageTotals) {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (entries.first.clone(), entries.totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_paths() {
        for (path, kind) in [
            ("MANIFEST.copy", DamageKind::Manifest),
            ("segments/0-1.series.parquet", DamageKind::Segment),
            ("segments/0-1", DamageKind::Segment),
            ("segments/0-1.index", DamageKind::Index),
            ("wal/00000001.wal", DamageKind::Wal),
            ("wal", DamageKind::Wal),
            ("alerts/checkpoint", DamageKind::Journal),
        ] {
            assert_eq!(DamageKind::of_path(path), kind, "{path}");
        }
        for (i, kind) in DamageKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, i, "totals are kept by this number");
        }
    }

    #[test]
    fn the_same_damage_counts_once_and_many_are_only_counted() {
        let ledger = DamageLedger::default();
        let enter = |path: &str, what: String| {
            ledger.enter(Path::new("/data"), None, path, what, TimestampMs(5));
        };
        enter("/data/wal/1.wal", "a hole".to_owned());
        enter("wal/1.wal", "a hole".to_owned());
        let (first, totals) = ledger.read();
        assert_eq!((first.len(), totals.sum()), (1, 1));
        assert_eq!(
            (first[0].path.as_str(), first[0].found_at),
            ("wal/1.wal", TimestampMs(5))
        );
        for i in 0..DAMAGES_KEPT_MAX {
            enter("segments/x", format!("{i}"));
        }
        let (first, totals) = ledger.read();
        assert_eq!(first.len(), DAMAGES_KEPT_MAX);
        assert_eq!(
            (totals.of(DamageKind::Wal), totals.of(DamageKind::Segment)),
            (1, 1000)
        );
    }
}

//! The list of a backup's files. `docs/format/backup.md` shows it.
//!
//! It is written when all of them are there, so that a backup that was cut short has none and is no backup.

use std::collections::HashSet;
use std::path::{Component, Path};

use barograph_engine::backup::SegmentEntry;
use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::BackupFailure;
use super::depot::Depot;
use super::sum::FileSum;

/// The folder of these lists.
pub(super) const BACKUPS: &str = "backups";

/// The folder of the files.
pub(super) const FILES: &str = "files";

const HEADER: &str = "barograph-backup 1 crc32c=";

/// A longer list is not read. A million files take about 150 MiB.
const BYTES_MAX: usize = 512 << 20;

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Sorts by time.
    pub name: String,
    /// When its snapshot was taken, in milliseconds since the epoch.
    pub taken_ms: i64,
    /// The program that wrote it.
    pub barograph: String,
    /// The segments.
    pub segments: Vec<SegmentCount>,
    /// All files.
    pub files: Vec<BackupFile>,
}

/// What must be found in a segment after a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentCount {
    /// Its path without the endings of its files.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Series.
    pub series: u64,
    /// The earliest instant, in milliseconds since the epoch.
    pub ts_min: i64,
    /// The latest instant.
    pub ts_max: i64,
}

/// A file of the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Its path there.
    pub path: String,
    /// Its length and checksum.
    #[serde(flatten)]
    pub sum: FileSum,
}

impl BackupFile {
    /// Where it lies. Files of several backups that are the same lie in the same place, and files that are not do not,
    /// also when two stores are backed up into one folder.
    pub(in crate::cli) fn key(&self) -> String {
        format!("{FILES}/{:08x}/{}", self.sum.crc32c, self.path)
    }
}

impl From<&SegmentEntry> for SegmentCount {
    fn from(segment: &SegmentEntry) -> Self {
        Self {
            name: segment.name.clone(),
            rows: segment.rows,
            series: segment.series,
            ts_min: segment.ts_min,
            ts_max: segment.ts_max,
        }
    }
}

impl Backup {
    /// Its samples: the rows of those segments that have a file of samples, and not of histograms or rollups.
    #[must_use]
    pub fn samples(&self) -> u64 {
        let paths: HashSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        let of_samples = |segment: &&SegmentCount| {
            let path = format!("{}.samples.parquet", segment.name);
            paths.contains(path.as_str())
        };
        total(
            self.segments
                .iter()
                .filter(of_samples)
                .map(|segment| segment.rows),
        )
    }

    /// Rows of all segments, whatever they hold.
    #[must_use]
    pub fn rows(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.rows))
    }

    /// The bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        total(self.files.iter().map(|file| file.sum.bytes))
    }

    /// The bytes of the list.
    ///
    /// # Errors
    /// What the writer of JSON says.
    pub fn encode(&self) -> Result<Bytes, serde_json::Error> {
        let body = serde_json::to_vec_pretty(self)?;
        let mut bytes = format!("{HEADER}{:08x}\n", crc32c::crc32c(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        Ok(bytes.into())
    }

    /// Reads the bytes of a list.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let end = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
        let (header, body) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
        let crc = std::str::from_utf8(header)
            .ok()
            .and_then(|text| text.strip_prefix(HEADER))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .ok_or_else(|| "it does not begin with \"barograph-backup 1\"".to_owned())?;
        let found = crc32c::crc32c(body);
        if crc != found {
            return Err(format!("its CRC-32C should be {crc:08x} and is {found:08x}"));
        }
        let backup: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        for file in &backup.files {
            // Whoever can write to the backup must not be able to write elsewhere with it.
            let parts = || Path::new(&file.path).components();
            if parts().count() == 0 || !parts().all(|part| matches!(part, Component::Normal(_))) {
                return Err(format!("{:?} is not a path inside a data directory", file.path));
            }
        }
        Ok(backup)
    }

    /// Reads the list of one backup.
    ///
    /// # Errors
    /// [`BackupFailure::Manifest`] when it is damaged, else what the place says.
    pub(in crate::cli) async fn load(depot: &dyn Depot, name: &str) -> Result<Self, BackupFailure> {
        let key = format!("{BACKUPS}/{name}");
        let damaged = |what| BackupFailure::Manifest {
            key: format!("{}/{key}", depot.shown()),
            what,
        };
        let mut pieces = depot.read(&key).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() > BYTES_MAX {
                return Err(damaged(format!("it is longer than {BYTES_MAX} bytes")));
            }
        }
        let backup = Self::decode(&bytes).map_err(damaged)?;
        if backup.name != name {
            return Err(damaged(format!("it is that of the backup {:?}", backup.name)));
        }
        Ok(backup)
    }

    /// The names of all backups of a place, oldest first.
    ///
    /// # Errors
    /// What the place says.
    pub(in crate::cli) async fn names(depot: &dyn Depot) -> Result<Vec<String>, BackupFailure> {
        let keys = depot.list(BACKUPS).await?.into_keys();
        Ok(keys
            .filter_map(|key| Some(key.strip_prefix(BACKUPS)?.strip_prefix('/')?.to_owned()))
            .collect())
    }

    /// The backup of a name, or the newest.
    ///
    /// # Errors
    /// [`BackupFailure::NoBackup`], [`BackupFailure::NoSuchBackup`], and those of [`Backup::load`].
    pub(in crate::cli) async fn find(depot: &dyn Depot, name: Option<&str>) -> Result<Self, BackupFailure> {
        let names = Self::names(depot).await?;
        let newest = names
            .last()
            .ok_or_else(|| BackupFailure::NoBackup { place: depot.shown() })?;
        let name = name.unwrap_or(newest);
        if !names.iter().any(|known| known == name) {
            return Err(BackupFailure::NoSuchBackup {
                place: depot.shown(),
                name: name.to_owned(),
            });
        }
        Self::load(depot, name).await
    }
}

/// A sum. The list may come from anybody, and what it says may be too much.
fn total(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(path: &str) -> Backup {
        let sum = FileSum {
            bytes: 3,
            crc32c: 0xab,
        };
        Backup {
            name: "n".to_owned(),
            taken_ms: 1,
            barograph: "0".to_owned(),
            segments: vec![],
            files: vec![BackupFile {
                path: path.to_owned(),
                sum,
            }],
        }
    }

    #[test]
    fn what_is_written_is_read_and_damage_is_not() {
        let whole = backup("segments/a");
        assert_eq!(whole.files[0].key(), "files/000000ab/segments/a");
        let bytes = whole.encode().unwrap();
        assert_eq!(Backup::decode(&bytes), Ok(whole));
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 4;
            assert!(Backup::decode(&damaged).is_err(), "byte {at}");
            assert!(Backup::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_list_that_says_too_much_is_counted() {
        let mut list = backup("segments/a");
        list.files[0].sum.bytes = u64::MAX;
        list.files.push(list.files[0].clone());
        assert_eq!(list.bytes(), u64::MAX);
    }

    #[test]
    fn paths_stay_inside_the_data_directory() {
        for path in ["../x", "/etc/passwd", "a/../../b", "", "./a"] {
            let bytes = backup(path).encode().unwrap();
            assert!(Backup::decode(&bytes).is_err(), "{path}");
        }
    }
}

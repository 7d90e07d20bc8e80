//! What a store that nobody has open consists of, and whether its segments are what they should be.

use std::path::PathBuf;
use std::sync::Arc;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::manifest::ManifestStore;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1 << 15;

/// The segments of a store, as its manifest names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// In the order in which they were written.
    pub segments: Vec<SegmentEntry>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentEntry {
    /// Its path without the endings.
    pub name: String,
    /// Its samples.
    pub rows: u64,
    /// Its series.
    pub series: u64,
    /// The earliest instant, in milliseconds since the epoch.
    pub ts_min: i64,
    /// The latest instant.
    pub ts_max: i64,
    /// The file of samples.
    pub samples_file: SegmentFile,
    /// The file of series.
    pub series_file: SegmentFile,
}

/// A file whose length and checksum the manifest knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its path in the data directory.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its CRC-32C.
    pub crc32c: u32,
}

/// Reads the manifest of a data directory that nobody has open, such as a snapshot.
///
/// # Errors
/// [`EngineError::Io`]; [`EngineError::Corrupt`] when the manifest is damaged or is not there.
pub fn inventory(vfs: &Arc<dyn Vfs>) -> Result<Inventory> {
    // A data directory without a manifest is a new store, which a snapshot or a backup never is.
    let version = ManifestStore::new(Arc::clone(vfs))
        .peek()?
        .version
        .ok_or_else(|| {
            EngineError::io("read", "MANIFEST")(std::io::Error::from(std::io::ErrorKind::NotFound))
        })?;
    let entry = |meta: &crate::segment::SegmentMeta| SegmentEntry {
        name: meta.name.clone(),
        rows: meta.rows,
        series: meta.series,
        ts_min: meta.ts_min,
        ts_max: meta.ts_max,
        samples_file: SegmentFile {
            path: meta.samples_path(),
            bytes: meta.samples_bytes,
            crc32c: meta.samples_crc32c,
        },
        series_file: SegmentFile {
            path: meta.series_path(),
            bytes: meta.series_bytes,
            crc32c: meta.series_crc32c,
        },
    };
    Ok(Inventory {
        segments: version.segments.iter().map(entry).collect(),
    })
}

impl SegmentEntry {
    /// Reads both files, compares length and checksum, decodes every row and compares the counts.
    ///
    /// # Errors
    /// [`EngineError::Io`]; [`EngineError::Corrupt`] or [`EngineError::Parquet`] for what is wrong, with the file.
    pub fn verify(&self, vfs: &Arc<dyn Vfs>) -> Result<()> {
        count(vfs, &self.samples_file, self.rows)?;
        count(vfs, &self.series_file, self.series)
    }
}

fn count(vfs: &Arc<dyn Vfs>, file: &SegmentFile, rows: u64) -> Result<()> {
    let corrupt = |expected: String, found: String| {
        Err(EngineError::Corrupt {
            path: PathBuf::from(&file.path),
            offset: 0,
            expected,
            found,
        })
    };
    let bytes = vfs
        .read(&file.path)
        .map_err(EngineError::io("read", &file.path))?;
    if bytes.len() as u64 != file.bytes {
        return corrupt(format!("{} bytes", file.bytes), bytes.len().to_string());
    }
    // Before anything is parsed: readers of Parquet are not made for damage.
    let crc = crc32c::crc32c(&bytes);
    if crc != file.crc32c {
        return corrupt(format!("CRC-32C {:08x}", file.crc32c), format!("{crc:08x}"));
    }
    let parquet = |source| EngineError::Parquet {
        path: PathBuf::from(&file.path),
        source,
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
        .map_err(parquet)?;
    let mut found = 0;
    for batch in reader {
        found += batch.map_err(|error| parquet(error.into()))?.num_rows() as u64;
    }
    if found != rows {
        return corrupt(format!("{rows} rows"), found.to_string());
    }
    Ok(())
}

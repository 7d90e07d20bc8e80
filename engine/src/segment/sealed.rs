//! An open segment: both mapped Parquet files and the sidecar that says where each series lies.

use std::path::PathBuf;
use std::sync::Arc;

use barograph_model::{Labels, Matcher, SeriesId};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use roaring::RoaringBitmap;

use super::SegmentMeta;
use super::file_writer::{at, block_sums};
use super::label_sets::read_labels;
use super::series_file;
use super::sidecar::{self, FileSums, SeriesIndex, Sidecar};
use super::verified::VerifiedBytes;
use crate::index::StorageKey;
use crate::quarantine::set_aside;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// A sealed segment. Readers that hold one may go on after its files are removed.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) meta: SegmentMeta,
    pub(super) samples: VerifiedBytes,
    pub(super) samples_footer: ArrowReaderMetadata,
    series: VerifiedBytes,
    series_footer: ArrowReaderMetadata,
    sidecar: Sidecar,
    /// what was wrong with the sidecar, if it was made again
    remade: Option<String>,
}

impl Segment {
    /// Opens the files and checks their lengths, the footers and the whole sidecar; the rest is checked block by block
    /// when it is read. A sidecar that is missing or damaged is made again, from files whose checksums hold.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] names the file and what is wrong with it; [`EngineError::Io`] where the disk says no.
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, meta: SegmentMeta) -> Result<Self> {
        let (samples_path, series_path) = (meta.samples_path(), meta.series_path());
        let samples = vfs
            .read(&samples_path)
            .map_err(EngineError::io("read", &samples_path))?;
        let series = vfs
            .read(&series_path)
            .map_err(EngineError::io("read", &series_path))?;
        check(&samples_path, samples.len() as u64, meta.samples_bytes, "bytes")?;
        check(&series_path, series.len() as u64, meta.series_bytes, "bytes")?;
        let (sidecar, remade) = match Self::open_sidecar(vfs, &meta) {
            Ok(sidecar) => (sidecar, None),
            Err(error) => {
                // Where it cannot be moved, missing above all, it is written over.
                let _ = set_aside(vfs.as_ref(), &meta.sidecar_path());
                rebuild_sidecar(vfs, &meta, &samples, &series)?;
                (Self::open_sidecar(vfs, &meta)?, Some(error.to_string()))
            }
        };
        let (samples_sums, series_sums) = sidecar.block_sums();
        let samples = VerifiedBytes::new(samples, samples_sums);
        let series = VerifiedBytes::new(series, series_sums);
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let samples_footer =
            ArrowReaderMetadata::load(&samples, options.clone()).map_err(at(&samples_path))?;
        let series_footer = ArrowReaderMetadata::load(&series, options).map_err(at(&series_path))?;
        let rows_of = |footer: &ArrowReaderMetadata| footer.metadata().file_metadata().num_rows() as u64;
        check(&samples_path, rows_of(&samples_footer), meta.rows, "rows")?;
        check(&series_path, rows_of(&series_footer), meta.series, "rows")?;
        Ok(Self {
            meta,
            samples,
            samples_footer,
            series,
            series_footer,
            sidecar,
            remade,
        })
    }

    /// What was wrong with the sidecar, if it was made again when the segment was opened.
    pub(crate) fn remade(&self) -> Option<&str> {
        self.remade.as_deref()
    }

    fn open_sidecar(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta) -> Result<Sidecar> {
        let path = meta.sidecar_path();
        let bytes = vfs.read(&path).map_err(EngineError::io("read", &path))?;
        Sidecar::open(meta, &bytes)
    }

    /// The row groups of the samples, in order.
    pub(crate) fn row_groups(&self) -> &[RowGroupMetaData] {
        self.samples_footer.metadata().row_groups()
    }

    /// The labels of some places, given ascending.
    ///
    /// # Errors
    /// As [`Segment::series_rows`].
    pub(crate) fn labels(&self, places: &[u32]) -> Result<Vec<Arc<Labels>>> {
        let path = self.meta.series_path();
        read_labels(&path, &self.series, &self.series_footer, places)
    }

    /// The places that pass every matcher.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for a damaged sidecar.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Result<RoaringBitmap> {
        self.sidecar.select(matchers)
    }

    /// The id of a place.
    pub(crate) fn id(&self, place: u32) -> SeriesId {
        self.sidecar.id(place)
    }

    /// The group of a place.
    pub(crate) fn group_of(&self, place: u32) -> usize {
        self.sidecar.group_of(place)
    }

    /// The keys of some groups, given ascending.
    pub(crate) fn group_keys(&self, groups: &[usize]) -> Vec<StorageKey> {
        self.sidecar.group_keys(groups)
    }

    /// The places of a group.
    pub(crate) fn places_of_group(&self, group: usize) -> std::ops::Range<u32> {
        self.sidecar.places(group)
    }

    /// The group with a key.
    pub(crate) fn find_group(&self, key: &StorageKey) -> Option<usize> {
        self.sidecar.find_group(key)
    }

    /// How many groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.sidecar.groups()
    }

    /// Calls `f` with the key of every group, in order.
    pub(crate) fn for_each_group(&self, f: impl FnMut(&[u8], usize)) {
        self.sidecar.for_each_group(f);
    }

    /// The place of a series, by its group and id.
    pub(crate) fn find(&self, group: usize, id: SeriesId) -> Option<u32> {
        self.sidecar.find(group, id)
    }

    /// The rows of a place in the samples file.
    pub(crate) fn rows_of(&self, place: u32) -> std::ops::Range<usize> {
        self.sidecar.rows(place)
    }

    /// Calls `f` with the names of labels that series which pass every matcher have.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for a damaged sidecar.
    pub(crate) fn label_names(&self, matchers: &[Matcher], f: impl FnMut(&str)) -> Result<()> {
        self.sidecar.label_names(&self.select(matchers)?, f)
    }

    /// Calls `f` with the values of a label among series which pass every matcher.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for a damaged sidecar.
    pub(crate) fn label_values(&self, name: &str, matchers: &[Matcher], f: impl FnMut(&str)) -> Result<()> {
        self.sidecar.label_values(name, &self.select(matchers)?, f)
    }

    /// What a reader found wrong with the files since they were opened.
    pub(crate) fn damage(&self) -> Option<String> {
        let of = |path: String, bytes: &VerifiedBytes| bytes.damage().map(|what| format!("{path}: {what}"));
        of(self.meta.samples_path(), &self.samples).or_else(|| of(self.meta.series_path(), &self.series))
    }
}

/// Makes the sidecar anew. Whole-file checksums of the manifest vouch for what it is made from.
fn rebuild_sidecar(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta, samples: &Bytes, series: &Bytes) -> Result<()> {
    for (path, bytes, expected) in [
        (meta.samples_path(), samples, meta.samples_crc32c),
        (meta.series_path(), series, meta.series_crc32c),
    ] {
        check(
            &path,
            u64::from(crc32c::crc32c(bytes)),
            u64::from(expected),
            "as its CRC-32C",
        )?;
    }
    let rows = series_file::read(
        &meta.series_path(),
        VerifiedBytes::new(series.clone(), block_sums(series)),
    )?;
    let sums = FileSums {
        samples: &block_sums(samples),
        series: &block_sums(series),
    };
    // Under a name of its own: the bytes that are there may be those of a snapshot too, and mapped by another process.
    let path = meta.sidecar_path();
    match vfs.remove(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(EngineError::io("remove", path)(error));
        }
        _ => {}
    }
    sidecar::write(vfs, meta, SeriesIndex::of(meta, &rows)?, &sums).map(drop)
}

pub(super) fn check(path: &str, found: u64, expected: u64, what: &str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(EngineError::Corrupt {
        path: PathBuf::from(path),
        offset: 0,
        expected: format!("{expected} {what}"),
        found: found.to_string(),
    })
}

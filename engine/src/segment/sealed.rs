//! An open segment: the mapped samples file and where each series lies in it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use barograph_model::SeriesId;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::PageIndexPolicy;

use super::SegmentMeta;
use super::file_writer::at;
use super::series_file;
use crate::index::Registry;
use crate::vfs::Vfs;
use crate::{EngineError, Result, SeriesRef};

/// A sealed segment. Readers that hold one may go on after its files are removed.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) meta: SegmentMeta,
    pub(super) samples: Bytes,
    pub(super) footer: ArrowReaderMetadata,
    /// series with their place in the file, sorted by series
    places: Vec<(SeriesRef, u32)>,
    /// first row by place, and the end
    first_rows: Vec<u64>,
}

impl Segment {
    /// Opens both files, checks their lengths and checksums, which reads all of them, and enters the series into the
    /// registry.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] names the file and what is wrong with it.
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, meta: SegmentMeta, registry: &Registry) -> Result<Self> {
        let mut known = HashMap::new();
        Self::open_with(vfs, meta, registry, &mut known)
    }

    /// As [`Segment::open`], with a cache of series by id that saves the work when many segments are opened.
    pub(crate) fn open_with(
        vfs: &Arc<dyn Vfs>,
        meta: SegmentMeta,
        registry: &Registry,
        known: &mut HashMap<SeriesId, SeriesRef>,
    ) -> Result<Self> {
        let (samples_path, series_path) = (meta.samples_path(), meta.series_path());
        let samples = vfs
            .read(&samples_path)
            .map_err(EngineError::io("read", &samples_path))?;
        let series = vfs
            .read(&series_path)
            .map_err(EngineError::io("read", &series_path))?;
        check(&samples_path, samples.len() as u64, meta.samples_bytes, "bytes")?;
        check(&series_path, series.len() as u64, meta.series_bytes, "bytes")?;
        // Before anything is parsed: the readers of Arrow's own schemas panic on some damage.
        let crc = u64::from(crc32c::crc32c(&samples));
        check(
            &samples_path,
            crc,
            u64::from(meta.samples_crc32c),
            "as its CRC-32C",
        )?;
        let crc = u64::from(crc32c::crc32c(&series));
        check(&series_path, crc, u64::from(meta.series_crc32c), "as its CRC-32C")?;
        let rows = series_file::read(&series_path, series)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let footer = ArrowReaderMetadata::load(&samples, options).map_err(at(&samples_path))?;
        let file_rows = footer.metadata().file_metadata().num_rows();
        check(&samples_path, file_rows as u64, meta.rows, "rows")?;
        check(
            &series_path,
            rows.last().map_or(0, |r| r.first_row + r.rows),
            meta.rows,
            "rows of series",
        )?;
        let mut places = Vec::with_capacity(rows.len());
        let mut first_rows = Vec::with_capacity(rows.len() + 1);
        for (place, row) in rows.iter().enumerate() {
            let series = *known
                .entry(row.id)
                .or_insert_with(|| registry.restore(row.id, row.labels.as_ref().clone()));
            places.push((series, place as u32));
            first_rows.push(row.first_row);
        }
        first_rows.push(meta.rows);
        places.sort_unstable();
        Ok(Self {
            meta,
            samples,
            footer,
            places,
            first_rows,
        })
    }

    /// The rows of a series in the file, where it has any. O(log n).
    pub(super) fn rows_of(&self, series: SeriesRef) -> Option<std::ops::Range<usize>> {
        let i = self.places.binary_search_by_key(&series, |(s, _)| *s).ok()?;
        let place = self.places[i].1 as usize;
        Some(self.first_rows[place] as usize..self.first_rows[place + 1] as usize)
    }

    /// How many rows some series have together.
    pub(crate) fn rows_of_all(&self, series: &[SeriesRef]) -> u64 {
        if series.len() >= self.places.len() {
            // Everything is asked for, or nearly: walking the segment's own series is the shorter way.
            let wanted: roaring::RoaringBitmap = series.iter().map(|s| s.0).collect();
            let mine = self.places.iter().filter(|(s, _)| wanted.contains(s.0));
            return mine
                .map(|(_, place)| self.first_rows[*place as usize + 1] - self.first_rows[*place as usize])
                .sum();
        }
        series
            .iter()
            .filter_map(|s| self.rows_of(*s))
            .map(|range| range.len() as u64)
            .sum()
    }

    /// Bytes of memory beside the mapped file.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.places.len() * size_of::<(SeriesRef, u32)>() + self.first_rows.len() * size_of::<u64>()
    }
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

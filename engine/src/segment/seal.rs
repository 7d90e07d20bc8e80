//! The last step of writing a segment of any kind: what says whose the rows are.

use std::sync::Arc;

use super::SegmentMeta;
use super::file_writer::FileWriter;
use super::series_file::{self, SeriesRow};
use super::sidecar::{self, FileSums, SeriesIndex};
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Series from which on the index is made beside the series file, on a thread of its own.
const SERIES_PER_THREAD: usize = 1 << 14;

/// Finishes the file of rows, writes the series file and the sidecar and syncs all; the folder's names are left to the
/// caller. `None` without rows: the empty file is removed.
pub(super) fn seal(
    vfs: &Arc<dyn Vfs>,
    mut meta: SegmentMeta,
    rows: FileWriter,
    series: &[SeriesRow],
) -> Result<Option<SegmentMeta>> {
    let samples = rows.finish()?;
    if meta.rows == 0 {
        let path = meta.samples_path();
        vfs.remove(&path).map_err(EngineError::io("remove", &path))?;
        return Ok(None);
    }
    meta.series = series.len() as u64;
    (meta.samples_bytes, meta.samples_crc32c) = (samples.bytes, samples.crc32c);
    let (file, index) = if series.len() < SERIES_PER_THREAD {
        (
            series_file::write(vfs, &meta, series),
            SeriesIndex::of(&meta, series),
        )
    } else {
        std::thread::scope(|scope| {
            let index = scope.spawn(|| SeriesIndex::of(&meta, series));
            let file = series_file::write(vfs, &meta, series);
            let index = index
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (file, index)
        })
    };
    let (file, index) = (file?, index?);
    (meta.series_bytes, meta.series_crc32c) = (file.bytes, file.crc32c);
    let sums = FileSums {
        samples: &samples.blocks,
        series: &file.blocks,
    };
    meta.sidecar_bytes = sidecar::write(vfs, &meta, index, &sums)?;
    Ok(Some(meta))
}

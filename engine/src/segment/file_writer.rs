//! A Parquet file on its way to disk: counted, checksummed, synced.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::sidecar::BLOCK_BYTES;
use crate::vfs::{Vfs, VfsFile};
use crate::{EngineError, Result};

/// Bytes gathered before they go to the file.
const BUFFER_BYTES: usize = 1 << 18;

/// The length and the checksums of a finished file.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileSum {
    pub(crate) bytes: u64,
    /// CRC-32C of the whole file.
    pub(crate) crc32c: u32,
    /// CRC-32C of each block of [`BLOCK_BYTES`].
    pub(crate) blocks: Vec<u32>,
}

/// The checksums of a whole file's blocks.
pub(super) fn block_sums(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(BLOCK_BYTES).map(crc32c::crc32c).collect()
}

/// Writes one Parquet file.
pub(crate) struct FileWriter {
    path: String,
    writer: ArrowWriter<BufWriter<Summed>>,
}

impl FileWriter {
    pub(crate) fn create(
        vfs: &Arc<dyn Vfs>,
        path: String,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self> {
        let file = vfs.create(&path).map_err(EngineError::io("create", &path))?;
        let summed = Summed {
            file,
            sum: FileSum::default(),
            sync_every: u64::MAX,
            synced_bytes: 0,
        };
        let buffered = BufWriter::with_capacity(BUFFER_BYTES, summed);
        let writer = ArrowWriter::try_new(buffered, schema, Some(properties)).map_err(at(&path))?;
        Ok(Self { path, writer })
    }

    /// Syncs whenever so many bytes were written since the last time.
    pub(crate) fn sync_every(&mut self, bytes: u64) {
        self.writer.inner_mut().get_mut().sync_every = bytes;
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(at(&self.path))
    }

    /// Writes the footer and syncs. Until this has returned the file is not to be named anywhere.
    pub(crate) fn finish(self) -> Result<FileSum> {
        let path = self.path;
        let mut buffered = self.writer.into_inner().map_err(at(&path))?;
        buffered.flush().map_err(EngineError::io("write", &path))?;
        let mut summed = buffered
            .into_inner()
            .map_err(|error| EngineError::io("write", &path)(error.into_error()))?;
        summed.file.sync().map_err(EngineError::io("sync", &path))?;
        Ok(summed.sum)
    }
}

/// Adds the file's name to an error of the Parquet library.
pub(crate) fn at(path: &str) -> impl FnOnce(ParquetError) -> EngineError {
    let path = path.into();
    move |source| EngineError::Parquet { path, source }
}

impl FileSum {
    /// Sums further bytes.
    fn add(&mut self, mut bytes: &[u8]) {
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - (self.bytes % BLOCK_BYTES as u64) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if room == BLOCK_BYTES {
                self.blocks.push(0);
            }
            if let Some(last) = self.blocks.last_mut() {
                *last = crc32c::crc32c_append(*last, now);
            }
            self.bytes += now.len() as u64;
            bytes = later;
        }
    }
}

struct Summed {
    file: Box<dyn VfsFile>,
    sum: FileSum,
    sync_every: u64,
    synced_bytes: u64,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes)?;
        self.sum.add(bytes);
        if self.sum.bytes - self.synced_bytes >= self.sync_every {
            self.file.sync()?;
            self.synced_bytes = self.sum.bytes;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

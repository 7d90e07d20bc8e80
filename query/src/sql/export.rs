//! Files that `COPY` writes: new ones only, in one folder.
//!
//! A file appears under its name once it is whole and synced; until then it has a name that begins with a dot, and it is
//! removed when the query fails, is ended, or the disk runs full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::error::{SqlError, SqlErrorCode};
use super::format::Encoder;
use super::statement::{CopyFormat, CopyTarget};

/// Bytes of a row group that is encoded but not written yet.
const ROW_GROUP_BYTES_MAX: usize = 32 << 20;

/// Tells files apart that are written at the same time.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The folder that files may be written to.
#[derive(Debug)]
pub(crate) struct ExportFolder {
    root: PathBuf,
}

impl ExportFolder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Writes all rows to a new file and gives their number.
    ///
    /// # Errors
    /// Those of the rows; `unsupported` for a name that is taken or leads out of the folder; `execution` for what the
    /// system says. No file is left.
    pub(crate) async fn write(
        &self,
        target: &CopyTarget,
        mut rows: SendableRecordBatchStream,
    ) -> Result<u64, SqlError> {
        let path = self.place(target)?;
        let failed = |error: io::Error| {
            SqlError::new(
                SqlErrorCode::Execution,
                format!("writing {}: {error}", path.display()),
            )
        };
        if path.symlink_metadata().is_ok() {
            return Err(taken(&path));
        }
        let (temporary, file) = Temporary::create(&path).map_err(failed)?;
        let mut writer = RowWriter::new(target.format, rows.schema(), file).map_err(failed)?;
        let mut count = 0u64;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| SqlError::from_datafusion(&error))?;
            count += batch.num_rows() as u64;
            writer.write(&batch).map_err(failed)?;
        }
        let file = writer.end().map_err(failed)?;
        file.sync_all().map_err(failed)?;
        match temporary.publish(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(&path)),
            Err(error) => Err(failed(error)),
            Ok(()) => Ok(count),
        }
    }

    /// The path of a file below the folder, whose own folder is there.
    fn place(&self, target: &CopyTarget) -> Result<PathBuf, SqlError> {
        let failed = |path: &Path, error: io::Error| {
            SqlError::new(SqlErrorCode::Execution, format!("{}: {error}", path.display()))
        };
        let root = self
            .root
            .canonicalize()
            .map_err(|error| failed(&self.root, error))?;
        let Some((name, folders)) = target.path.split_last() else {
            return Err(SqlError::new(SqlErrorCode::Unsupported, "COPY TO an empty path"));
        };
        // A link inside the folder may lead out of it, so each step is looked at before the next folder is made.
        let mut folder = root.clone();
        for part in folders {
            let next = folder.join(part);
            match fs::create_dir(&next) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed(&next, error));
                }
                _ => folder = next.canonicalize().map_err(|error| failed(&next, error))?,
            }
            if !folder.starts_with(&root) {
                let message = format!("{} is not below {}", folder.display(), root.display());
                return Err(SqlError::new(SqlErrorCode::Unsupported, message));
            }
        }
        Ok(folder.join(name))
    }
}

fn taken(path: &Path) -> SqlError {
    let message = format!("there is a file {} already", path.display());
    SqlError::new(SqlErrorCode::Unsupported, message)
        .with_hint("COPY only writes new files: choose another name")
}

/// A file that is not whole yet; removed when it is dropped.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn create(path: &Path) -> io::Result<(Self, File)> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = path.with_file_name(format!(".{name}.{}-{number}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok((Self { path }, file))
    }

    /// Gives the file its name, which nothing else may have taken, for good.
    fn publish(self, path: &Path) -> io::Result<()> {
        fs::hard_link(&self.path, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished file stays");
        }
    }
}

/// Writes batches in a format.
enum RowWriter {
    Parquet(Box<ArrowWriter<BufWriter<File>>>),
    Other(Encoder, BufWriter<File>),
}

impl RowWriter {
    fn new(format: CopyFormat, schema: SchemaRef, file: File) -> io::Result<Self> {
        let out = BufWriter::new(file);
        match format {
            CopyFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                let writer = ArrowWriter::try_new(out, without_metadata(&schema), Some(properties));
                Ok(Self::Parquet(Box::new(writer.map_err(io::Error::other)?)))
            }
            CopyFormat::Other(format) => {
                let encoder = Encoder::new(format, &schema).map_err(io::Error::other)?;
                Ok(Self::Other(encoder, out))
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match self {
            Self::Parquet(writer) => {
                let schema = without_metadata(&batch.schema());
                let batch = batch.clone().with_schema(schema).map_err(io::Error::other)?;
                writer.write(&batch).map_err(io::Error::other)?;
                if writer.in_progress_size() > ROW_GROUP_BYTES_MAX {
                    writer.flush().map_err(io::Error::other)?;
                }
                Ok(())
            }
            Self::Other(encoder, out) => out.write_all(&encoder.rows(batch).map_err(io::Error::other)?),
        }
    }

    fn end(self) -> io::Result<File> {
        let out = match self {
            Self::Parquet(writer) => writer.into_inner().map_err(io::Error::other)?,
            Self::Other(mut encoder, mut out) => {
                out.write_all(&encoder.end().map_err(io::Error::other)?)?;
                out
            }
        };
        out.into_inner().map_err(|error| error.into_error())
    }
}

/// What planners note in a schema is no business of who reads the file.
fn without_metadata(schema: &Schema) -> SchemaRef {
    SchemaRef::new(Schema::new(schema.fields().clone()))
}

//! What can be wrong with the files that a detector is run over.

use std::io;
use std::path::{Path, PathBuf};

use barograph_detectors::DetectorError;
use thiserror::Error;

/// Why `barograph detect` failed. Each message names the file, and the line (CSV) or row (Parquet) where known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DetectFailure {
    /// The operating system refused an operation on a file.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A name that ends in neither `.csv` nor `.parquet`.
    #[error("{}: the name must end in .csv or .parquet", path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// A folder without anything to judge.
    #[error("{}: there is no .csv or .parquet file in this folder", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// A folder is to be judged into a single file.
    #[error("{}: the input is a folder, so the output must be one too", path.display())]
    OutputNotFolder {
        /// The output.
        path: PathBuf,
    },
    /// The verdicts would overwrite what they judge.
    #[error("{}: the output is the input itself; give it another name", path.display())]
    OutputIsInput {
        /// The file.
        path: PathBuf,
    },
    /// The file as a whole cannot be used.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A line of a CSV file cannot be used.
    #[error("{}:{line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong and what to do.
        message: String,
    },
    /// A row of a Parquet file cannot be used.
    #[error("{}: row {row}: {message}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, counted from 1.
        row: usize,
        /// What is wrong and what to do.
        message: String,
    },
    /// A Parquet file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the Parquet library said.
        source: parquet::errors::ParquetError,
    },
    /// More history than rows.
    #[error("{}: --train-rows {train_rows} is more than the {rows} rows of the file", path.display())]
    TrainRows {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        train_rows: usize,
        /// What is there.
        rows: usize,
    },
    /// The detector refused its name, its parameters or the table.
    #[error("{}: {source}", path.display())]
    Detector {
        /// The file.
        path: PathBuf,
        /// What the detector said.
        source: DetectorError,
    },
    /// Files of a folder that failed; the others are judged.
    #[error("{}\n{} of {files} files failed", lines(failures), failures.len())]
    Several {
        /// One for each file.
        failures: Vec<DetectFailure>,
        /// How many files there were.
        files: usize,
    },
}

impl DetectFailure {
    /// Wraps what the operating system said, for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

fn lines(failures: &[DetectFailure]) -> String {
    failures
        .iter()
        .map(DetectFailure::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

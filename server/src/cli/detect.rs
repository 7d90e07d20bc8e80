//! `barograph detect`: runs a detector over files, and writes a verdict for every row.
//!
//! One file is held in memory as numbers (8 bytes a cell) while it is judged; a folder is worked through with
//! one file a core. An output appears under its name only when it is complete.

mod csv_input;
mod error;
mod input;
pub(in crate::cli) mod instant;
mod output;
mod parquet_input;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use barograph_detectors::{Mode, Params, Table, detect};
use clap::{Args, ValueEnum};
use rayon::prelude::*;

pub use error::DetectFailure;
use input::{Format, Input};

/// Arguments of `barograph detect`.
#[derive(Debug, Clone, Args)]
pub struct DetectArgs {
    /// A CSV or Parquet file, or a folder of them
    #[arg(long, value_name = "FILE|DIR")]
    pub input: PathBuf,
    /// Where the verdicts go: a .csv or .parquet file, "-" for CSV on stdout, or a folder for files of the same
    /// names as in the input
    #[arg(long, value_name = "FILE|DIR")]
    pub output: PathBuf,
    /// The detector; auto chooses one by the shape of the data
    #[arg(long, value_name = "auto|NAME", default_value = "auto")]
    pub detector: String,
    /// causal: a score uses only its row and earlier ones; offline: it may use the whole file
    #[arg(long, value_enum, default_value_t = DetectMode::Causal)]
    pub mode: DetectMode,
    /// The first N rows are history without known faults
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub train_rows: usize,
    /// A parameter of the detector, such as alarms_per_day=0.5; may be repeated
    #[arg(long = "param", value_name = "K=V", value_parser = parse_param)]
    pub params: Vec<(String, String)>,
    /// The metrics to judge; all columns but time when it is not given
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub columns: Vec<String>,
}

/// Which rows a score may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DetectMode {
    /// Its row and earlier ones.
    Causal,
    /// The whole file.
    Offline,
}

fn parse_param(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("a parameter is written as name=value, such as alarms_per_day=0.5".to_owned()),
    }
}

/// Judges a file, or every `.csv` and `.parquet` file of a folder. Gives notes for the user: what was read in a
/// way that may not be what was meant.
///
/// # Errors
/// [`DetectFailure`]; in a folder every other file is still judged.
pub fn run(args: &DetectArgs) -> Result<Vec<String>, DetectFailure> {
    let params: Params = args.params.iter().cloned().collect();
    let metadata = std::fs::metadata(&args.input).map_err(DetectFailure::io("read", &args.input))?;
    if !metadata.is_dir() {
        let target = if args.output.is_dir() {
            named_in(&args.output, &args.input)?
        } else {
            args.output.clone()
        };
        return judge(args, &params, &args.input, &target);
    }
    if args.output.exists() && !args.output.is_dir() || args.output == Path::new("-") {
        return Err(DetectFailure::OutputNotFolder {
            path: args.output.clone(),
        });
    }
    std::fs::create_dir_all(&args.output).map_err(DetectFailure::io("create", &args.output))?;
    let files = input_files(&args.input)?;
    let results: Vec<_> = files
        .par_iter()
        .map(|file| judge(args, &params, file, &named_in(&args.output, file)?))
        .collect();
    let mut notes = Vec::new();
    let mut failures = Vec::new();
    for result in results {
        match result {
            Ok(more) => notes.extend(more),
            Err(failure) => failures.push(failure),
        }
    }
    match failures.is_empty() {
        true => Ok(notes),
        false => Err(DetectFailure::Several {
            failures,
            files: files.len(),
        }),
    }
}

fn judge(
    args: &DetectArgs,
    params: &Params,
    source: &Path,
    target: &Path,
) -> Result<Vec<String>, DetectFailure> {
    let format = if target == Path::new("-") {
        Format::Csv
    } else {
        Format::of(target)?
    };
    if let (Ok(from), Ok(to)) = (source.canonicalize(), target.canonicalize())
        && from == to
    {
        return Err(DetectFailure::OutputIsInput {
            path: source.to_owned(),
        });
    }
    let Input { time, columns } = input::read(source, &args.columns)?;
    let mut table = Table {
        time_ms: None,
        columns,
    };
    let rows = table.rows();
    if args.train_rows > rows {
        return Err(DetectFailure::TrainRows {
            path: source.to_owned(),
            train_rows: args.train_rows,
            rows,
        });
    }
    let (written, notes) = match time {
        Some(time) => {
            let notes = time.notes(source);
            table.time_ms = Some(time.ms);
            (Some(time.written), notes)
        }
        None => (None, Vec::new()),
    };
    let mode = match args.mode {
        DetectMode::Causal => Mode::Causal,
        DetectMode::Offline => Mode::Offline,
    };
    let verdicts = match rows {
        0 => Vec::new(),
        _ => detect(&table, &args.detector, mode, args.train_rows, params).map_err(|error| {
            DetectFailure::Detector {
                path: source.to_owned(),
                source: error,
            }
        })?,
    };
    output::write(
        target,
        format,
        written.as_ref(),
        table.time_ms.as_deref(),
        &verdicts,
    )?;
    Ok(notes)
}

/// The files of a folder that can be judged, sorted; folders inside it are left alone.
fn input_files(folder: &Path) -> Result<Vec<PathBuf>, DetectFailure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DetectFailure::io("list", folder))? {
        let path = entry.map_err(DetectFailure::io("list", folder))?.path();
        if path.is_file() && Format::of(&path).is_ok() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        Err(DetectFailure::NoFiles {
            path: folder.to_owned(),
        })
    } else {
        Ok(files)
    }
}

fn named_in(folder: &Path, file: &Path) -> Result<PathBuf, DetectFailure> {
    match file.file_name() {
        Some(name) => Ok(folder.join(name)),
        None => Err(DetectFailure::Extension {
            path: file.to_owned(),
        }),
    }
}

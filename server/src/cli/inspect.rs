//! `barograph inspect`: what is inside one file of a store.

mod report;
mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barograph_engine::EngineError;
use barograph_engine::inspect::{Inspection, inspect};
use barograph_engine::vfs::{DiskVfs, Vfs};
use clap::Args;
use serde::Serialize;
use thiserror::Error;

use super::check::store::ReportFormat;

/// Arguments of `barograph inspect`.
#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// A segment's file, a file of a log, a checkpoint or a manifest
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Show so many metrics, labels or segments, the largest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
}

/// Why a file could not be looked into.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InspectFailure {
    /// It is not there, is no file, or its name is not text.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is none of this program's, or damaged.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The figures as JSON.
#[derive(Serialize)]
struct Told<'a> {
    file: String,
    #[serde(flatten)]
    inspection: &'a Inspection,
}

/// Looks into the file and gives what to print.
///
/// # Errors
/// [`InspectFailure`].
pub fn run(args: &InspectArgs) -> Result<String, InspectFailure> {
    let unreadable = |source| InspectFailure::Read {
        path: args.file.clone(),
        source,
    };
    let path = args.file.canonicalize().map_err(unreadable)?;
    let name = path.file_name().and_then(|name| name.to_str());
    let (Some(folder), Some(name)) = (path.parent(), name.filter(|_| path.is_file())) else {
        return Err(unreadable(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a file with a name in UTF-8",
        )));
    };
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs::open(folder).map_err(unreadable)?);
    let mut inspection = inspect(&vfs, name)?;
    let left_out = cut(&mut inspection, args.top);
    Ok(match args.format {
        ReportFormat::Text => report::text(&args.file, &inspection, left_out),
        ReportFormat::Json => json(&args.file, &inspection),
    })
}

/// Leaves the first so many of what may be many; gives how many were left out.
fn cut(inspection: &mut Inspection, top: usize) -> usize {
    fn first<T>(list: &mut Vec<T>, top: usize) -> usize {
        let left_out = list.len().saturating_sub(top);
        list.truncate(top);
        left_out
    }
    match inspection {
        Inspection::Samples(figures) => figures.metrics.as_mut().map_or(0, |metrics| first(metrics, top)),
        Inspection::Series(figures) => {
            first(&mut figures.labels, top);
            first(&mut figures.metrics, top)
        }
        Inspection::Manifest(figures) => {
            figures
                .segments
                .sort_by_key(|segment| std::cmp::Reverse(segment.bytes));
            first(&mut figures.segments, top)
        }
        _ => 0,
    }
}

fn json(file: &Path, inspection: &Inspection) -> String {
    let told = Told {
        file: file.display().to_string(),
        inspection,
    };
    // Text and finite numbers always make JSON.
    serde_json::to_string_pretty(&told).unwrap_or_default()
}

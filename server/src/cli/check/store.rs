//! `barograph check store`: looks at every byte of a data directory that no server has open.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use barograph_engine::EngineError;
use barograph_engine::check::{
    CheckOptions, CheckReport, Finding, Severity, check_store, plan_repair, read_journal,
};
use barograph_engine::vfs::{DiskVfs, Vfs};
use barograph_query::sql::{VIEWS_FILE, Views};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use thiserror::Error;

use crate::alerting::{ALERTS_DIR, check_contents};

/// Arguments of `barograph check store`.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Read without taking the directory's lock: for a copy that nobody changes, or that cannot be written to
    #[arg(long)]
    pub shared: bool,
    /// Make a lost manifest again from the segments, after saying what will be done; then check
    #[arg(long, conflicts_with = "shared")]
    pub repair: bool,
    /// Segments that are looked at at the same time; as many as there are processors when it is not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Why a store could not be checked, or that it is damaged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreFailure {
    /// There is no such folder, or it cannot be read.
    #[error("cannot use the data directory {}: {source}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store says no.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something is damaged; the report says what.
    #[error("{} is damaged in {damages} place{}; each is on stdout with what to do", path.display(), if *damages == 1 { "" } else { "s" })]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// How many findings are damage.
        damages: usize,
    },
}

/// The report as JSON.
#[derive(Serialize)]
struct Told<'a> {
    data_dir: String,
    damaged: bool,
    #[serde(flatten)]
    report: &'a CheckReport,
}

/// Checks, and prints the report.
///
/// # Errors
/// [`StoreFailure::Damaged`] after the report was printed; others when there was nothing to report on.
pub fn run(args: &StoreArgs) -> Result<(), StoreFailure> {
    let unusable = |source| StoreFailure::DataDir {
        path: args.data_dir.clone(),
        source,
    };
    if !std::fs::metadata(&args.data_dir).map_err(unusable)?.is_dir() {
        return Err(unusable(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs::open(&args.data_dir).map_err(unusable)?);
    if args.repair {
        repair(&vfs)?;
    }
    let bar = bar();
    let options = CheckOptions {
        threads: args.jobs.map_or_else(
            || thread::available_parallelism().map_or(1, usize::from),
            usize::from,
        ),
        is_shared: args.shared,
        journals: &[ALERTS_DIR],
        progress: &|done, total| {
            if let Some(bar) = &bar {
                bar.set_length(total);
                bar.set_position(done);
            }
        },
    };
    let checked = check_store(&vfs, &options);
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let mut report = checked?;
    report.findings.extend(alert_state(&vfs));
    report.findings.extend(views(&vfs));
    super::super::print(&match args.format {
        ReportFormat::Text => text(&args.data_dir, &report),
        ReportFormat::Json => json(&args.data_dir, &report),
    });
    if report.is_damaged() {
        return Err(StoreFailure::Damaged {
            path: args.data_dir.clone(),
            damages: report.count(Severity::Damage),
        });
    }
    Ok(())
}

/// Makes a lost manifest again. What will be done is told on stderr, so that stdout has the report alone.
fn repair(vfs: &Arc<dyn Vfs>) -> Result<(), StoreFailure> {
    match plan_repair(vfs)? {
        None => super::super::say("the manifest can be read, so there is nothing to repair"),
        Some(plan) => {
            super::super::say(&plan.to_string());
            plan.carry_out(vfs)?;
            super::super::say("done");
        }
    }
    Ok(())
}

/// What the engine cannot know: whether the records of the alert journal make a state. Where the journal itself is
/// damaged, that has been said.
fn alert_state(vfs: &Arc<dyn Vfs>) -> Option<Finding> {
    let contents = read_journal(vfs, ALERTS_DIR).ok()?;
    let error = check_contents(ALERTS_DIR, &contents).err()?;
    Some(Finding {
        severity: Severity::Damage,
        path: ALERTS_DIR.to_owned(),
        offset: None,
        what: error.to_string(),
        remedy: "the next start moves the journal to quarantine/ and goes on without alert state; restore the folder from a backup before that, if there is one".to_owned(),
    })
}

/// The views of SQL, which the engine does not know either.
fn views(vfs: &Arc<dyn Vfs>) -> Option<Finding> {
    let bytes = vfs.read(VIEWS_FILE).ok()?;
    Some(Finding {
        severity: Severity::Damage,
        path: VIEWS_FILE.to_owned(),
        offset: None,
        what: Views::check(&bytes).err()?,
        remedy: "the next start moves it to quarantine/ and goes on without views; restore the file from a backup before that, if there is one".to_owned(),
    })
}

/// A bar on a terminal; nothing elsewhere.
fn bar() -> Option<ProgressBar> {
    io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(0);
        let template = "  {bar:32} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
        // The template above is right; a broken one would only cost its looks.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar
    })
}

fn text(data_dir: &Path, report: &CheckReport) -> String {
    let checked = &report.checked;
    let mut lines: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
    lines.push(format!(
        "{}: {} segments with {} samples, {} log files with {} samples beyond them, {} journal records, {} bytes",
        data_dir.display(),
        checked.segments,
        checked.segment_rows,
        checked.wal_files,
        checked.wal_samples,
        checked.journal_records,
        checked.bytes
    ));
    lines.push(
        match (report.count(Severity::Damage), report.count(Severity::Warning)) {
            (0, 0) => format!("{}: ok", data_dir.display()),
            (0, warnings) => format!("{}: ok, with {warnings} warning(s)", data_dir.display()),
            (damages, warnings) => format!(
                "{}: {damages} damage(s), {warnings} warning(s)",
                data_dir.display()
            ),
        },
    );
    lines.join("\n")
}

fn json(data_dir: &Path, report: &CheckReport) -> String {
    let told = Told {
        data_dir: data_dir.display().to_string(),
        damaged: report.is_damaged(),
        report,
    };
    // Text and whole numbers always make JSON.
    serde_json::to_string_pretty(&told).unwrap_or_default()
}

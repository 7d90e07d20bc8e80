//! `barograph backup`: copies of a store in a folder or a bucket, each whole and each costing what it adds.

mod bucket;
mod create;
mod depot;
mod error;
mod folder;
mod manifest;
mod progress;
mod restore;
mod retry;
mod source;
mod sum;
#[cfg(test)]
mod tests;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::DateTime;
use clap::{Args, Subcommand};
use indicatif::BinaryBytes;

pub use error::BackupFailure;
pub use manifest::{Backup, BackupFile, SegmentCount};
pub use restore::{RestoreArgs, run as restore};
pub use sum::FileSum;

use create::Created;
use depot::Depot;
use source::Source;

/// Files on their way at once, by default.
const JOBS: &str = "4";

/// Arguments of `barograph backup`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupArgs {
    /// What to do with backups that are there.
    #[command(subcommand)]
    pub command: Option<BackupCommand>,
    /// The data directory; no server may have it open
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "url",
        required_unless_present = "url"
    )]
    pub data_dir: Option<PathBuf>,
    /// A running server on this machine, started with --enable-admin-api
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// A folder, or s3://BUCKET/PREFIX with the credentials of the environment (AWS_ACCESS_KEY_ID, ...)
    #[arg(value_name = "TARGET", required = true)]
    pub target: Option<String>,
    /// Files on their way at once
    #[arg(long, value_name = "N", default_value = JOBS, value_parser = jobs)]
    pub jobs: usize,
}

/// What can be asked of backups.
#[derive(Debug, Clone, Subcommand)]
pub enum BackupCommand {
    /// List the backups of a place
    List(ListArgs),
    /// Read a backup to its last byte and compare checksums
    Verify(VerifyArgs),
}

/// Arguments of `barograph backup list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// A folder, or s3://BUCKET/PREFIX
    #[arg(value_name = "SOURCE")]
    pub source: String,
}

/// Arguments of `barograph backup verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// A folder, or s3://BUCKET/PREFIX
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The backup; the newest without it
    #[arg(long = "backup", value_name = "NAME")]
    pub name: Option<String>,
    /// Files read at once
    #[arg(long, value_name = "N", default_value = JOBS, value_parser = jobs)]
    pub jobs: usize,
}

/// How many files at once: each takes up to three parts of memory on the way to a bucket.
fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=64) => Ok(jobs),
        _ => Err("it must be a number from 1 to 64".to_owned()),
    }
}

/// Runs `barograph backup`; gives what to print.
///
/// # Errors
/// [`BackupFailure`]. A verification tells what it found on stderr first.
pub async fn run(args: BackupArgs) -> Result<Vec<String>, BackupFailure> {
    match args.command {
        Some(BackupCommand::List(args)) => list(&args).await,
        Some(BackupCommand::Verify(args)) => verify(&args).await,
        None => back_up(args).await,
    }
}

async fn back_up(args: BackupArgs) -> Result<Vec<String>, BackupFailure> {
    let depot = depot::open(&args.target.unwrap_or_default())?;
    // First the place, since it is what is wrong most often and a snapshot is work.
    depot.begin().await?;
    let source = match (args.data_dir, args.url) {
        (Some(data_dir), _) => {
            let taking = tokio::task::spawn_blocking(move || Source::of_data_dir(&data_dir)).await;
            taking.unwrap_or(Err(BackupFailure::Thread))?
        }
        (None, url) => Source::of_server(&url.unwrap_or_default()).await?,
    };
    let created = create::create(&source, &depot, args.jobs).await?;
    Ok(report(&created, &depot))
}

fn report(created: &Created, depot: &Arc<dyn Depot>) -> Vec<String> {
    let backup = &created.backup;
    vec![
        format!("backup {} in {}", backup.name, depot.shown()),
        format!(
            "{} samples in {} segments; {} files, {}; sent {} files, {}, the others were there",
            backup.samples(),
            backup.segments.len(),
            backup.files.len(),
            BinaryBytes(backup.bytes()),
            created.sent_files,
            BinaryBytes(created.sent_bytes),
        ),
    ]
}

async fn list(args: &ListArgs) -> Result<Vec<String>, BackupFailure> {
    let depot = depot::open(&args.source)?;
    let names = Backup::names(depot.as_ref()).await?;
    if names.is_empty() {
        return Err(BackupFailure::NoBackup { place: depot.shown() });
    }
    let mut lines = Vec::with_capacity(names.len());
    for name in names {
        lines.push(match Backup::load(depot.as_ref(), &name).await {
            Ok(backup) => describe(&backup),
            Err(error @ BackupFailure::Manifest { .. }) => format!("{name}  DAMAGED: {error}"),
            Err(error) => return Err(error),
        });
    }
    Ok(lines)
}

fn describe(backup: &Backup) -> String {
    let span = |of: fn(&manifest::SegmentCount) -> i64, pick: fn(i64, i64) -> i64| {
        backup
            .segments
            .iter()
            .map(of)
            .reduce(pick)
            .and_then(DateTime::from_timestamp_millis)
            .map_or("-".to_owned(), |time| {
                time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
            })
    };
    format!(
        "{}  {} samples  {} segments  {} files  {}  {} to {}",
        backup.name,
        backup.samples(),
        backup.segments.len(),
        backup.files.len(),
        BinaryBytes(backup.bytes()),
        span(|s| s.ts_min, i64::min),
        span(|s| s.ts_max, i64::max),
    )
}

async fn verify(args: &VerifyArgs) -> Result<Vec<String>, BackupFailure> {
    let depot = depot::open(&args.source)?;
    let backup = Backup::find(depot.as_ref(), args.name.as_deref()).await?;
    let problems = verify::verify(depot.as_ref(), &backup, args.jobs).await;
    if !problems.is_empty() {
        problems
            .iter()
            .for_each(|problem| super::say(&problem.to_string()));
        return Err(BackupFailure::Damaged {
            damaged: problems.len(),
            files: backup.files.len(),
        });
    }
    Ok(vec![format!(
        "backup {} is whole: {} files, {}, every checksum right",
        backup.name,
        backup.files.len(),
        BinaryBytes(backup.bytes())
    )])
}

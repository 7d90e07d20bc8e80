//! Taking files out of the page cache, so that they are read from the disk.
//!
//! Only the files of one folder are taken out, by `posix_fadvise`: no root is needed, and nobody else's reads get slower.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{Advice, fadvise};

/// Writes everything below a folder to the disk, and forgets its contents. Nobody may have the files mapped.
///
/// # Errors
/// When a file cannot be read or written.
pub fn drop_cached(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            drop_cached(&path)?;
        } else if kind.is_file() {
            let drop = || -> Result<()> {
                let file = File::open(&path)?;
                // Pages that are not on the disk yet would stay.
                file.sync_all()?;
                Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
            };
            drop().with_context(|| format!("cannot drop {} from the page cache", path.display()))?;
        }
    }
    Ok(())
}

//! What lies in a folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Bytes of the files below a folder, by their lengths; folders directly in it that are named in `without` are left
/// out.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn bytes_on_disk(folder: &Path, without: &[&str]) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        // A program that runs may have removed it since.
        let Ok(metadata) = entry.metadata() else { continue };
        total += match metadata.is_dir() {
            true if without.iter().any(|name| entry.file_name() == *name) => 0,
            true => bytes_on_disk(&entry.path(), &[])?,
            false => metadata.len(),
        };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_may_be_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for (file, bytes) in [("a/x", 10), ("a/b/y", 20), ("b/z", 40), ("w", 80)] {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, vec![0; bytes]).unwrap();
        }
        assert_eq!(bytes_on_disk(folder.path(), &[]).unwrap(), 150);
        assert_eq!(bytes_on_disk(folder.path(), &["b"]).unwrap(), 110);
        assert!(bytes_on_disk(&folder.path().join("none"), &[]).is_err());
    }
}

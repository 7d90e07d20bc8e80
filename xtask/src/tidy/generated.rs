//! The committed generated code is what the `.proto` files give.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{codegen, workspace};

const WHAT_TO_DO: &str = "run `cargo xtask codegen` and commit the result";

pub(super) fn check() -> Result<Vec<String>> {
    let fresh = tempfile::tempdir().context("cannot create a temporary folder")?;
    codegen::generate(fresh.path())?;
    compare(&codegen::generated_folder(), fresh.path())
}

fn compare(committed: &Path, fresh: &Path) -> Result<Vec<String>> {
    let names = names_in(committed)?
        .union(&names_in(fresh)?)
        .cloned()
        .collect::<BTreeSet<_>>();
    let mut complaints = Vec::new();
    for name in names {
        let file = committed.join(&name);
        let shown = workspace::shown(&file);
        match (fs::read(&file).ok(), fs::read(fresh.join(&name)).ok()) {
            (Some(old), Some(new)) if old == new => {}
            (Some(_), Some(_)) => {
                complaints.push(format!("{shown}: differs from its .proto file: {WHAT_TO_DO}"))
            }
            (None, _) => complaints.push(format!("{shown}: is missing: {WHAT_TO_DO}")),
            (Some(_), None) => complaints.push(format!("{shown}: no .proto file gives it: {WHAT_TO_DO}")),
        }
    }
    Ok(complaints)
}

fn names_in(folder: &Path) -> Result<BTreeSet<String>> {
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let files = workspace::files(folder, "rs")?;
    Ok(files
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_named() {
        let (committed, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, name, text) in [
            (&committed, "same.rs", "1"),
            (&fresh, "same.rs", "1"),
            (&committed, "edited.rs", "1"),
            (&fresh, "edited.rs", "2"),
            (&committed, "left.rs", "1"),
            (&fresh, "new.rs", "1"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let complaints = compare(committed.path(), fresh.path()).unwrap();
        let found = |text: &str| complaints.iter().any(|complaint| complaint.contains(text));
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        assert!(found("edited.rs: differs") && found("left.rs: no .proto") && found("new.rs: is missing"));
    }
}

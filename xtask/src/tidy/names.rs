//! No drawers: a module is named after what it holds.

use anyhow::Result;

use crate::workspace;

const DRAWERS: [&str; 7] = ["utils", "util", "common", "helpers", "helper", "types", "misc"];

pub(super) fn check() -> Result<Vec<String>> {
    let files = workspace::files(&workspace::root(), "rs")?;
    Ok(files
        .iter()
        .filter_map(|path| complaint(&workspace::shown(path)))
        .collect())
}

fn complaint(path: &str) -> Option<String> {
    let drawer = path
        .trim_end_matches(".rs")
        .split('/')
        .find(|part| DRAWERS.contains(part))?;
    Some(format!(
        "{path}: {drawer:?} says nothing: name the module after the noun it serves, or put it there"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawers_are_found_as_file_and_as_folder() {
        assert!(
            complaint("engine/src/utils.rs").is_some_and(|text| text.starts_with("engine/src/utils.rs:"))
        );
        assert!(complaint("engine/src/common/file.rs").is_some());
        assert!(complaint("engine/src/commons.rs").is_none());
    }
}

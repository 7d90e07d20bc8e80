//! Versions of dependencies stand only in the root `Cargo.toml`.

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::workspace;

const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check() -> Result<Vec<String>> {
    let root = workspace::root();
    let mut complaints = Vec::new();
    for path in workspace::files(&root, "toml")? {
        let shown = workspace::shown(&path);
        if !shown.ends_with("/Cargo.toml") {
            continue;
        }
        let manifest: Table = workspace::read(&path)?
            .parse()
            .with_context(|| format!("cannot parse {shown}"))?;
        complaints.extend(offenders(&manifest).into_iter().map(|name| {
            format!("{shown}: {name} names its own version: write `{name}.workspace = true`, and the version in the root Cargo.toml")
        }));
    }
    Ok(complaints)
}

/// Dependencies that do not take their version from the workspace.
fn offenders(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = std::iter::once(manifest).chain(
        targets
            .into_iter()
            .flat_map(Table::values)
            .filter_map(Value::as_table),
    );
    let sections = tables.flat_map(|table| SECTIONS.iter().filter_map(|name| table.get(*name)?.as_table()));
    sections
        .flatten()
        .filter(|(_, value)| value.get("workspace").and_then(Value::as_bool) != Some(true))
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_workspace_names_versions() {
        let manifest: Table = r#"
            [dependencies]
            bytes.workspace = true
            snap = "1.1"
            [target.'cfg(unix)'.dev-dependencies]
            libc = { version = "0.2" }
            serde = { workspace = true, features = ["derive"] }
        "#
        .parse()
        .unwrap();
        assert_eq!(offenders(&manifest), ["snap", "libc"]);
    }
}

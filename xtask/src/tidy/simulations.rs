//! Every simulation test is one that `cargo xtask sim` runs with many seeds: it has `sim` in its path, and its crate is
//! among those whose library tests are run.

use anyhow::Result;
use toml::Table;

use crate::{sim, workspace};

/// What a simulation test calls.
const CALL: &str = "for_each_seed(";

pub(super) fn check() -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for path in workspace::files(&workspace::root(), "rs")? {
        let (shown, text) = (workspace::shown(&path), workspace::read(&path)?);
        // The crate of this check has none of the product's crates, and its text has the call.
        if text.contains(CALL) && !shown.starts_with("xtask/") {
            let (crate_folder, module) = shown.split_once("/src/").unwrap_or((&shown, ""));
            complaints.extend(complaint_about_crate(&shown, &package_in(crate_folder)));
            complaints.extend(complaints_about_tests(&shown, module, &text));
        }
    }
    Ok(complaints)
}

/// The package of a folder; none where the file is no part of a library, such as a test binary.
fn package_in(folder: &str) -> Option<String> {
    let manifest = workspace::read(&workspace::root().join(folder).join("Cargo.toml")).ok()?;
    let manifest: Table = manifest.parse().ok()?;
    Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
}

fn complaint_about_crate(file: &str, package: &Option<String>) -> Option<String> {
    let is_run = package
        .as_deref()
        .is_some_and(|package| sim::PACKAGES.contains(&package));
    (!is_run).then(|| {
        format!(
            "{file}: `cargo xtask sim` does not run its tests: add its crate to PACKAGES in xtask/src/sim.rs"
        )
    })
}

/// `module`: the file's path below `src`. Of a call the function counts that is opened last before it.
fn complaints_about_tests(file: &str, module: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut modules: Vec<(usize, &str)> = Vec::new();
    let mut function = "";
    for line in text.lines() {
        let (code, indentation) = (line.trim_start(), line.len() - line.trim_start().len());
        if code.starts_with("//") {
            continue;
        }
        if code == "}" {
            modules.retain(|(opened_at, _)| *opened_at < indentation);
        }
        if let Some(name) = name_after("mod ", code).filter(|_| code.ends_with('{')) {
            modules.push((indentation, name));
        }
        if let Some(name) = name_after("fn ", code) {
            function = name;
        }
        let is_in_path = module.contains("sim")
            || function.contains("sim")
            || modules.iter().any(|(_, name)| name.contains("sim"));
        if code.contains(CALL) && !is_in_path {
            complaints.push(format!(
                "{file}: {function} takes seeds and `cargo xtask sim` passes it by: call it sim_{function}, or move it to a module with `sim` in its name"
            ));
        }
    }
    complaints
}

/// The name that a line gives to what a keyword begins.
fn name_after<'a>(keyword: &str, code: &'a str) -> Option<&'a str> {
    let (before, rest) = code.split_once(keyword)?;
    let is_item = before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || word == "async" || word.ends_with(')'));
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (is_item && end > 0).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = "#[test]\nfn a_cut() {\n    for_each_seed(4, |seed| {\n    });\n}\n";

    #[test]
    fn a_simulation_without_sim_in_its_path_is_found() {
        let found = complaints_about_tests("engine/src/wal/tests.rs", "wal/tests.rs", TEST);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("engine/src/wal/tests.rs: a_cut takes seeds"));
        let named = TEST.replace("a_cut", "sim_a_cut");
        for (module, text) in [
            ("wal/sim_tests.rs", TEST),
            ("store/tests/simulation.rs", TEST),
            ("wal/tests.rs", &named),
        ] {
            assert!(complaints_about_tests("f", module, text).is_empty(), "{module}");
        }
    }

    #[test]
    fn modules_inside_of_a_file_count_until_they_end() {
        let inner = TEST.replace('\n', "\n    ");
        let text = format!("mod sim {{\n    {inner}\n}}\n{TEST}");
        assert_eq!(complaints_about_tests("f", "a.rs", &text).len(), 1);
        assert_eq!(
            complaints_about_tests("f", "a.rs", &format!("mod sim {{\n    {inner}\n}}\n")),
            [""; 0]
        );
    }

    #[test]
    fn what_is_no_call_is_left_alone() {
        let text = "use vfs::for_each_seed;\n/// As for_each_seed(4).\nfn a() {}\n";
        assert!(complaints_about_tests("f", "a.rs", text).is_empty());
    }

    #[test]
    fn only_library_tests_of_some_crates_are_run() {
        assert_eq!(
            complaint_about_crate("f", &Some(sim::PACKAGES[0].to_owned())),
            None
        );
        assert!(complaint_about_crate("f", &Some("barograph-proto".to_owned())).is_some());
        assert!(complaint_about_crate("server/tests/f.rs", &None).is_some());
    }
}

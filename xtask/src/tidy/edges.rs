//! Imports point one way: the table of ARCHITECTURE.md, held against `cargo metadata`.
//!
//! Dev-dependencies are not judged: a test may bring two crates together that do not know each other.

use anyhow::Result;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::workspace;

/// What one crate may import.
struct Rule {
    package: &'static str,
    /// Crates of this workspace it may depend on.
    may: &'static [&'static str],
    /// Families of crates it must never see; a family is a name and everything that continues it with `-`.
    never: &'static [&'static str],
}

const MODEL: &str = "barograph-model";
const ENGINE: &str = "barograph-engine";
const DETECTORS: &str = "barograph-detectors";
const ALERTS: &str = "barograph-alerts";
const QUERY: &str = "barograph-query";
const PROMQL: &str = "barograph-promql";
const PROTO: &str = "barograph-proto";
const DATASETS: &str = "barograph-datasets";
const SERVER: &str = "barograph";

const RULES: [Rule; 12] = [
    Rule {
        package: MODEL,
        may: &[],
        never: &[
            "arrow",
            "parquet",
            "datafusion",
            "tokio",
            "tonic",
            "prost",
            "axum",
            "hyper",
            "reqwest",
        ],
    },
    Rule {
        package: ENGINE,
        may: &[MODEL],
        never: &[
            "tokio",
            "tonic",
            "prost",
            "datafusion",
            "axum",
            "hyper",
            "reqwest",
        ],
    },
    Rule {
        package: DETECTORS,
        may: &[MODEL],
        never: &[
            "arrow",
            "parquet",
            "datafusion",
            "tokio",
            "tonic",
            "prost",
            "axum",
            "hyper",
            "reqwest",
        ],
    },
    Rule {
        package: ALERTS,
        may: &[MODEL],
        never: &[
            "arrow",
            "parquet",
            "datafusion",
            "tokio",
            "tonic",
            "prost",
            "axum",
            "hyper",
            "reqwest",
        ],
    },
    Rule {
        package: PROMQL,
        may: &[MODEL, ENGINE],
        never: &[
            "arrow",
            "parquet",
            "datafusion",
            "tokio",
            "tonic",
            "prost",
            "axum",
            "hyper",
            "reqwest",
        ],
    },
    Rule {
        package: QUERY,
        may: &[ENGINE, DETECTORS, MODEL, PROMQL],
        never: &["tonic", "prost", "axum", "hyper", "reqwest"],
    },
    Rule {
        package: PROTO,
        may: &[MODEL],
        never: &["arrow", "parquet", "datafusion", "axum", "reqwest"],
    },
    Rule {
        package: DATASETS,
        may: &[MODEL],
        never: &[
            "arrow",
            "datafusion",
            "tokio",
            "tonic",
            "prost",
            "axum",
            "hyper",
            "reqwest",
        ],
    },
    Rule {
        package: SERVER,
        may: &[MODEL, ENGINE, DETECTORS, ALERTS, QUERY, PROMQL, PROTO, DATASETS],
        never: &[],
    },
    Rule {
        package: "barograph-benches",
        may: &[
            MODEL, ENGINE, DETECTORS, ALERTS, QUERY, PROMQL, PROTO, DATASETS, SERVER,
        ],
        never: &[],
    },
    Rule {
        package: "barograph-fuzz",
        may: &[MODEL, ENGINE, ALERTS, QUERY, PROMQL, SERVER],
        never: &[],
    },
    Rule {
        package: "xtask",
        may: &[],
        never: &["arrow", "parquet", "datafusion"],
    },
];

pub(super) fn check() -> Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .current_dir(workspace::root())
        .no_deps()
        .exec()?;
    Ok(metadata.packages.iter().flat_map(complaints_about).collect())
}

fn complaints_about(package: &Package) -> Vec<String> {
    let file = workspace::shown(package.manifest_path.as_std_path());
    let judged = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development);
    let names: Vec<(&str, bool)> = judged.map(|d| (d.name.as_str(), d.path.is_some())).collect();
    complaints(&file, &package.name, &names)
}

/// `dependencies`: the name of each, and whether it is a crate of this workspace.
fn complaints(file: &str, package: &str, dependencies: &[(&str, bool)]) -> Vec<String> {
    let Some(rule) = RULES.iter().find(|rule| rule.package == package) else {
        return vec![format!(
            "{file}: crate {package} is not in the table: say in xtask/src/tidy/edges.rs and ARCHITECTURE.md what it may import"
        )];
    };
    let mut complaints = Vec::new();
    for (dependency, is_member) in dependencies {
        if *is_member && !rule.may.contains(dependency) {
            let may = if rule.may.is_empty() {
                "no crate of this workspace".to_owned()
            } else {
                rule.may.join(", ")
            };
            complaints.push(format!(
                "{file}: {package} must not import {dependency} (it may import {may}): move what it needs to the crate that may have it"
            ));
        }
        if let Some(family) = rule.never.iter().find(|family| is_of_family(dependency, family)) {
            complaints.push(format!(
                "{file}: {package} must never see {family}: remove {dependency}, and put what needs it into server"
            ));
        }
    }
    complaints
}

fn is_of_family(dependency: &str, family: &str) -> bool {
    dependency
        .strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_sees_no_async_runtime() {
        let found = complaints(
            "engine/Cargo.toml",
            ENGINE,
            &[(MODEL, true), ("arrow", false), ("tokio-util", false)],
        );
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("engine/Cargo.toml:") && found[0].contains("remove tokio-util"),
            "{}",
            found[0]
        );
    }

    #[test]
    fn imports_point_one_way() {
        assert_eq!(
            complaints("m", DETECTORS, &[(ENGINE, true), ("arrow-array", false)]).len(),
            2
        );
        assert!(complaints("m", SERVER, &[(ENGINE, true), ("datafusion", false)]).is_empty());
        assert_eq!(complaints("m", "barograph-new", &[]).len(), 1);
    }
}

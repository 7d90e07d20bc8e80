//! The demo's configuration and rules, as files that their reader may edit.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Detectors, channel and routes of the demo.
const CONFIG: &str = include_str!("barograph.toml");
/// Its rules.
pub(super) const RULES: &str = include_str!("rules.yml");

/// Where the demo's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoFiles {
    /// `barograph.toml` in the demo's folder.
    pub config: PathBuf,
    /// `rules/demo.yml` beside it.
    pub rules: PathBuf,
}

/// A file of the demo could not be written.
#[derive(Debug, Error)]
#[error("cannot write {}: {source} (is the demo's data directory writable?)", path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Writes the configuration and the rules into the demo's folder, which is made if it is not there. A file that
/// exists already stays as it is: it may have been edited.
///
/// # Errors
/// [`WriteError`] with the file that could not be made.
pub fn write_files(folder: &Path) -> Result<DemoFiles, WriteError> {
    let files = DemoFiles {
        config: folder.join("barograph.toml"),
        rules: folder.join("rules").join("demo.yml"),
    };
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError { path, source }
    };
    std::fs::create_dir_all(folder.join("rules")).map_err(at(&folder.join("rules")))?;
    for (path, text) in [(&files.config, CONFIG), (&files.rules, RULES)] {
        match std::fs::File::create_new(path) {
            Ok(mut file) => io::Write::write_all(&mut file, text.as_bytes()).map_err(at(path))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(path)(error)),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use barograph_datasets::{Fleet, Selector};
    use barograph_model::{TimestampMs, matches_all};

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_configuration_reads_and_its_selectors_find_series() {
        let config = Config::parse("barograph.toml", CONFIG).unwrap_or_else(|error| panic!("{error}"));
        let now = TimestampMs(1_768_397_820_000);
        let fleet = Fleet::new(1, now.saturating_add(-14 * 86_400_000), now);
        assert!(config.detectors.iter().any(|d| d.kind == "pca"));
        for detector in &config.detectors {
            let matchers = barograph_query::parse_selector(&detector.selector).unwrap();
            let watched = fleet
                .series()
                .iter()
                .filter(|labels| matches_all(&matchers, labels))
                .count();
            assert!(watched > 0, "{} watches nothing", detector.name);
        }
        // Each incident in which a detector is expected to see something shows in a series that one watches.
        for incident in fleet.incidents() {
            let watched = |selector: &Selector| {
                fleet
                    .series()
                    .iter()
                    .filter(|labels| selector.matches(labels))
                    .any(|labels| {
                        let selectors = config
                            .detectors
                            .iter()
                            .map(|d| barograph_query::parse_selector(&d.selector));
                        selectors.flatten().any(|matchers| matches_all(&matchers, labels))
                    })
            };
            let expected = incident
                .expected
                .iter()
                .any(|e| *e != barograph_datasets::Expected::SqlRule);
            assert!(
                !expected || incident.selectors.iter().any(watched),
                "nothing watches {}",
                incident.title
            );
        }
    }

    #[test]
    fn the_rules_read_and_ask_only_detectors_that_there_are() {
        let config = Config::parse("barograph.toml", CONFIG).unwrap();
        let rules =
            barograph_alerts::RuleSet::parse("demo.yml", RULES).unwrap_or_else(|error| panic!("{error}"));
        let mut severities: Vec<_> = rules.rules().map(|rule| rule.severity().to_owned()).collect();
        severities.sort_unstable();
        severities.dedup();
        assert_eq!(severities, ["P0", "P1", "P2", "P3"]);
        for rule in rules.rules() {
            if let barograph_alerts::RuleQuery::Detector(query) = &rule.query {
                assert!(
                    config.detectors.iter().any(|d| d.name == query.detector),
                    "{}",
                    rule.name
                );
            }
        }
    }

    #[test]
    fn what_was_edited_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_files(&folder.path().join("demo")).unwrap();
        std::fs::write(&files.rules, "groups: []\n").unwrap();
        assert_eq!(write_files(&folder.path().join("demo")).unwrap(), files);
        assert_eq!(std::fs::read_to_string(&files.rules).unwrap(), "groups: []\n");
        assert_eq!(std::fs::read_to_string(&files.config).unwrap(), CONFIG);
        let blocked = write_files(&files.config).unwrap_err();
        assert!(blocked.to_string().starts_with("cannot write "), "{blocked}");
    }
}

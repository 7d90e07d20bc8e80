//! Which rule files the patterns of `[alerts] rules` name.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Config;

/// Why rule files could not be found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RuleFilesError {
    /// A folder could not be listed, or a file that is named without wildcards is not there.
    #[error("rules {pattern:?}: cannot read {}: {source}", path.display())]
    Read {
        /// The pattern as written.
        pattern: String,
        /// What was looked at.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Config {
    /// The rule files, each once, sorted within a pattern. A pattern with wildcards may match nothing.
    ///
    /// # Errors
    /// [`RuleFilesError`] for a folder or a plain name that does not exist.
    pub fn rule_files(&self) -> Result<Vec<PathBuf>, RuleFilesError> {
        let mut files: Vec<PathBuf> = Vec::new();
        for pattern in &self.alerts.rules {
            for file in expand(&self.folder, pattern)? {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        Ok(files)
    }
}

fn expand(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, RuleFilesError> {
    let full = folder.join(pattern);
    let name = full
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
        .to_owned();
    let failed = |path: &Path, source| RuleFilesError::Read {
        pattern: pattern.to_owned(),
        path: path.to_owned(),
        source,
    };
    if !name.contains(['*', '?']) {
        std::fs::metadata(&full).map_err(|source| failed(&full, source))?;
        return Ok(vec![full]);
    }
    let parent = match full.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(parent).map_err(|source| failed(parent, source))? {
        let entry = entry.map_err(|source| failed(parent, source))?;
        if entry
            .file_name()
            .to_str()
            .is_some_and(|entry| matches_name(&name, entry))
        {
            found.push(full.with_file_name(entry.file_name()));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file's name matches: `*` any text, `?` any character, a leading dot only when written.
/// Takes time linear in the product of both lengths.
fn matches_name(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let name: Vec<char> = name.chars().collect();
    // reach[i]: the pattern read so far matches the first i characters.
    let mut reach = vec![false; name.len() + 1];
    reach[0] = true;
    for p in pattern.chars() {
        if p == '*' {
            let first = reach.iter().position(|r| *r).unwrap_or(reach.len());
            reach[first..].fill(true);
        } else {
            for i in (0..name.len()).rev() {
                reach[i + 1] = reach[i] && (p == '?' || p == name[i]);
            }
            reach[0] = false;
        }
    }
    reach[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.yml", "a.yml", true),
            ("*.yml", ".yml", false),
            ("*.yml", "a.yaml", false),
            ("a?c*", "abc", true),
            ("a?c*", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("**", "", true),
            ("é?", "éü", true),
        ] {
            assert_eq!(matches_name(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_start_at_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("rules")).unwrap();
        for name in ["rules/b.yml", "rules/a.yml", "rules/c.txt", "one.yml"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let mut config = Config {
            folder: dir.path().to_owned(),
            ..Config::default()
        };
        config.alerts.rules = ["rules/*.yml", "one.yml", "rules/a.*"]
            .map(str::to_owned)
            .to_vec();
        let files = config.rule_files().unwrap();
        let names: Vec<_> = files
            .iter()
            .map(|f| f.strip_prefix(dir.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["rules/a.yml", "rules/b.yml", "one.yml"]);
        config.alerts.rules = vec!["none.yml".to_owned()];
        let message = config.rule_files().unwrap_err().to_string();
        assert!(
            message.starts_with("rules \"none.yml\": cannot read "),
            "{message}"
        );
        config.alerts.rules = vec!["none/*.yml".to_owned()];
        assert!(config.rule_files().is_err());
    }
}

//! One thing that a check has found.

use std::fmt;

use serde::Serialize;

use crate::EngineError;

/// How many findings of one file are kept: a file that is wrong is wrong in each of a million rows.
const FINDINGS_OF_FILE_MAX: usize = 12;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is wrong; said because somebody may wonder.
    Note,
    /// Nothing is lost, but it should not be so.
    Warning,
    /// Bytes are not what was written, or contradict each other.
    Damage,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Damage => "damage",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file or folder, relative to the data directory.
    pub path: String,
    /// The byte at which it begins, where that is known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to do; empty where there is nothing to do.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.severity, self.path)?;
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}: ")?;
        }
        f.write_str(&self.what)?;
        if self.remedy.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.remedy)
        }
    }
}

/// Gathers what is found in one file, the first findings of it and the count of the rest.
#[derive(Debug)]
pub(super) struct FileFindings {
    path: String,
    found: Vec<Finding>,
    more: u64,
    worst_of_more: Severity,
}

impl FileFindings {
    pub(super) fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            found: Vec::new(),
            more: 0,
            worst_of_more: Severity::Note,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn damage(&mut self, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Damage, None, what.into(), remedy);
    }

    pub(super) fn damage_at(&mut self, offset: u64, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Damage, Some(offset), what.into(), remedy);
    }

    pub(super) fn warning(&mut self, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Warning, None, what.into(), remedy);
    }

    pub(super) fn note(&mut self, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Note, None, what.into(), remedy);
    }

    pub(super) fn note_at(&mut self, offset: u64, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Note, Some(offset), what.into(), remedy);
    }

    /// What reading the file has failed with. The file's name is in the finding already.
    pub(super) fn error(&mut self, error: &EngineError, remedy: &str) {
        match error {
            EngineError::Io { action, source, .. } => {
                self.damage(format!("cannot {action} it: {source}"), remedy);
            }
            EngineError::Corrupt {
                offset,
                expected,
                found,
                ..
            } => self.damage_at(*offset, format!("expected {expected}, found {found}"), remedy),
            EngineError::Parquet { source, .. } => self.damage(source.to_string(), remedy),
            other => self.damage(other.to_string(), remedy),
        }
    }

    /// Whether anything is damaged so far.
    #[cfg(test)]
    fn is_damaged(&self) -> bool {
        self.worst_of_more == Severity::Damage || self.found.iter().any(|f| f.severity == Severity::Damage)
    }

    fn add(&mut self, severity: Severity, offset: Option<u64>, what: String, remedy: &str) {
        if self.found.len() >= FINDINGS_OF_FILE_MAX {
            self.more += 1;
            self.worst_of_more = self.worst_of_more.max(severity);
            return;
        }
        self.found.push(Finding {
            severity,
            path: self.path.clone(),
            offset,
            what,
            remedy: remedy.to_owned(),
        });
    }

    /// All of them.
    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        if self.more > 0 {
            self.found.push(Finding {
                severity: self.worst_of_more,
                path: self.path,
                offset: None,
                what: format!("and {} more of this file", self.more),
                remedy: String::new(),
            });
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_findings_of_a_file_are_kept_and_the_rest_counted_by_the_worst() {
        let mut findings = FileFindings::new("f");
        for i in 0..FINDINGS_OF_FILE_MAX {
            findings.note(format!("{i}"), "");
        }
        assert!(!findings.is_damaged());
        findings.note("one more", "");
        findings.damage("another", "");
        assert!(findings.is_damaged());
        let found = findings.into_findings();
        let last = found.last().unwrap();
        assert_eq!(found.len(), FINDINGS_OF_FILE_MAX + 1);
        assert_eq!(last.to_string(), "damage: f: and 2 more of this file");
    }

    #[test]
    fn a_finding_is_one_line() {
        let finding = Finding {
            severity: Severity::Damage,
            path: "wal/1".to_owned(),
            offset: Some(7),
            what: "a hole".to_owned(),
            remedy: "look".to_owned(),
        };
        assert_eq!(finding.to_string(), "damage: wal/1: at byte 7: a hole (look)");
    }
}

//! What is wrong with a configuration: every problem found, each with its line.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not a valid configuration; one line of the message for each problem.
    #[error("{}", lines(problems))]
    Invalid {
        /// What was found, in the order of the lines.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong, shown as `config.toml:14: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user named it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Collects problems while a text is read, so that one run reports all of them.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    found: RefCell<Vec<Problem>>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            found: RefCell::default(),
        }
    }

    /// Adds a problem at a byte of the text.
    pub(super) fn add(&self, offset: usize, message: impl Into<String>) {
        let line = self.line(offset);
        self.found.borrow_mut().push(Problem {
            file: self.file.to_owned(),
            line,
            message: message.into(),
        });
    }

    /// The line that holds a byte, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        before.iter().filter(|b| **b == b'\n').count() + 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// # Errors
    /// [`ConfigError::Invalid`] when anything was added.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let mut problems = self.found.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems.dedup();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid { problems })
        }
    }
}

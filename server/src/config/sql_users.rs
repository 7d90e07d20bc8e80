//! `[[sql_user]]`: who may ask over PostgreSQL's protocol.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::section::Section;

/// `[[sql_user]]`.
#[derive(Clone, PartialEq, Eq)]
pub struct SqlUserConfig {
    /// `name`: what the user is called.
    pub name: String,
    /// `password` or `password_file`.
    pub password: SqlPassword,
}

/// Where a password is. A token is one too.
#[derive(Clone, PartialEq, Eq)]
pub enum SqlPassword {
    /// `password`: in the file itself.
    Text(String),
    /// `password_file`: the first line of another, relative to the configuration's own folder.
    File(PathBuf),
}

/// Somebody who may log in.
#[derive(Clone)]
pub struct SqlUser {
    /// What the user is called.
    pub name: String,
    /// What the user has to know.
    pub password: String,
}

/// A password that is not there.
#[derive(Debug, Error)]
#[error("[[sql_user]] {name:?}: password_file {}: {why}", path.display())]
pub struct PasswordError {
    name: String,
    path: PathBuf,
    why: String,
}

impl SqlUserConfig {
    /// `None` when it lacks what it cannot do without; the problem is recorded.
    pub(super) fn read(section: Section<'_>) -> Option<Self> {
        let name = section.required_text("name", "grafana");
        if name.is_some_and(|name| name.trim().is_empty()) {
            section.problem("name", "name is empty");
        }
        let text = section.text("password", "a long one");
        let file = section.text("password_file", "grafana.password");
        if text.is_some() == file.is_some() {
            section.problem("password", "a [[sql_user]] has either password or password_file");
        }
        if text.is_some_and(str::is_empty) {
            section.problem("password", "password is empty");
        }
        section.finish();
        let password = match (text, file) {
            (Some(text), None) => SqlPassword::Text(text.to_owned()),
            (None, Some(file)) => SqlPassword::File(PathBuf::from(file)),
            _ => return None,
        };
        Some(Self {
            name: name?.to_owned(),
            password,
        })
    }

    /// The user, with the password read.
    ///
    /// # Errors
    /// [`PasswordError`] where its file cannot be read or its first line is empty.
    pub fn user(&self, folder: &Path) -> Result<SqlUser, PasswordError> {
        let password = match &self.password {
            SqlPassword::Text(text) => text.clone(),
            SqlPassword::File(path) => {
                let path = folder.join(path);
                let wrong = |why: String| PasswordError {
                    name: self.name.clone(),
                    path: path.clone(),
                    why,
                };
                let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
                match text.lines().next().map(str::trim_end) {
                    Some(line) if !line.is_empty() => line.to_owned(),
                    _ => return Err(wrong("its first line is empty".to_owned())),
                }
            }
        };
        Ok(SqlUser {
            name: self.name.clone(),
            password,
        })
    }
}

// Passwords would end up in a log.
impl fmt::Debug for SqlUserConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlUserConfig")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SqlPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqlPassword")
    }
}

impl fmt::Debug for SqlUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlUser")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

//! `COPY (query) TO 'file.parquet' [STORED AS format]`.

use datafusion::sql::parser::{CopyToSource, CopyToStatement, Statement};
use datafusion::sql::sqlparser::ast;

use super::Command;
use crate::sql::error::{SqlError, SqlErrorCode};
use crate::sql::format::Format;

/// Bytes of a path of a file, whose parts are limited by the file system.
const PATH_BYTES_MAX: usize = 255;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    Parquet,
    /// As an answer would be.
    Other(Format),
}

impl CopyFormat {
    fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "parquet" => Some(Self::Parquet),
            other => other.parse().ok().map(Self::Other),
        }
    }
}

/// Where rows are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyTarget {
    /// Names of folders and of the file, below the folder that is allowed; none of them is `.` or `..`.
    pub(crate) path: Vec<String>,
    pub(crate) format: CopyFormat,
}

pub(super) fn command(copy: CopyToStatement) -> Result<Command, SqlError> {
    let unsupported = |message: &str| Err(SqlError::new(SqlErrorCode::Unsupported, message));
    if !copy.partitioned_by.is_empty() {
        return unsupported("COPY writes one file: PARTITIONED BY is not offered");
    }
    if !copy.options.is_empty() {
        return unsupported("COPY takes no options");
    }
    let target = target(&copy.target, copy.stored_as.as_deref())?;
    let query = match copy.source {
        CopyToSource::Query(query) => query,
        CopyToSource::Relation(name) => {
            let text = format!("SELECT * FROM {name}");
            match super::parse(&text, usize::MAX)? {
                Command::Read(query) => return Ok(Command::Copy { query, target }),
                _ => return unsupported("COPY takes a table or a query"),
            }
        }
    };
    let query = Statement::Statement(Box::new(ast::Statement::Query(query)));
    Ok(Command::Copy { query, target })
}

fn target(written: &str, stored_as: Option<&str>) -> Result<CopyTarget, SqlError> {
    let refuse = |what: &str| {
        let message = format!("COPY TO {written:?}: {what}");
        Err(SqlError::new(SqlErrorCode::Unsupported, message).with_hint(
            "name a file below the folder that copy_folder in [sql] allows, such as 'report.parquet'",
        ))
    };
    if written.is_empty() || written.len() > PATH_BYTES_MAX {
        return refuse("a path has 1 to 255 bytes");
    }
    if written.starts_with('/') || written.contains(['\\', ':', '\0']) {
        return refuse("the path is not below the folder");
    }
    let path: Vec<_> = written.split('/').map(str::to_owned).collect();
    if path
        .iter()
        .any(|part| part.is_empty() || part.starts_with('.') || part.chars().any(char::is_control))
    {
        return refuse("a part of the path is empty, begins with a dot or holds control characters");
    }
    let extension = written.rsplit_once('.').map(|(_, extension)| extension);
    let Some(format) = stored_as.or(extension).and_then(CopyFormat::named) else {
        return refuse("the format is told by the ending, .parquet, .csv, .json or .arrow, or by STORED AS");
    };
    Ok(CopyTarget { path, format })
}

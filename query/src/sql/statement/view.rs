//! `CREATE [OR REPLACE] VIEW [IF NOT EXISTS] name [(columns)] AS query` and `DROP VIEW [IF EXISTS] name`.

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, CreateTableOptions, ObjectName, ObjectNamePart};

use super::Command;
use crate::sql::catalog::{CATALOG, PUBLIC};
use crate::sql::error::{SqlError, SqlErrorCode};

/// Bytes of a view's name; PostgreSQL's names have at most 63.
const NAME_BYTES_MAX: usize = 128;

/// A view that is to be kept.
#[derive(Debug)]
pub(crate) struct NewView {
    pub(crate) name: String,
    /// What the view reads, ready to be planned.
    pub(crate) query: Statement,
    /// The same as SQL.
    pub(crate) definition: String,
    /// A view of this name is replaced.
    pub(crate) or_replace: bool,
    /// A view of this name stays, and that is no error.
    pub(crate) if_not_exists: bool,
}

pub(super) fn create(view: ast::CreateView) -> Result<Command, SqlError> {
    let odd = [
        (view.materialized, "MATERIALIZED"),
        (view.temporary, "TEMPORARY"),
        (view.secure, "SECURE"),
        (view.or_alter, "OR ALTER"),
        (view.options != CreateTableOptions::None, "WITH (...)"),
        (!view.cluster_by.is_empty(), "CLUSTER BY"),
        (view.to.is_some(), "TO"),
        (view.params.is_some(), "ALGORITHM, DEFINER and SQL SECURITY"),
        (
            view.columns.iter().any(|column| column.data_type.is_some()),
            "a type of a column",
        ),
    ];
    if let Some((_, what)) = odd.iter().find(|(is_there, _)| *is_there) {
        let message = format!("CREATE VIEW does not take {what}");
        return Err(SqlError::new(SqlErrorCode::Unsupported, message)
            .with_hint("CREATE [OR REPLACE] VIEW name [(column, ...)] AS SELECT ..."));
    }
    let definition = if view.columns.is_empty() {
        view.query.to_string()
    } else {
        let columns: Vec<_> = view
            .columns
            .iter()
            .map(|column| column.name.to_string())
            .collect();
        format!("SELECT * FROM ({}) AS v ({})", view.query, columns.join(", "))
    };
    // Read again, so that what is kept is what was planned.
    let Command::Read(query) = super::parse(&definition, usize::MAX)? else {
        return Err(super::read_only("this view"));
    };
    Ok(Command::CreateView(NewView {
        name: name(&view.name)?,
        query,
        definition,
        or_replace: view.or_replace,
        if_not_exists: view.if_not_exists,
    }))
}

pub(super) fn remove(if_exists: bool, names: &[ObjectName]) -> Result<Command, SqlError> {
    let [one] = names else {
        let message = "DROP VIEW takes one name";
        return Err(SqlError::new(SqlErrorCode::Unsupported, message));
    };
    Ok(Command::DropView {
        name: name(one)?,
        if_exists,
    })
}

/// The name of a view: views are in schema `public` only.
fn name(written: &ObjectName) -> Result<String, SqlError> {
    let wrong = |message: String| Err(SqlError::new(SqlErrorCode::Unsupported, message));
    let parts: Option<Vec<_>> = written.0.iter().map(ObjectNamePart::as_ident).collect();
    // As PostgreSQL and the planner read it: lower case unless quoted.
    let parts: Vec<_> = parts
        .unwrap_or_default()
        .into_iter()
        .map(|ident| match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_lowercase(),
        })
        .collect();
    let name = match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [name] | [PUBLIC, name] | [CATALOG, PUBLIC, name] => (*name).to_owned(),
        _ => return wrong(format!("{written}: views are in schema {PUBLIC}")),
    };
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return wrong(format!(
            "the name of a view has 1 to {NAME_BYTES_MAX} bytes and no control characters"
        ));
    }
    Ok(name)
}

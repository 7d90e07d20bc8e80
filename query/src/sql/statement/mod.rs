//! From text to one command that may run: length, depth and kind are checked before anything is planned.
//!
//! A planner descends its trees by recursion, and so do their destructors, so depth is bounded before a tree
//! exists: brackets by the parser, chains of operators by counting tokens, and common table expressions by
//! counting the tables that stand there once each is written out where it is used.

mod copy;
mod depth;
mod relations;
mod view;

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{self, Query, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::{self, GenericDialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::error::{SqlError, SqlErrorCode};
use super::postgres::PostgresParts;
use super::request::CommandTag;

pub(crate) use copy::{CopyFormat, CopyTarget};
pub(crate) use relations::{RELATIONS_MAX, relations};
pub(crate) use view::NewView;

/// Depth of recursion of the parser itself.
const RECURSION_MAX: usize = 50;

/// What one text asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// The rows of a statement that only reads.
    Read(Statement),
    /// A view to be kept.
    CreateView(NewView),
    /// A view to be forgotten.
    DropView {
        name: String,
        /// A view that is not there is no error.
        if_exists: bool,
    },
    /// The rows of a query as a file.
    Copy { query: Statement, target: CopyTarget },
}

impl Command {
    /// How the command is called when it is done.
    pub(crate) fn tag(&self) -> CommandTag {
        match self {
            Self::Read(Statement::Explain(_)) => CommandTag::Explain,
            Self::Read(Statement::Statement(statement)) => match statement.as_ref() {
                ast::Statement::Query(_) => CommandTag::Select,
                ast::Statement::Explain { .. } => CommandTag::Explain,
                _ => CommandTag::Show,
            },
            Self::Read(_) => CommandTag::Select,
            Self::CreateView(_) => CommandTag::CreateView,
            Self::DropView { .. } => CommandTag::DropView,
            Self::Copy { .. } => CommandTag::Copy,
        }
    }

    /// The statement whose rows are wanted, if any are.
    pub(crate) fn query(&self) -> Option<&Statement> {
        match self {
            Self::Read(query) | Self::Copy { query, .. } => Some(query),
            Self::CreateView(view) => Some(&view.query),
            Self::DropView { .. } => None,
        }
    }
}

/// Parses one statement and refuses what changes more than views and exported files.
///
/// # Errors
/// `parse_error` for what is not SQL, `unsupported` beyond the limits above, `read_only` for statements that change
/// something.
pub(crate) fn parse(sql: &str, text_bytes_max: usize) -> Result<Command, SqlError> {
    let tokens = tokens(sql, &GenericDialect, text_bytes_max)?;
    let statements = DFParserBuilder::new(tokens)
        .with_dialect(&GenericDialect)
        .with_recursion_limit(RECURSION_MAX)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| SqlError::from_datafusion(&error))?;
    checked(only_one(statements.into())?)
}

/// As [`parse`], of what PostgreSQL's clients write. `COPY` is ours in both.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_postgres(
    sql: &str,
    postgres: &PostgresParts,
    text_bytes_max: usize,
) -> Result<Command, SqlError> {
    let tokens = tokens(sql, &PostgreSqlDialect {}, text_bytes_max)?;
    let first = tokens
        .iter()
        .find(|token| !matches!(token.token, Token::Whitespace(_)));
    if matches!(first.map(|token| &token.token), Some(Token::Word(word)) if word.keyword == Keyword::COPY) {
        return parse(sql, text_bytes_max);
    }
    let statements = postgres.parse(sql)?;
    let statements = statements
        .into_iter()
        .map(|statement| Statement::Statement(Box::new(statement)));
    checked(only_one(statements.collect())?)
}

/// The tokens of a text that is neither too long nor nested too deeply.
fn tokens(
    sql: &str,
    dialect: &dyn dialect::Dialect,
    text_bytes_max: usize,
) -> Result<Vec<TokenWithSpan>, SqlError> {
    if sql.len() > text_bytes_max {
        let message = format!(
            "the query has {} bytes of text, the limit is {text_bytes_max}",
            sql.len()
        );
        return Err(SqlError::new(SqlErrorCode::ParseError, message));
    }
    let tokens = Tokenizer::new(dialect, sql)
        .tokenize_with_location()
        .map_err(|error| SqlError::new(SqlErrorCode::ParseError, error.to_string()))?;
    depth::check_depth(tokens.iter().map(|token| &token.token))?;
    Ok(tokens)
}

fn only_one(mut statements: Vec<Statement>) -> Result<Statement, SqlError> {
    match (statements.pop(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(SqlError::new(SqlErrorCode::ParseError, "the query is empty")),
        (Some(_), more) => {
            let message = format!("the text holds {} statements, one is allowed", more + 1);
            Err(SqlError::new(SqlErrorCode::ParseError, message))
        }
    }
}

fn checked(statement: Statement) -> Result<Command, SqlError> {
    let command = command(statement)?;
    if let Some(query) = command.query() {
        check_reads(query)?;
        relations::check_relations(query)?;
    }
    Ok(command)
}

fn command(statement: Statement) -> Result<Command, SqlError> {
    match statement {
        Statement::CopyTo(copy) => copy::command(copy),
        Statement::Statement(statement) => match *statement {
            ast::Statement::CreateView(view) => view::create(view),
            ast::Statement::Drop {
                object_type: ast::ObjectType::View,
                if_exists,
                names,
                ..
            } => view::remove(if_exists, &names),
            other => Ok(Command::Read(Statement::Statement(Box::new(other)))),
        },
        other => Ok(Command::Read(other)),
    }
}

fn check_reads(statement: &Statement) -> Result<(), SqlError> {
    match statement {
        Statement::Explain(explain) => check_reads(&explain.statement),
        Statement::Statement(statement) => check_ast_reads(statement),
        Statement::CreateExternalTable(_) => Err(read_only("CREATE EXTERNAL TABLE")),
        Statement::CopyTo(_) => Err(read_only("COPY")),
        Statement::Reset(_) => Err(read_only("RESET")),
    }
}

fn check_ast_reads(statement: &ast::Statement) -> Result<(), SqlError> {
    match statement {
        ast::Statement::Query(query) => check_query_reads(query),
        ast::Statement::Explain { statement, .. } => check_ast_reads(statement),
        ast::Statement::ExplainTable { .. }
        | ast::Statement::ShowTables { .. }
        | ast::Statement::ShowColumns { .. }
        | ast::Statement::ShowFunctions { .. } => Ok(()),
        ast::Statement::Prepare { .. }
        | ast::Statement::Execute { .. }
        | ast::Statement::Declare { .. }
        | ast::Statement::Fetch { .. }
        | ast::Statement::Close { .. } => {
            let message = "PREPARE and EXECUTE belong to a connection of PostgreSQL's protocol, and cursors are not there";
            Err(SqlError::new(SqlErrorCode::Unsupported, message)
                .with_hint("drivers prepare statements and read them in pieces by the protocol itself"))
        }
        other => {
            let text = other.to_string();
            let words: Vec<_> = text.split_whitespace().take(2).collect();
            Err(read_only(&words.join(" ")))
        }
    }
}

/// A query may carry a change in its body or in one of its parts: `WITH x AS (...) INSERT ...`.
fn check_query_reads(query: &Query) -> Result<(), SqlError> {
    struct Changes(Option<String>);
    impl Visitor for Changes {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let name = match query.body.as_ref() {
                ast::SetExpr::Insert(_) => "INSERT",
                ast::SetExpr::Update(_) => "UPDATE",
                ast::SetExpr::Delete(_) => "DELETE",
                ast::SetExpr::Merge(_) => "MERGE",
                ast::SetExpr::Select(select) if select.into.is_some() => "SELECT INTO",
                _ => return ControlFlow::Continue(()),
            };
            self.0 = Some(name.to_owned());
            ControlFlow::Break(())
        }
    }
    let mut changes = Changes(None);
    let _ = query.visit(&mut changes);
    match changes.0 {
        Some(name) => Err(read_only(&name)),
        None => Ok(()),
    }
}

fn read_only(what: &str) -> SqlError {
    SqlError::new(
        SqlErrorCode::ReadOnly,
        format!("{what} is refused: SQL only reads here"),
    )
    .with_hint("samples are written with Prometheus remote write")
}

#[cfg(test)]
mod tests;

//! A statement that was prepared, and what it will give.

use std::sync::Arc;

use arrow_pg::datatypes::into_pg_type;
use async_trait::async_trait;
use barograph_query::sql::{Described, SessionStatement, SqlEngine, split_statements};
use pgwire::api::portal::Format;
use pgwire::api::results::FieldInfo;
use pgwire::api::stmt::QueryParser;
use pgwire::api::{ClientInfo, Type};
use pgwire::error::PgWireResult;

use super::error::{engine_error, statement_error};
use super::rows::{fields, shown};
use super::session::Session;

/// A statement, understood as far as that goes without its parameters.
#[derive(Debug, Clone)]
pub(super) enum Prepared {
    /// About the connection.
    Session(SessionStatement),
    /// For the engine.
    Query {
        sql: Arc<str>,
        described: Arc<Described>,
    },
}

/// Prepares statements of one connection.
#[derive(Debug)]
pub(super) struct Preparer {
    sql: Arc<SqlEngine>,
    session: Arc<Session>,
}

impl Preparer {
    pub(super) fn new(sql: Arc<SqlEngine>, session: Arc<Session>) -> Self {
        Self { sql, session }
    }
}

#[async_trait]
impl QueryParser for Preparer {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, _: &C, sql: &str, _: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let statements = split_statements(sql, self.sql.text_bytes_max()).map_err(engine_error)?;
        let [statement] = statements.as_slice() else {
            if statements.is_empty() {
                return Ok(None);
            }
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(statement_error("42601", message));
        };
        if let Some(statement) = SessionStatement::parse(statement) {
            return Ok(Some(Prepared::Session(statement)));
        }
        let request = self.session.request(statement, Vec::new());
        let described = self.sql.describe(request).await.map_err(engine_error)?;
        Ok(Some(Prepared::Query {
            sql: statement.as_str().into(),
            described: Arc::new(described),
        }))
    }

    fn get_parameter_types(&self, statement: &Prepared) -> PgWireResult<Vec<Type>> {
        match statement {
            Prepared::Query { described, .. } => parameter_types(described),
            Prepared::Session(_) => Ok(Vec::new()),
        }
    }

    fn get_result_schema(
        &self,
        statement: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let format = format.unwrap_or(&Format::UnifiedText);
        match statement {
            Prepared::Session(SessionStatement::Show { name }) => shown(name, &self.session)?.fields(format),
            Prepared::Session(SessionStatement::Execute { name, .. }) => {
                fields(&self.session.named(name)?.described.schema, format)
            }
            Prepared::Session(_) => Ok(Vec::new()),
            Prepared::Query { described, .. } => fields(&described.schema, format),
        }
    }
}

/// The types of a statement's parameters as the protocol knows them; `unknown` where nothing tells.
pub(super) fn parameter_types(described: &Described) -> PgWireResult<Vec<Type>> {
    let types = described.parameters.iter();
    types
        .map(|data_type| data_type.as_ref().map_or(Ok(Type::UNKNOWN), into_pg_type))
        .collect()
}

//! Runs statements, simple and prepared.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use async_trait::async_trait;
use barograph_query::sql::{
    CommandTag, ScalarValue, SessionStatement, SqlEngine, SqlStream, split_statements,
};
use futures::{Sink, SinkExt};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{
    ExtendedQueryHandler, SimpleQueryHandler, send_execution_response, send_query_response,
    send_ready_for_query,
};
use pgwire::api::results::{Response, Tag};
use pgwire::api::stmt::StoredStatement;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::{
    Close, CloseComplete, Parse, ParseComplete, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use pgwire::messages::simplequery::Query;

use super::error::{cancelled, engine_error, statement_error};
use super::parameters::values;
use super::rows::{response, shown};
use super::session::Session;
use super::statement::{Prepared, Preparer};

/// What a connection does with its statements.
#[derive(Debug)]
pub(super) struct Handlers {
    pub(super) sql: Arc<SqlEngine>,
    pub(super) session: Arc<Session>,
    preparer: Arc<Preparer>,
}

impl Handlers {
    pub(super) fn new(sql: Arc<SqlEngine>, session: Arc<Session>) -> Self {
        let preparer = Arc::new(Preparer::new(Arc::clone(&sql), Arc::clone(&session)));
        Self {
            sql,
            session,
            preparer,
        }
    }

    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: Vec<ScalarValue>,
        format: &Format,
    ) -> PgWireResult<Response> {
        let cancel = self.session.begin();
        let request = self.session.request(sql, parameters);
        let stream = tokio::select! {
            stream = self.sql.run(request) => stream.map_err(engine_error)?,
            () = cancel.cancelled() => return Err(cancelled()),
            () = self.session.client_gone() => return Err(PgWireError::IoError(std::io::ErrorKind::ConnectionAborted.into())),
        };
        if stream.tag().has_rows() {
            return Ok(Response::Query(response(
                stream,
                format,
                Arc::clone(&self.session),
                cancel,
            )?));
        }
        Ok(Response::Execution(done(stream).await?))
    }

    fn forget_all<C>(&self, client: &C)
    where
        C: ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        for name in self.session.forget_all() {
            client.portal_store().rm_statement(&name);
        }
    }

    async fn about_session<C>(
        &self,
        statement: &SessionStatement,
        client: &C,
        format: &Format,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sync,
        C::PortalStore: PortalStore,
    {
        let done = |tag: &str| Ok(Response::Execution(Tag::new(tag)));
        match statement {
            SessionStatement::Set { name, value } => {
                self.session.set(name, value.clone())?;
                done("SET")
            }
            SessionStatement::Reset { name } if name == "all" => {
                self.session.reset_all();
                done("RESET")
            }
            SessionStatement::Reset { name } => {
                self.session.set(name, None)?;
                done("RESET")
            }
            SessionStatement::Show { name } => {
                Ok(Response::Query(shown(name, &self.session)?.response(format)?))
            }
            SessionStatement::Begin => Ok(Response::TransactionStart(Tag::new("BEGIN"))),
            SessionStatement::Commit if client.transaction_status() == TransactionStatus::Error => {
                Ok(Response::TransactionEnd(Tag::new("ROLLBACK")))
            }
            SessionStatement::Commit => Ok(Response::TransactionEnd(Tag::new("COMMIT"))),
            SessionStatement::Rollback => Ok(Response::TransactionEnd(Tag::new("ROLLBACK"))),
            SessionStatement::Discard => {
                self.session.reset_all();
                self.forget_all(client);
                done("DISCARD ALL")
            }
            SessionStatement::Deallocate { name } => {
                match name {
                    Some(name) => {
                        self.session.forget(name);
                        client.portal_store().rm_statement(name);
                    }
                    None => self.forget_all(client),
                }
                done("DEALLOCATE")
            }
            SessionStatement::Prepare { name, types, sql } => self.prepare(name, types, sql).await,
            SessionStatement::Execute { name, values } => self.execute(name, values, format).await,
            SessionStatement::Ignored(tag) => done(tag),
        }
    }
}

/// After an error a transaction only ends.
fn check_transaction(client: &impl ClientInfo, statement: Option<&SessionStatement>) -> PgWireResult<()> {
    let ends = matches!(
        statement,
        Some(SessionStatement::Commit | SessionStatement::Rollback)
    );
    if client.transaction_status() == TransactionStatus::Error && !ends {
        let message = "current transaction is aborted, commands ignored until end of transaction block";
        return Err(statement_error("25P02", message));
    }
    Ok(())
}

/// What a statement without rows is called once it is done.
async fn done(stream: SqlStream) -> PgWireResult<Tag> {
    let tag = stream.tag();
    let batches = stream.collect_batches().await.map_err(engine_error)?;
    let name = Tag::new(&tag.to_string());
    let count = batches.first().filter(|_| tag == CommandTag::Copy);
    let count = count.and_then(|batch| batch.column(0).as_primitive_opt::<UInt64Type>());
    Ok(match count {
        Some(count) if !count.is_empty() => {
            name.with_rows(usize::try_from(count.value(0)).unwrap_or(usize::MAX))
        }
        _ => name,
    })
}

#[async_trait]
impl SimpleQueryHandler for Handlers {
    /// Statement after statement: each answer is sent whole before the next statement begins, so that a text of many holds the
    /// place of one.
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        let statements = split_statements(&query.query, self.sql.text_bytes_max()).map_err(engine_error)?;
        if statements.is_empty() {
            client
                .feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()))
                .await?;
        }
        for sql in &statements {
            for answer in SimpleQueryHandler::do_query(self, client, sql).await? {
                send(client, answer).await?;
            }
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        send_ready_for_query(client, client.transaction_status()).await
    }

    async fn do_query<C>(&self, client: &mut C, sql: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement = SessionStatement::parse(sql);
        check_transaction(client, statement.as_ref())?;
        let answer = match &statement {
            Some(statement) => {
                self.about_session(statement, client, &Format::UnifiedText)
                    .await?
            }
            None => self.query(sql, Vec::new(), &Format::UnifiedText).await?,
        };
        Ok(vec![answer])
    }
}

/// Sends the answer to one statement of a simple query.
async fn send<C>(client: &mut C, answer: Response) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    match answer {
        Response::Query(rows) => send_query_response(client, rows, true).await,
        Response::Execution(tag) => send_execution_response(client, tag).await,
        Response::TransactionStart(tag) => {
            client.set_transaction_status(client.transaction_status().to_in_transaction_state());
            send_execution_response(client, tag).await
        }
        Response::TransactionEnd(tag) => {
            client.set_transaction_status(client.transaction_status().to_idle_state());
            send_execution_response(client, tag).await
        }
        // No statement is answered with anything else.
        _ => Err(statement_error("XX000", "an answer of another kind")),
    }
}

#[async_trait]
impl ExtendedQueryHandler for Handlers {
    type Statement = Prepared;
    type QueryParser = Preparer;

    fn query_parser(&self) -> Arc<Preparer> {
        Arc::clone(&self.preparer)
    }

    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        self.session.remember(&name)?;
        let prepared = StoredStatement::parse(client, &message, self.query_parser()).await?;
        match prepared {
            Some(statement) => client.portal_store().put_statement(Arc::new(statement)),
            None => client.portal_store().put_empty_statement(&name),
        }
        client
            .send(PgWireBackendMessage::ParseComplete(ParseComplete::new()))
            .await?;
        Ok(())
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        if message.target_type == TARGET_TYPE_BYTE_STATEMENT {
            self.session.forget(name);
            client.portal_store().rm_statement(name);
        } else {
            client.portal_store().rm_portal(name);
        }
        client
            .send(PgWireBackendMessage::CloseComplete(CloseComplete::new()))
            .await?;
        Ok(())
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Prepared>, _: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement = &portal.statement.statement;
        let format = &portal.result_column_format;
        match statement {
            Prepared::Session(session) => {
                check_transaction(client, Some(session))?;
                self.about_session(session, client, format).await
            }
            Prepared::Query { sql, described } => {
                check_transaction(client, None)?;
                self.query(sql, values(portal, described)?, format).await
            }
        }
    }
}

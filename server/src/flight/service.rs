//! The calls, each in a few lines.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::flight_service_server::FlightServiceServer;
use arrow_flight::sql::metadata::SqlInfoData;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo,
    CommandGetTableTypes, CommandGetTables, CommandPreparedStatementQuery, CommandPreparedStatementUpdate,
    CommandStatementQuery, CommandStatementUpdate, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse, IpcMessage, SchemaAsIpc,
    Ticket,
};
use barograph_query::sql::{CommandTag, Described, PlainTexts, SqlEngine};
use bytes::Bytes;
use futures::Stream;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::answer::{Rows, info, rows, table};
use super::error::{arrow_status, engine_status};
use super::guard::Guard;
use super::handle::{Handle, VALUES_BYTES_MAX};
use super::metadata;
use super::parameters::bound;
use super::sql_info::sql_info;
use crate::config::SqlUser;

/// The rest of a message beside its values.
const OVERHEAD_BYTES_MAX: usize = 64 << 10;

/// What the gRPC listener serves.
pub type FlightService = FlightServiceServer<FlightSql>;

/// Flight SQL over the engine.
pub struct FlightSql {
    sql: Arc<SqlEngine>,
    guard: Guard,
    about: SqlInfoData,
    stop: CancellationToken,
}

/// The service, with a limit to what a message may hold. Open answers end with `UNAVAILABLE` when it is told to stop.
///
/// # Errors
/// Where the operating system gives no random bytes.
pub fn flight_service(
    sql: Arc<SqlEngine>,
    users: &[SqlUser],
    stop: CancellationToken,
) -> io::Result<FlightService> {
    let message_bytes_max = sql.text_bytes_max() + VALUES_BYTES_MAX + OVERHEAD_BYTES_MAX;
    let no_bytes = |_| io::Error::other("the operating system gives no random bytes");
    let service = FlightSql {
        guard: Guard::new(users).map_err(no_bytes)?,
        about: sql_info().map_err(io::Error::other)?,
        sql,
        stop,
    };
    Ok(FlightServiceServer::new(service).max_decoding_message_size(message_bytes_max))
}

impl FlightSql {
    async fn describe(&self, handle: &Handle) -> Result<Described, Status> {
        let described = self.sql.describe(handle.request()?).await;
        described.map_err(|error| engine_status(&error))
    }

    /// What rows a statement will give. One without rows gives none when it is fetched, which is when it is run.
    async fn plan(
        &self,
        handle: &Handle,
        ticket: Bytes,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let described = self.describe(handle).await?;
        info(&PlainTexts::new(&described.schema).schema(), ticket, descriptor)
    }

    async fn fetch(&self, handle: Bytes) -> Result<Response<Rows>, Status> {
        let request = Handle::read(handle)?.request()?;
        let stream = self
            .sql
            .run(request)
            .await
            .map_err(|error| engine_status(&error))?;
        Ok(rows(stream, self.stop.clone()))
    }

    /// Runs a statement whose rows are not wanted. Only `COPY` counts any.
    async fn update(&self, handle: &Handle) -> Result<i64, Status> {
        let stream = self
            .sql
            .run(handle.request()?)
            .await
            .map_err(|error| engine_status(&error))?;
        let tag = stream.tag();
        if tag.has_rows() {
            return Err(Status::invalid_argument(format!(
                "{tag} gives rows: fetch them as a query"
            )));
        }
        let batches = stream
            .collect_batches()
            .await
            .map_err(|error| engine_status(&error))?;
        Ok(match (tag, batches.first()) {
            (CommandTag::Copy, Some(batch)) => copied(batch),
            _ => 0,
        })
    }
}

/// The one number in the answer to `COPY`.
fn copied(batch: &arrow::array::RecordBatch) -> i64 {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt64Type;
    let rows = batch.column(0).as_primitive_opt::<UInt64Type>();
    let rows = rows
        .filter(|rows| rows.len() == 1)
        .map_or(0, |rows| rows.value(0));
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn message_of(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options)
        .try_into()
        .map_err(|error| arrow_status(&error))?;
    Ok(bytes)
}

/// A transaction would see the store as it was at its beginning, which nothing here keeps.
fn no_transaction(id: Option<&Bytes>) -> Result<(), Status> {
    match id {
        Some(id) if !id.is_empty() => Err(Status::unimplemented(
            "there are no transactions: each query sees one moment",
        )),
        _ => Ok(()),
    }
}

#[tonic::async_trait]
impl FlightSqlService for FlightSql {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>, Status> {
        let session = self.guard.log_in(request.metadata())?;
        let answer = HandshakeResponse {
            protocol_version: 0,
            payload: Bytes::from(session.clone()),
        };
        let answers: Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>> =
            Box::pin(futures::stream::iter([Ok(answer)]));
        let mut response = Response::new(answers);
        let header = session
            .parse()
            .map_err(|_| Status::internal("a session that is no header"))?;
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.guard.admit(request.metadata())?;
        no_transaction(query.transaction_id.as_ref())?;
        let handle = Handle::new(query.query);
        let ticket = TicketStatementQuery {
            statement_handle: handle.write(),
        };
        self.plan(
            &handle,
            ticket.as_any().encode_to_vec().into(),
            request.into_inner(),
        )
        .await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.guard.admit(request.metadata())?;
        self.fetch(ticket.statement_handle).await
    }

    async fn do_put_statement_update(
        &self,
        command: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.guard.admit(request.metadata())?;
        no_transaction(command.transaction_id.as_ref())?;
        self.update(&Handle::new(command.query)).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        self.guard.admit(request.metadata())?;
        no_transaction(query.transaction_id.as_ref())?;
        let handle = Handle::new(query.query);
        let described = self.describe(&handle).await?;
        let parameters = described.parameters.iter().enumerate();
        let parameters = parameters.map(|(i, data_type)| {
            let data_type = data_type.clone().unwrap_or(DataType::Null);
            Field::new(format!("${}", i + 1), data_type, true)
        });
        let parameters = PlainTexts::new(&Schema::new(parameters.collect::<Vec<_>>())).schema();
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.write(),
            dataset_schema: message_of(&PlainTexts::new(&described.schema).schema())?,
            parameter_schema: message_of(&parameters)?,
        })
    }

    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        // Nothing was kept for it.
        self.guard.admit(request.metadata())
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        self.guard.admit(request.metadata())?;
        let mut handle = Handle::read(query.prepared_statement_handle)?;
        if let Some(values) = bound(request.into_inner()).await? {
            handle = handle.bind(&values)?;
        }
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(handle.write()),
        })
    }

    async fn do_put_prepared_statement_update(
        &self,
        command: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.guard.admit(request.metadata())?;
        let mut handle = Handle::read(command.prepared_statement_handle)?;
        if let Some(values) = bound(request.into_inner())
            .await?
            .filter(|values| values.num_columns() > 0)
        {
            handle = handle.bind(&values)?;
        }
        self.update(&handle).await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.guard.admit(request.metadata())?;
        let ticket = query.as_any().encode_to_vec().into();
        let handle = Handle::read(query.prepared_statement_handle)?;
        self.plan(&handle, ticket, request.into_inner()).await
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.guard.admit(request.metadata())?;
        self.fetch(query.prepared_statement_handle).await
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.guard.admit(request.metadata())?;
        let ticket = query.as_any().encode_to_vec().into();
        info(&query.into_builder().schema(), ticket, request.into_inner())
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.guard.admit(request.metadata())?;
        Ok(table(metadata::catalogs(query)?))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.guard.admit(request.metadata())?;
        let ticket = query.as_any().encode_to_vec().into();
        info(&query.into_builder().schema(), ticket, request.into_inner())
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.guard.admit(request.metadata())?;
        Ok(table(metadata::schemas(query, &self.sql).await?))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.guard.admit(request.metadata())?;
        let ticket = query.as_any().encode_to_vec().into();
        info(&query.into_builder().schema(), ticket, request.into_inner())
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.guard.admit(request.metadata())?;
        Ok(table(metadata::tables(query, &self.sql).await?))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.guard.admit(request.metadata())?;
        let ticket = query.as_any().encode_to_vec().into();
        info(&query.into_builder().schema(), ticket, request.into_inner())
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.guard.admit(request.metadata())?;
        Ok(table(metadata::table_types(query)?))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.guard.admit(request.metadata())?;
        let ticket = query.as_any().encode_to_vec().into();
        info(&self.about.schema(), ticket, request.into_inner())
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.guard.admit(request.metadata())?;
        // Each number is looked for in the whole table.
        if query.info.len() > 1_000 {
            return Err(Status::invalid_argument("more than 1000 numbers of information"));
        }
        Ok(table(query.into_builder(&self.about).build()?))
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

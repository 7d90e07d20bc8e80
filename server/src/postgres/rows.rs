//! Answers: columns as the protocol describes them, rows as it sends them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};
use arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use barograph_query::sql::{SqlStream, json_column};
use futures::{Stream, StreamExt};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldFormat, FieldInfo, QueryResponse};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use tokio_util::sync::CancellationToken;

use super::error::{cancelled, engine_error, statement_error};
use super::float_text::float_texts;
use super::session::Session;

/// Rows that are encoded at a time.
const SLICE_ROWS: usize = 1_024;

/// The columns of an answer. Maps and structs are JSON, which every client reads.
///
/// # Errors
/// 08P01 for a format that does not fit the columns.
pub(super) fn fields(schema: &Schema, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
    check_formats(format, schema.fields().len(), "result", "query", "columns")?;
    let plain: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| match is_json(field.data_type()) {
            true => Arc::new(Field::new(field.name(), DataType::Utf8, field.is_nullable())),
            false => Arc::clone(field),
        })
        .collect();
    let mut fields = arrow_schema_to_pg_fields(&Schema::new(plain), format, None)?;
    for (i, field) in schema.fields().iter().enumerate() {
        if is_json(field.data_type()) {
            fields[i] = FieldInfo::new(field.name().clone(), None, None, Type::JSON, format.format_for(i));
        }
    }
    Ok(fields)
}

/// pgwire takes for granted that a client that names several formats names one for each.
///
/// # Errors
/// 08P01.
pub(super) fn check_formats(
    format: &Format,
    wanted: usize,
    of: &str,
    whose: &str,
    what: &str,
) -> PgWireResult<()> {
    match format {
        Format::Individual(codes) if codes.len() != wanted => {
            let found = codes.len();
            let message = format!("bind message has {found} {of} formats but {whose} has {wanted} {what}");
            Err(statement_error("08P01", &message))
        }
        _ => Ok(()),
    }
}

fn is_json(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Map(..) | DataType::Struct(_))
}

/// Rows as they come. An error is the last of them.
pub(super) fn response(
    stream: SqlStream,
    format: &Format,
    session: Arc<Session>,
    cancel: CancellationToken,
) -> PgWireResult<QueryResponse> {
    let tag = stream.tag().to_string();
    let fields = Arc::new(fields(&stream.schema(), format)?);
    let rows = rows(stream, Arc::clone(&fields), session, cancel);
    let mut response = QueryResponse::new(fields, rows);
    response.set_command_tag(&tag);
    Ok(response)
}

fn rows(
    stream: SqlStream,
    fields: Arc<Vec<FieldInfo>>,
    session: Arc<Session>,
    cancel: CancellationToken,
) -> impl Stream<Item = PgWireResult<DataRow>> + Send + 'static {
    let slices = futures::stream::unfold(Some(stream), move |stream| {
        let (session, cancel) = (Arc::clone(&session), cancel.clone());
        async move {
            let mut stream = stream?;
            let next = tokio::select! {
                batch = stream.next() => batch.map(|batch| batch.map_err(engine_error)),
                () = cancel.cancelled() => Some(Err(cancelled())),
                () = session.client_gone() => Some(Err(gone())),
            };
            match next? {
                Ok(batch) => Some((Ok(batch), Some(stream))),
                // Dropping the stream ends the query.
                Err(error) => Some((Err(error), None)),
            }
        }
    });
    slices.flat_map(move |batch| {
        let encoded: Box<dyn Iterator<Item = PgWireResult<DataRow>> + Send> = match batch {
            Err(error) => Box::new(std::iter::once(Err(error))),
            Ok(batch) => encode(batch, &fields),
        };
        futures::stream::iter(encoded)
    })
}

/// Encodes some rows at a time, so that their bytes do not all stand in memory before the first is sent.
fn encode(
    batch: RecordBatch,
    fields: &Arc<Vec<FieldInfo>>,
) -> Box<dyn Iterator<Item = PgWireResult<DataRow>> + Send> {
    let fields = Arc::clone(fields);
    let starts = (0..batch.num_rows()).step_by(SLICE_ROWS);
    Box::new(starts.flat_map(move |start| {
        let slice = batch.slice(start, SLICE_ROWS.min(batch.num_rows() - start));
        let rows: Vec<_> = match plain(&slice, &fields) {
            Ok(slice) => encode_recordbatch(Arc::clone(&fields), slice).collect(),
            Err(error) => vec![Err(error)],
        };
        rows
    }))
}

/// A batch whose maps are texts, and whose numbers are where they are sent as such: PostgreSQL writes `Infinity`.
fn plain(batch: &RecordBatch, infos: &[FieldInfo]) -> PgWireResult<RecordBatch> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).zip(infos);
    let (fields, arrays): (Vec<_>, Vec<ArrayRef>) = columns
        .map(|((field, array), info)| {
            let text = |column: StringArray| {
                let field = Arc::new(Field::new(field.name(), DataType::Utf8, true));
                (field, Arc::new(column) as ArrayRef)
            };
            match field.data_type() {
                kind if is_json(kind) => text(json_column(array.as_ref())),
                DataType::Float64 if info.format() == FieldFormat::Text => {
                    text(float_texts(array.as_primitive::<Float64Type>().iter()))
                }
                DataType::Float32 if info.format() == FieldFormat::Text => {
                    text(float_texts(array.as_primitive::<Float32Type>().iter()))
                }
                _ => (Arc::clone(field), Arc::clone(array)),
            }
        })
        .unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| statement_error("XX000", &error.to_string()))
}

fn gone() -> PgWireError {
    PgWireError::IoError(std::io::ErrorKind::ConnectionAborted.into())
}

/// The answer to `SHOW`.
#[derive(Debug)]
pub(super) struct Shown {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The value of a setting, or of all.
///
/// # Errors
/// 42704 for a name that is no setting.
pub(super) fn shown(name: &str, session: &Session) -> PgWireResult<Shown> {
    let named = |columns: &[&str]| columns.iter().map(|column| (*column).to_owned()).collect();
    if name == "all" {
        let rows = session
            .all()
            .into_iter()
            .map(|(name, value)| vec![name, value, String::new()]);
        return Ok(Shown {
            columns: named(&["name", "setting", "description"]),
            rows: rows.collect(),
        });
    }
    match session.get(name) {
        Some(value) => Ok(Shown {
            columns: named(&[name]),
            rows: vec![vec![value]],
        }),
        None => {
            let message = format!("unrecognized configuration parameter \"{name}\"");
            Err(statement_error("42704", &message))
        }
    }
}

impl Shown {
    pub(super) fn fields(&self, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
        check_formats(format, self.columns.len(), "result", "query", "columns")?;
        let columns = self.columns.iter().enumerate();
        Ok(columns
            .map(|(i, name)| FieldInfo::new(name.clone(), None, None, Type::TEXT, format.format_for(i)))
            .collect())
    }

    pub(super) fn response(self, format: &Format) -> PgWireResult<QueryResponse> {
        let fields = Arc::new(self.fields(format)?);
        let schema: Vec<_> = self
            .columns
            .iter()
            .map(|name| Field::new(name, DataType::Utf8, false))
            .collect();
        let arrays = (0..self.columns.len()).map(|i| {
            let column: StringArray = self.rows.iter().map(|row| row.get(i)).collect();
            Arc::new(column) as ArrayRef
        });
        let batch = RecordBatch::try_new(Arc::new(Schema::new(schema)), arrays.collect())
            .map_err(|error| statement_error("XX000", &error.to_string()))?;
        let rows = encode(batch, &fields);
        let mut response = QueryResponse::new(fields, futures::stream::iter(rows));
        response.set_command_tag("SHOW");
        Ok(response)
    }
}

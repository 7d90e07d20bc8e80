//! What tables there are, for the trees that tools draw.

use arrow::array::RecordBatch;
use arrow_flight::sql::{CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables};
use barograph_query::sql::{PlainTexts, SQL_CATALOG, SqlEngine, TableDescription};
use tonic::Status;

use super::error::engine_status;

/// A table that stores or computes rows, and a view.
const TABLE_TYPES: [&str; 2] = ["TABLE", "VIEW"];

pub(super) fn catalogs(command: CommandGetCatalogs) -> Result<RecordBatch, Status> {
    let mut builder = command.into_builder();
    builder.append(SQL_CATALOG);
    Ok(builder.build()?)
}

pub(super) fn table_types(command: CommandGetTableTypes) -> Result<RecordBatch, Status> {
    let mut builder = command.into_builder();
    TABLE_TYPES.iter().for_each(|name| builder.append(name));
    Ok(builder.build()?)
}

pub(super) async fn schemas(command: CommandGetDbSchemas, sql: &SqlEngine) -> Result<RecordBatch, Status> {
    let tables = described(sql).await?;
    let mut names: Vec<_> = tables.into_iter().map(|table| table.schema).collect();
    names.sort_unstable();
    names.dedup();
    let mut builder = command.into_builder();
    names.iter().for_each(|name| builder.append(SQL_CATALOG, name));
    Ok(builder.build()?)
}

pub(super) async fn tables(command: CommandGetTables, sql: &SqlEngine) -> Result<RecordBatch, Status> {
    let tables = described(sql).await?;
    let mut builder = command.into_builder();
    for table in tables {
        let [stored, view] = TABLE_TYPES;
        let kind = if table.is_view { view } else { stored };
        let columns = PlainTexts::new(&table.columns).schema();
        builder.append(SQL_CATALOG, &table.schema, &table.name, kind, &columns)?;
    }
    Ok(builder.build()?)
}

async fn described(sql: &SqlEngine) -> Result<Vec<TableDescription>, Status> {
    sql.tables().await.map_err(|error| engine_status(&error))
}

//! The names of tables and columns, for completion and `\d`.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;

use crate::cli::sql::{Source, SqlFailure};

/// Columns beyond this are not offered for completion; reading more would delay the first prompt.
const COLUMNS_MAX: usize = 50_000;

/// What `\d` shows.
pub(super) const TABLES_QUERY: &str = "SELECT table_schema, table_name, table_type FROM information_schema.tables \
    WHERE table_schema <> 'information_schema' ORDER BY table_schema, table_name";

/// What `\d TABLE` shows; the table may be written as `schema.table`, quoted or not.
pub(super) fn columns_query(table: &str) -> String {
    let (schema, name) = match split_name(table) {
        (Some(schema), name) => (format!(" AND table_schema = {}", text(&schema)), name),
        (None, name) => (String::new(), name),
    };
    format!(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = {}{schema} \
         ORDER BY ordinal_position",
        text(&name)
    )
}

/// A text as SQL writes it.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// `schema.table` in its parts; an unquoted name is lower case, as SQL has it.
fn split_name(written: &str) -> (Option<String>, String) {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in written.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => {
                let c = if quoted { c } else { c.to_ascii_lowercase() };
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    let name = parts.pop().unwrap_or_default();
    (parts.pop(), name)
}

/// A name as it must be written in SQL: in double quotes unless it is lower-case letters, digits and `_`.
pub(super) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Tables and their columns, as SQL writes them.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// Columns by table.
    pub(super) tables: BTreeMap<String, Vec<String>>,
    /// Tables by schema.
    pub(super) schemas: BTreeMap<String, Vec<String>>,
}

impl Catalog {
    /// Asks for the names.
    pub(super) async fn read(source: &Source) -> Result<Self, SqlFailure> {
        let query = format!(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns \
             ORDER BY table_schema, table_name, ordinal_position LIMIT {COLUMNS_MAX}"
        );
        let (_, batches) = source.batches(&query).await?.collect().await?;
        let mut catalog = Self::default();
        for batch in &batches {
            // DataFusion may send texts as views; one type is enough here.
            let texts = |i: usize| cast(batch.column(i), &DataType::Utf8);
            let (Ok(schemas), Ok(tables), Ok(columns)) = (texts(0), texts(1), texts(2)) else {
                continue;
            };
            let rows = schemas
                .as_string::<i32>()
                .iter()
                .zip(tables.as_string::<i32>())
                .zip(columns.as_string::<i32>());
            for ((schema, table), column) in rows {
                catalog.add(
                    schema.unwrap_or_default(),
                    table.unwrap_or_default(),
                    column.unwrap_or_default(),
                );
            }
        }
        Ok(catalog)
    }

    /// Adds a column.
    pub(super) fn add(&mut self, schema: &str, table: &str, column: &str) {
        let (schema, table, column) = (quoted(schema), quoted(table), quoted(column));
        let tables = self.schemas.entry(schema).or_default();
        if tables.last() != Some(&table) {
            tables.push(table.clone());
        }
        let columns = self.tables.entry(table).or_default();
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
}

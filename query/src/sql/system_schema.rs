//! Schema `system`: what the program knows of itself, in tables that the server computes.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};

use super::system_table::SystemTable;

/// The schema's name.
pub(crate) const SYSTEM: &str = "system";

/// The tables whose names begin with `system.`, without that.
pub(crate) struct SystemSchema {
    tables: Arc<[SystemTable]>,
}

impl SystemSchema {
    pub(crate) fn new(tables: Arc<[SystemTable]>) -> Self {
        Self { tables }
    }

    /// Whether there is any such table.
    pub(crate) fn is_empty(&self) -> bool {
        self.named().next().is_none()
    }

    /// Each such table with its name inside the schema.
    fn named(&self) -> impl Iterator<Item = (&str, &SystemTable)> {
        let tables = self.tables.iter();
        tables.filter_map(|table| Some((table.name_in(SYSTEM)?, table)))
    }
}

impl fmt::Debug for SystemSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemSchema")
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.named().map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let found = self.named().find(|(known, _)| *known == name);
        found.map(|(_, table)| provider(table)).transpose()
    }

    fn table_exist(&self, name: &str) -> bool {
        self.named().any(|(known, _)| known == name)
    }
}

/// The rows of a table at this moment.
pub(crate) fn provider(table: &SystemTable) -> Result<Arc<dyn TableProvider>> {
    let batch = (table.rows)();
    if batch.schema() != table.schema {
        let message = format!("the rows of table {} are not of its schema", table.name);
        return Err(DataFusionError::Internal(message));
    }
    let table = MemTable::try_new(Arc::clone(&table.schema), vec![vec![batch]])?;
    Ok(Arc::new(table))
}

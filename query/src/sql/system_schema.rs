//! Schema `system`: what the program says about itself.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};

use super::system_table::SystemTable;

/// The schema's name, and with a dot what the names of its tables begin with.
pub(crate) const SYSTEM: &str = "system";

/// Those of the server's tables whose names begin with `system.`.
#[derive(Debug)]
pub(crate) struct SystemSchema {
    tables: Arc<[SystemTable]>,
}

impl SystemSchema {
    pub(crate) fn new(tables: Arc<[SystemTable]>) -> Self {
        Self { tables }
    }

    fn own(&self) -> impl Iterator<Item = (&str, &SystemTable)> {
        self.tables
            .iter()
            .filter_map(|table| Some((own_name(table)?, table)))
    }
}

/// The bare name of a table of this schema; `None` for one of schema `public`.
pub(crate) fn own_name(table: &SystemTable) -> Option<&str> {
    table.name.strip_prefix(SYSTEM)?.strip_prefix('.')
}

/// The rows of a table as they are now.
pub(crate) fn provider(table: &SystemTable) -> Result<Arc<dyn TableProvider>> {
    let batch = (table.rows)();
    if batch.schema() != table.schema {
        let message = format!("the rows of table {} are not of its schema", table.name);
        return Err(DataFusionError::Internal(message));
    }
    let rows = MemTable::try_new(Arc::clone(&table.schema), vec![vec![batch]])?;
    Ok(Arc::new(rows))
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.own().map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let found = self.own().find(|(own, _)| *own == name);
        found.map(|(_, table)| provider(table)).transpose()
    }

    fn table_exist(&self, name: &str) -> bool {
        self.own().any(|(own, _)| own == name)
    }
}

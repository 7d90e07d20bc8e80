//! Tables whose rows the server gives: alerts, events, what is in schema `system`.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// A table that is computed anew for each query that names it.
#[derive(Clone)]
pub struct SystemTable {
    /// Its name in schema `public`, or `system.` and its name there.
    pub name: String,
    /// Names and types of its columns.
    pub schema: SchemaRef,
    /// Gives all rows, with exactly that schema; called once per query, on a thread that may compute.
    pub rows: Arc<dyn Fn() -> RecordBatch + Send + Sync>,
}

impl SystemTable {
    /// Its name inside a schema; `None` where it is in another.
    pub(crate) fn name_in(&self, schema: &str) -> Option<&str> {
        self.name.strip_prefix(schema)?.strip_prefix('.')
    }
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemTable")
            .field("name", &self.name)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

//! Names and columns of all tables as they are now, for `pg_catalog` to describe.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use barograph_model::Clock;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::TableType;
use futures::FutureExt;

use super::PG_CATALOG;
use crate::sql::catalog::{CATALOG, Catalog, PUBLIC};
use crate::sql::engine::SnapshotSource;
use crate::sql::request::TableDescription;
use crate::sql::system_table::SystemTable;

/// How long one look at the store serves. A client that describes a table asks many questions in a row, and finding the columns
/// of all metrics is most of the work of each. What is kept are names and types: nothing of the store is held by it.
const LOOK_TTL_NS: u64 = 1_000_000_000;

/// The tables of a schema.
type Tables = BTreeMap<String, (SchemaRef, TableType)>;

/// The only catalog.
pub(crate) struct LiveCatalog {
    source: Arc<dyn SnapshotSource>,
    system: Arc<[SystemTable]>,
    clock: Arc<dyn Clock>,
    listed: Mutex<Option<(u64, Arc<Listed>)>>,
    /// Set once; weak because it looks at this.
    pg_catalog: Arc<Mutex<Option<Weak<dyn SchemaProvider>>>>,
    /// Held until [`LiveCatalog::take_registered`].
    registered: Arc<Mutex<Option<Arc<dyn SchemaProvider>>>>,
    views: Mutex<BTreeMap<String, SchemaRef>>,
}

impl LiveCatalog {
    pub(crate) fn new(
        source: Arc<dyn SnapshotSource>,
        system: Arc<[SystemTable]>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            source,
            system,
            clock,
            listed: Mutex::default(),
            pg_catalog: Arc::default(),
            registered: Arc::default(),
            views: Mutex::default(),
        }
    }

    /// Shows these views from now on.
    pub(crate) fn show_views(&self, views: BTreeMap<String, SchemaRef>) {
        let mut shown = locked(&self.views);
        if *shown != views {
            *shown = views;
            *locked(&self.listed) = None;
        }
    }

    /// The schema that was registered.
    ///
    /// # Errors
    /// Where none was.
    pub(super) fn take_registered(&self) -> Result<Arc<dyn SchemaProvider>> {
        let registered = locked(&self.registered).take();
        let registered = registered
            .ok_or_else(|| DataFusionError::Internal("pg_catalog was not registered".to_owned()))?;
        *locked(&self.pg_catalog) = Some(Arc::downgrade(&registered));
        Ok(registered)
    }

    /// All tables and views, by schema and name.
    pub(crate) fn tables(&self) -> Vec<TableDescription> {
        let listed = self.list();
        let schemas = listed.schemas.iter();
        let tables = schemas.flat_map(|(schema, tables)| {
            let tables = tables.iter();
            tables.map(move |(name, (columns, kind))| TableDescription {
                schema: schema.clone(),
                name: name.clone(),
                is_view: *kind == TableType::View,
                columns: Arc::clone(columns),
            })
        });
        tables.collect()
    }

    fn list(&self) -> Arc<Listed> {
        let mut listed = locked(&self.listed);
        let now = self.clock.monotonic_ns();
        if let Some((at, tables)) = &*listed
            && now.saturating_sub(*at) < LOOK_TTL_NS
        {
            return Arc::clone(tables);
        }
        let catalog = Catalog::new(self.source.snapshot(), Arc::clone(&self.system));
        let mut schemas: BTreeMap<String, Tables> = catalog
            .schema_names()
            .into_iter()
            .filter_map(|name| {
                let tables = tables_of(catalog.schema(&name)?.as_ref());
                Some((name, tables))
            })
            .collect();
        let views = locked(&self.views).clone();
        let views = views
            .into_iter()
            .map(|(name, schema)| (name, (schema, TableType::View)));
        schemas.entry(PUBLIC.to_owned()).or_default().extend(views);
        let tables = Arc::new(Listed {
            schemas: schemas
                .into_iter()
                .map(|(name, tables)| (name, Arc::new(tables)))
                .collect(),
            pg_catalog: Arc::clone(&self.pg_catalog),
            registered: Arc::clone(&self.registered),
        });
        *listed = Some((now, Arc::clone(&tables)));
        tables
    }
}

fn tables_of(schema: &dyn SchemaProvider) -> Tables {
    let names = schema.table_names().into_iter();
    names
        .filter_map(|name| {
            // A table that is gone or damaged meanwhile is left out of the list. Nothing here waits.
            let table = schema.table(&name).now_or_never()?.ok()??;
            Some((name, (table.schema(), table.table_type())))
        })
        .collect()
}

impl fmt::Debug for LiveCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveCatalog")
    }
}

impl CatalogProviderList for LiveCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| self.list() as Arc<dyn CatalogProvider>)
    }
}

/// What one look has found.
struct Listed {
    schemas: BTreeMap<String, Arc<Tables>>,
    pg_catalog: Arc<Mutex<Option<Weak<dyn SchemaProvider>>>>,
    registered: Arc<Mutex<Option<Arc<dyn SchemaProvider>>>>,
}

impl Listed {
    fn pg_catalog(&self) -> Option<Arc<dyn SchemaProvider>> {
        locked(&self.pg_catalog).as_ref()?.upgrade()
    }
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listed")
    }
}

impl CatalogProvider for Listed {
    fn schema_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.schemas.keys().cloned().collect();
        names.extend(self.pg_catalog().map(|_| PG_CATALOG.to_owned()));
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == PG_CATALOG {
            return self.pg_catalog();
        }
        let tables = Arc::clone(self.schemas.get(name)?);
        Some(Arc::new(ListedSchema { tables }))
    }

    fn register_schema(
        &self,
        _: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> Result<Option<Arc<dyn SchemaProvider>>> {
        Ok(locked(&self.registered).replace(schema))
    }
}

struct ListedSchema {
    tables: Arc<Tables>,
}

impl fmt::Debug for ListedSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ListedSchema")
    }
}

#[async_trait]
impl SchemaProvider for ListedSchema {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let table = self.tables.get(name).map(|(schema, _)| {
            // Only its columns are asked for.
            let schema = Schema::clone(schema);
            Arc::new(EmptyTable::new(Arc::new(schema))) as Arc<dyn TableProvider>
        });
        Ok(table)
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.tables.get(name).map(|(_, table_type)| *table_type))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

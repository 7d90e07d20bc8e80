//! What names mean: catalog `barograph` with the schemas `public`, `metrics` and `system`, over one snapshot.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use barograph_engine::{LaneKind, Snapshot};
use barograph_model::TimeRange;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::common::Result;
use datafusion::logical_expr::TableType;

use super::anomalies::AnomaliesTable;
use super::lane_table::LaneTable;
use super::metadata_table::metadata_table;
use super::postgres::PG_CATALOG;
use super::samples::SamplesTable;
use super::series_table::SeriesTable;
use super::system_schema::{SYSTEM, SystemSchema, provider};
use super::system_table::SystemTable;

/// The catalog's name.
pub const CATALOG: &str = "barograph";
/// The schema of a bare name.
pub(crate) const PUBLIC: &str = "public";
/// The schema with a table for each metric.
pub(crate) const METRICS: &str = "metrics";

/// The tables of one query.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    public: Arc<PublicSchema>,
    metrics: Arc<MetricsSchema>,
    system: Arc<SystemSchema>,
    /// For PostgreSQL's clients.
    pg_catalog: Option<Arc<dyn SchemaProvider>>,
}

impl Catalog {
    pub(crate) fn new(snapshot: Snapshot, system: Arc<[SystemTable]>) -> Self {
        let metrics = Arc::new(MetricsSchema {
            snapshot,
            tables: Mutex::default(),
        });
        Self {
            public: Arc::new(PublicSchema {
                metrics: Arc::clone(&metrics),
                system: Arc::clone(&system),
                views: Mutex::default(),
            }),
            metrics,
            system: Arc::new(SystemSchema::new(system)),
            pg_catalog: None,
        }
    }

    /// With the schema that PostgreSQL's clients ask.
    pub(crate) fn with_pg_catalog(self, pg_catalog: Arc<dyn SchemaProvider>) -> Self {
        Self {
            pg_catalog: Some(pg_catalog),
            ..self
        }
    }

    /// The catalog as the only one of a session.
    pub(crate) fn as_list(&self) -> Arc<dyn CatalogProviderList> {
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG.to_owned(), Arc::new(self.clone()));
        Arc::new(list)
    }

    /// Whether a view was added.
    pub(crate) fn has_view(&self, name: &str) -> bool {
        self.public.view(name).is_some()
    }

    /// Puts a view among the tables of `public`, in front of a metric of its name.
    pub(crate) fn add_view(&self, name: &str, view: Arc<ViewTable>) {
        self.public.views().insert(name.to_owned(), view);
    }

    /// Names and columns of the views that were added.
    pub(crate) fn view_schemas(&self) -> BTreeMap<String, SchemaRef> {
        let views = self.public.views();
        views
            .iter()
            .map(|(name, view)| (name.clone(), view.schema()))
            .collect()
    }

    /// Whether a name is that of a table that is always there.
    pub(crate) fn is_fixed(&self, name: &str) -> bool {
        self.public.fixed_names().any(|fixed| fixed == name)
    }

    /// Whether a name is that of a metric.
    pub(crate) fn is_metric(&self, name: &str) -> bool {
        self.metrics.table_exist(name)
    }

    /// Every table by the name that finds it: the fixed ones, those of `system` with it in front, then the metrics.
    pub(crate) fn table_names(&self) -> Vec<String> {
        let mut names = self.public.table_names();
        names.extend(
            self.system
                .table_names()
                .iter()
                .map(|name| format!("{SYSTEM}.{name}")),
        );
        names.extend(self.metrics.table_names());
        names
    }
}

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names = vec![METRICS.to_owned(), PUBLIC.to_owned()];
        if !self.system.is_empty() {
            names.push(SYSTEM.to_owned());
        }
        names.extend(self.pg_catalog.iter().map(|_| PG_CATALOG.to_owned()));
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            PUBLIC => Some(Arc::clone(&self.public) as _),
            METRICS => Some(Arc::clone(&self.metrics) as _),
            PG_CATALOG => self.pg_catalog.clone(),
            SYSTEM if !self.system.is_empty() => Some(Arc::clone(&self.system) as _),
            _ => None,
        }
    }
}

/// A table for each metric.
struct MetricsSchema {
    snapshot: Snapshot,
    /// Tables that were asked for, so that a name asked for twice is looked up once.
    tables: Mutex<HashMap<String, Option<Arc<SamplesTable>>>>,
}

impl MetricsSchema {
    fn get(&self, name: &str) -> Result<Option<Arc<SamplesTable>>> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get(name) {
            return Ok(table.clone());
        }
        let table = SamplesTable::of_metric(self.snapshot.clone(), name)?.map(Arc::new);
        tables.insert(name.to_owned(), table.clone());
        Ok(table)
    }
}

impl fmt::Debug for MetricsSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsSchema")
    }
}

#[async_trait]
impl SchemaProvider for MetricsSchema {
    fn table_names(&self) -> Vec<String> {
        // Names alone cannot fail here; whoever reads a damaged segment is told.
        self.snapshot.metric_names(TimeRange::ALL).unwrap_or_default()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.get(name)?.map(|table| table as _))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.get(name).is_ok_and(|table| table.is_some())
    }
}

/// Tables that stand here whatever is stored.
const FIXED: [&str; 6] = [
    "anomalies",
    "exemplars",
    "histograms",
    "metadata",
    "samples",
    "series",
];

/// The fixed tables and the views; any other name is looked for among the metrics.
#[derive(Debug)]
struct PublicSchema {
    metrics: Arc<MetricsSchema>,
    system: Arc<[SystemTable]>,
    /// Those of the query, and all of them where it lists tables.
    views: Mutex<BTreeMap<String, Arc<ViewTable>>>,
}

impl PublicSchema {
    fn views(&self) -> MutexGuard<'_, BTreeMap<String, Arc<ViewTable>>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self, name: &str) -> Option<Arc<ViewTable>> {
        self.views().get(name).cloned()
    }

    fn fixed_names(&self) -> impl Iterator<Item = &str> {
        let of_server = self.system.iter().filter(|table| table.name_in(SYSTEM).is_none());
        of_server.map(|table| table.name.as_str()).chain(FIXED)
    }

    fn fixed(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let snapshot = || self.metrics.snapshot.clone();
        let mut own = self.system.iter().filter(|table| table.name_in(SYSTEM).is_none());
        if let Some(table) = own.find(|table| table.name == name) {
            return provider(table).map(Some);
        }
        Ok(match name {
            "histograms" => Some(Arc::new(LaneTable::new(snapshot(), LaneKind::Histograms))),
            "exemplars" => Some(Arc::new(LaneTable::new(snapshot(), LaneKind::Exemplars))),
            "metadata" => Some(Arc::new(metadata_table(snapshot().metadata())?)),
            "anomalies" => Some(Arc::new(AnomaliesTable::new(snapshot()))),
            "samples" => Some(Arc::new(SamplesTable::of_all(snapshot()))),
            "series" => Some(Arc::new(SeriesTable::new(snapshot()))),
            _ => None,
        })
    }
}

#[async_trait]
impl SchemaProvider for PublicSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.fixed_names().map(str::to_owned).collect();
        names.extend(self.views().keys().cloned());
        names.sort_unstable();
        names.dedup();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(view) = self.view(name) {
            return Ok(Some(view));
        }
        match self.fixed(name)? {
            Some(table) => Ok(Some(table)),
            None => self.metrics.table(name).await,
        }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        if self.view(name).is_some() {
            return Ok(Some(TableType::View));
        }
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|table| table == name) || self.metrics.table_exist(name)
    }
}

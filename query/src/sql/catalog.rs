//! What names mean: catalog `barograph` with the schemas `public`, `metrics` and `system`, over one snapshot.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use barograph_engine::{LaneKind, Snapshot};
use barograph_model::TimeRange;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::common::Result;
use datafusion::logical_expr::TableType;

use super::anomalies::AnomaliesTable;
use super::lane_table::LaneTable;
use super::metadata_table::metadata_table;
use super::samples::SamplesTable;
use super::series_table::SeriesTable;
use super::system_schema::{SYSTEM, SystemSchema, provider};
use super::system_table::SystemTable;

/// The catalog's name.
pub(crate) const CATALOG: &str = "barograph";
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
            }),
            metrics,
            system: Arc::new(SystemSchema::new(system)),
        }
    }

    /// The catalog as the only one of a session.
    pub(crate) fn as_list(&self) -> Arc<dyn CatalogProviderList> {
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG.to_owned(), Arc::new(self.clone()));
        Arc::new(list)
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
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            PUBLIC => Some(Arc::clone(&self.public) as _),
            METRICS => Some(Arc::clone(&self.metrics) as _),
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

/// The fixed tables; any other name is looked for among the metrics.
#[derive(Debug)]
struct PublicSchema {
    metrics: Arc<MetricsSchema>,
    system: Arc<[SystemTable]>,
}

impl PublicSchema {
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
        let here = self.system.iter().filter(|table| table.name_in(SYSTEM).is_none());
        let names = here.map(|table| (table.name.clone(), ()));
        let own = [
            "anomalies",
            "exemplars",
            "histograms",
            "metadata",
            "samples",
            "series",
        ]
        .map(|name| (name.to_owned(), ()));
        names.chain(own).collect::<BTreeMap<_, _>>().into_keys().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.fixed(name)? {
            Some(table) => Ok(Some(table)),
            None => self.metrics.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|table| table == name) || self.metrics.table_exist(name)
    }
}

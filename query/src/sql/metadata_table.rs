//! Table `metadata`: type, unit and help of metric families.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use barograph_engine::MetadataTable;
use datafusion::catalog::MemTable;
use datafusion::common::Result;

/// The table with all that is known; a family is a row.
pub(crate) fn metadata_table(known: &MetadataTable) -> Result<MemTable> {
    let names = ["family", "type", "unit", "help"];
    let schema = Arc::new(Schema::new(
        names.map(|name| Field::new(name, DataType::Utf8, false)).to_vec(),
    ));
    let texts = |of: &dyn Fn(&str, &barograph_model::Metadata) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            known.iter().map(|(family, m)| of(family, m)),
        ))
    };
    let columns = vec![
        texts(&|family, _| family.to_owned()),
        texts(&|_, metadata| metadata.metric_type.as_str().to_owned()),
        texts(&|_, metadata| metadata.unit.clone()),
        texts(&|_, metadata| metadata.help.clone()),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    MemTable::try_new(schema, vec![vec![batch]])
}

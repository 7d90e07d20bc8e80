//! The columns that a sample can be shown with.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringViewBuilder};
use arrow::datatypes::{DataType, Field, TimeUnit};
use barograph_engine::SeriesSet;
use barograph_model::{Labels, METRIC_NAME};
use datafusion::common::Result;

use crate::sql::error::store_error;

/// The type of every `ts`: milliseconds since the epoch, UTC.
pub(crate) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::from("UTC")))
}

/// What a column shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Column {
    /// The instant.
    Ts,
    /// The value, bit for bit.
    Value,
    /// Whether the value is a staleness marker.
    Stale,
    /// The series' stable number.
    SeriesId,
    /// A label, NULL where the series has none; `__name__` for the metric.
    Label(String),
}

/// The columns of a scan by their numbers, as far as they are these.
pub(crate) type ColumnOf<'a> = &'a dyn Fn(usize) -> Option<&'a Column>;

impl Column {
    /// Whether all rows of a series show the same.
    pub(crate) fn is_of_series(&self) -> bool {
        matches!(self, Self::SeriesId | Self::Label(_))
    }

    /// The column as a field of a table.
    pub(crate) fn field(&self, name: &str) -> Field {
        match self {
            Self::Ts => Field::new(name, timestamp_type(), false),
            Self::Value => Field::new(name, DataType::Float64, false),
            Self::Stale => Field::new(name, DataType::Boolean, false),
            Self::SeriesId => Field::new(name, DataType::Int64, false),
            Self::Label(label) => Field::new(name, DataType::Utf8View, label != METRIC_NAME),
        }
    }
}

/// One row for each of some positions of a set, one array per column. Columns that differ from row to row have none
/// to show.
pub(crate) fn series_arrays(
    set: &SeriesSet,
    columns: &[&Column],
    positions: &[usize],
) -> Result<Vec<Option<ArrayRef>>> {
    let mut labels: Vec<_> = columns
        .iter()
        .map(|column| match column {
            Column::Label(name) => Some((name.as_str(), StringViewBuilder::with_capacity(positions.len()))),
            _ => None,
        })
        .collect();
    if labels.iter().any(Option::is_some) {
        for position in positions {
            // Read where one of them cannot be told without.
            let mut of_series: Option<Arc<Labels>> = None;
            for (name, builder) in labels.iter_mut().flatten() {
                let value = match (set.known_label(*position, name), &mut of_series) {
                    (Some(value), _) => value,
                    (None, Some(labels)) => labels.get(name),
                    (None, none) => none.insert(set.labels(*position).map_err(store_error)?).get(name),
                };
                match value {
                    // The metric's column is not nullable, and a series without a name is not worth a failure.
                    "" if *name != METRIC_NAME => builder.append_null(),
                    value => builder.append_value(value),
                }
            }
        }
    }
    let arrays = labels
        .into_iter()
        .zip(columns)
        .map(|(labels, column)| match (labels, column) {
            (Some((_, mut builder)), _) => Some(Arc::new(builder.finish()) as ArrayRef),
            (None, Column::SeriesId) => {
                let ids: Int64Array = positions.iter().map(|position| set.id(*position).0).collect();
                Some(Arc::new(ids) as ArrayRef)
            }
            _ => None,
        });
    Ok(arrays.collect())
}

//! Samples of a group, however they come: what the functions over counters gather.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, TimestampMillisecondType};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{DataFusionError, Result, ScalarValue};

use crate::sql::samples::timestamp_type;

/// Instants and values, in any order until they are sorted.
#[derive(Debug, Default)]
pub(super) struct WindowSamples {
    rows: Vec<(i64, f64)>,
    is_sorted: bool,
}

impl WindowSamples {
    /// Adds rows; those with a NULL are left out.
    pub(super) fn add(&mut self, values: &ArrayRef, ts: &ArrayRef) -> Result<()> {
        let (values, ts) = (values_of(values)?, instants_of(ts)?);
        self.rows.reserve(ts.len());
        for row in 0..ts.len() {
            if values.is_valid(row) && ts.is_valid(row) {
                self.rows.push((ts.value(row), values.value(row)));
            }
        }
        self.is_sorted = false;
        Ok(())
    }

    /// Takes rows away that were added before.
    pub(super) fn remove(&mut self, values: &ArrayRef, ts: &ArrayRef) -> Result<()> {
        let (values, ts) = (values_of(values)?, instants_of(ts)?);
        for row in 0..ts.len() {
            if values.is_valid(row) && ts.is_valid(row) {
                let gone = (ts.value(row), values.value(row).to_bits());
                // A frame slides: what leaves it is among the oldest.
                let place = self
                    .rows
                    .iter()
                    .position(|(ts, value)| (*ts, value.to_bits()) == gone);
                if let Some(place) = place {
                    self.rows.remove(place);
                }
            }
        }
        Ok(())
    }

    /// Instants and values of `start < ts <= end`, each instant once; of two values of an instant the one that came later.
    pub(super) fn within(&mut self, start: i64, end: i64) -> (Vec<i64>, Vec<f64>) {
        self.sort();
        let from = self.rows.partition_point(|(ts, _)| *ts <= start);
        let to = self.rows.partition_point(|(ts, _)| *ts <= end);
        let rows = self.rows.get(from..to).unwrap_or_default();
        let mut columns: (Vec<i64>, Vec<f64>) =
            (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (ts, value) in rows {
            if columns.0.last() == Some(ts) {
                columns.0.pop();
                columns.1.pop();
            }
            columns.0.push(*ts);
            columns.1.push(*value);
        }
        columns
    }

    /// The newest instant.
    pub(super) fn newest(&mut self) -> Option<i64> {
        self.sort();
        self.rows.last().map(|(ts, _)| *ts)
    }

    /// The oldest instant.
    pub(super) fn oldest(&mut self) -> Option<i64> {
        self.sort();
        self.rows.first().map(|(ts, _)| *ts)
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            self.rows.sort_by_key(|(ts, _)| *ts);
            self.is_sorted = true;
        }
    }

    /// Bytes held.
    pub(super) fn heap_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<(i64, f64)>()
    }

    /// The columns of a partial state.
    pub(super) fn state_fields(name: &str) -> [FieldRef; 2] {
        let list = |suffix: &str, item: DataType| {
            let list = DataType::List(Arc::new(Field::new_list_field(item, true)));
            Arc::new(Field::new(format!("{name}[{suffix}]"), list, true))
        };
        [list("ts", timestamp_type()), list("value", DataType::Float64)]
    }

    /// A partial state: one list each.
    pub(super) fn state(&self) -> [ScalarValue; 2] {
        let ts: TimestampMillisecondArray = self.rows.iter().map(|(ts, _)| Some(*ts)).collect();
        let values: Float64Array = self.rows.iter().map(|(_, value)| *value).collect();
        let list = |array: ArrayRef| SingleRowListArrayBuilder::new(array).build_list_scalar();
        [list(Arc::new(ts.with_timezone("UTC"))), list(Arc::new(values))]
    }

    /// Adds partial states.
    pub(super) fn merge(&mut self, ts: &ArrayRef, values: &ArrayRef) -> Result<()> {
        let odd = || DataFusionError::Internal("a partial state of another type".to_owned());
        let ts = ts.as_list_opt::<i32>().ok_or_else(odd)?;
        let values = values.as_list_opt::<i32>().ok_or_else(odd)?;
        for row in 0..ts.len() {
            if ts.is_valid(row) && values.is_valid(row) {
                self.add(&values.value(row), &ts.value(row))?;
            }
        }
        Ok(())
    }
}

fn values_of(array: &ArrayRef) -> Result<&Float64Array> {
    array
        .as_primitive_opt::<Float64Type>()
        .ok_or_else(|| DataFusionError::Internal(format!("values of type {}", array.data_type())))
}

fn instants_of(array: &ArrayRef) -> Result<&TimestampMillisecondArray> {
    array
        .as_primitive_opt::<TimestampMillisecondType>()
        .ok_or_else(|| DataFusionError::Internal(format!("instants of type {}", array.data_type())))
}

//! Window functions that fill gaps: `locf(value)` carries the last value on, `interpolate(value, ts)` draws a line between the
//! neighbours. Both look at the rows of the partition in its order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, TimestampMillisecondType};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use crate::sql::error::{SqlError, SqlErrorCode};
use crate::sql::samples::timestamp_type;

/// `locf`: of the rows so far, the last value that is not NULL; NULL before the first.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Locf {
    signature: Signature,
}

impl Locf {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl WindowUDFImpl for Locf {
    fn name(&self) -> &str {
        "locf"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(CarryOn))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        let field = args.get_input_field(0);
        let data_type = field.map_or(DataType::Null, |field| field.data_type().clone());
        Ok(Arc::new(Field::new(args.name(), data_type, true)))
    }
}

#[derive(Debug)]
struct CarryOn;

impl PartitionEvaluator for CarryOn {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let [values] = values else {
            return Err(DataFusionError::Internal("locf takes one column".to_owned()));
        };
        let mut last: Option<u64> = None;
        let places: UInt64Array = (0..rows)
            .map(|row| {
                if values.is_valid(row) {
                    last = Some(row as u64);
                }
                last
            })
            .collect();
        Ok(take(values.as_ref(), &places, None)?)
    }
}

/// `interpolate`: what is not NULL stays, and between two such rows the value lies on the line between them, by time.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Interpolate {
    signature: Signature,
}

impl Interpolate {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl WindowUDFImpl for Interpolate {
    fn name(&self) -> &str {
        "interpolate"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [
                value,
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64,
            ] if value.is_numeric() || value.is_null() => Ok(vec![DataType::Float64, timestamp_type()]),
            _ => Err(SqlError::new(
                SqlErrorCode::Unsupported,
                "interpolate takes a number and an instant",
            )
            .with_hint("interpolate(value, ts) OVER (ORDER BY ts)")
            .into()),
        }
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(DrawLine))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Float64, true)))
    }
}

#[derive(Debug)]
struct DrawLine;

impl PartitionEvaluator for DrawLine {
    fn evaluate_all(&mut self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let odd = || DataFusionError::Internal("interpolate takes numbers and instants".to_owned());
        let [values, ts] = columns else { return Err(odd()) };
        let values = values.as_primitive_opt::<Float64Type>().ok_or_else(odd)?;
        let ts = ts
            .as_primitive_opt::<TimestampMillisecondType>()
            .ok_or_else(odd)?;
        let is_known = |row: &usize| values.is_valid(*row) && ts.is_valid(*row);
        // The next known row, seen from each row.
        let mut next: Vec<Option<usize>> = vec![None; rows];
        let mut seen = None;
        for row in (0..rows).rev() {
            seen = Some(row).filter(is_known).or(seen);
            next[row] = seen;
        }
        let mut before: Option<usize> = None;
        let filled: Float64Array = (0..rows)
            .map(|row| {
                if is_known(&row) {
                    before = Some(row);
                    return Some(values.value(row));
                }
                let (before, next) = (before?, next[row]?);
                if ts.is_null(row) {
                    return None;
                }
                let (t0, t1) = (ts.value(before) as f64, ts.value(next) as f64);
                let (v0, v1) = (values.value(before), values.value(next));
                Some(if t1 == t0 {
                    v0
                } else {
                    v0 + (v1 - v0) * ((ts.value(row) as f64 - t0) / (t1 - t0))
                })
            })
            .collect();
        Ok(Arc::new(filled))
    }
}
